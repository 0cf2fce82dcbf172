//! An entry together with its decoded parts.

use super::{Content, Entry};

/// An entry and what belongs to it, as its writer has it, so that views need not decode leaf and payload again. It must
/// agree with them exactly: views are also built from the log alone, with the same result.
#[derive(Clone, Copy, Debug)]
pub struct DecodedEntry<'a> {
    /// The entry in the leaf.
    pub entry: &'a Entry,
    /// On `DispatchReceived`, the sender's entry inside it.
    pub sender: Option<&'a Entry>,
    /// The content of the payload beside the entry.
    pub content: Option<&'a Content>,
}

impl<'a> From<&'a Entry> for DecodedEntry<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            entry,
            sender: None,
            content: None,
        }
    }
}
