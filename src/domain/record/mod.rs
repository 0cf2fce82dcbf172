//! What a record is, what may be done with it, and what becomes of it where two nodes act at once. Begin with [`RecordKind`],
//! whose [`Spec`] holds all that differs from kind to kind; then [`resolve`].
//!
//! Drafting and approving come before what two nodes share and stay at the originator's node. Whether a record that was sent
//! has been delivered is told by the receipt, not by an action.

mod action;
mod deadline;
mod history;
mod kind;
mod state;
mod table;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod lead_tests;
#[cfg(test)]
mod world;

pub use action::Action;
pub use deadline::{Area, Deadline, DeadlineRule, Facts, Span, Start, sign_within_seconds};
pub use history::{ActionHash, Event, PREDECESSOR_LIMIT, Resolution, Standing, resolve};
pub use kind::{Family, RecordKind, Spec};
pub use state::{NotAllowed, State, Withheld};
pub use table::{Rank, Side, Transition};
