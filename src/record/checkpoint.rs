//! Checkpoints inside entries: the parts of a signed note.

use super::{EntryDefect, pb, wire};
use crate::note::{Checkpoint, SignedCheckpoint};

/// A checkpoint's parts, to be put in an entry.
pub fn checkpoint_of(signed: &SignedCheckpoint) -> pb::Checkpoint {
    let checkpoint = signed.checkpoint();
    pb::Checkpoint {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.as_bytes().to_vec().into(),
        signature: signed.signature().to_vec().into(),
    }
}

/// A checkpoint and its signature out of its parts. `field` names it in errors.
///
/// # Errors
/// A part is missing or malformed.
pub fn parts(
    wire: pb::Checkpoint,
    field: &'static str,
) -> Result<(Checkpoint, [u8; 64]), EntryDefect> {
    if wire.origin.is_empty() || wire.origin.len() > 64 {
        return Err(EntryDefect::Malformed(field));
    }
    let root = wire::hash(&wire.root, field)?;
    let signature = wire::array(&wire.signature, field)?;
    Ok((
        Checkpoint {
            origin: wire.origin,
            size: wire.size,
            root,
        },
        signature,
    ))
}
