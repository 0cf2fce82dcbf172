//! Checkpoints inside entries, as the parts of a signed note.

use super::{EntryDefect, bounds, pb, wire};
use crate::note::{Checkpoint, SignedCheckpoint};
use prost::Message as _;

/// A signed checkpoint's parts as bytes, for a row of its own.
pub fn checkpoint_to_bytes(signed: &SignedCheckpoint) -> Vec<u8> {
    let checkpoint = signed.checkpoint();
    pb::Checkpoint {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.as_bytes().to_vec().into(),
        signature: signed.signature().to_vec().into(),
    }
    .encode_to_vec()
}

/// Reads what [`checkpoint_to_bytes`] wrote. The signature is not verified here.
///
/// # Errors
/// A part is missing or malformed.
pub fn checkpoint_from_bytes(bytes: &[u8]) -> Result<(Checkpoint, [u8; 64]), EntryDefect> {
    let wire = bounds::decode::<pb::Checkpoint>(bytes)?;
    parts(wire, "checkpoint")
}

/// Assembles a checkpoint and its signature from its parts. `field` names it in errors.
///
/// # Errors
/// A part is missing or malformed.
pub(super) fn parts(
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
