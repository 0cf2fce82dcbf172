//! What whoever appends an entry holds of it already.

use super::{Content, Entry};

/// An entry and what belongs to it, as read or made by whoever appends it, so that views need not read them out of the
/// leaf and the payload once more. They say exactly what those say: views are also made from the log alone, and must come
/// out the same.
#[derive(Clone, Copy, Debug)]
pub struct DecodedEntry<'a> {
    /// What the leaf says.
    pub entry: &'a Entry,
    /// On `DispatchReceived`, what the sender's leaf in it says.
    pub sender: Option<&'a Entry>,
    /// What the payload beside the entry says.
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
