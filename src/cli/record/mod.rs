//! What the commands do with records, written once for all kinds: list, show, act, assign, and push from a sheet.
//!
//! The verbs that people type are in `lead`, `referral` and `caught` beside this. Begin with [`family`] for what a family is
//! called, [`told`] for what lists and opened records show of it, and [`client`] for the calls to the node, the only
//! place that knows the messages of a kind.

pub(super) mod act;
pub(super) mod assign;
pub(super) mod client;
pub(super) mod family;
pub(super) mod list;
pub(super) mod row;
pub(super) mod sheet;
pub(super) mod show;
mod told;
pub(super) mod watch;
