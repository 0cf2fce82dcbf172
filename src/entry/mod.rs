//! Log entries and dispatches: their bytes as written, and their meaning.
//!
//! A leaf is encoded once, by [`Entry::encode`], and never again: readers keep its bytes. Reading is strict:
//! [`Entry::decode`] returns every field in its domain type, or the field that is wrong.
//!
//! Begin with `model.rs` for what an entry says, and `dispatch.rs` for what leaves a node; `codec.rs` has the bytes.

#[doc(hidden)]
pub mod bounds;
mod checkpoint;
mod codec;
mod decoded;
mod dispatch;
mod model;
mod partners;
mod payload;
pub mod pb;
mod wire;

pub use checkpoint::{checkpoint_from_bytes, checkpoint_to_bytes};
pub use decoded::DecodedEntry;
pub use dispatch::{DISPATCH_LEAF_LIMIT, DispatchAction, DispatchSent, Refusal, Terms};
pub use model::{
    CONSULTED_LIMIT, Cause, Consultation, Entry, Kind, LEAF_LIMIT, PartnerProof, Received, VERSION,
};
pub use partners::{AbandonedLog, PartnerChange};
pub use payload::{Content, LeadAnswer, Note, Plaintext, RowVisitor, SheetRow};
pub use wire::EntryDefect;
pub(crate) use wire::{
    family_from_wire, family_to_wire, handling_from_wire, handling_to_wire, kind_from_wire,
    kind_to_wire, outcome_from_wire, outcome_to_wire, purpose_from_wire, purpose_to_wire,
    return_reason_from_wire, return_reason_to_wire, state_from_wire, state_to_wire,
    urgency_from_wire, urgency_to_wire,
};
