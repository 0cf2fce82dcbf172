//! The exchange between nodes: dispatches leave through the outbox, arrive at the inbox, and are answered with proof.
//! Independent of transport: `rpc/` carries the messages.
//!
//! Begin with `verify.rs`, which decides what a node believes of what a partner sends. On the sending side a dispatch
//! goes through `outbox.rs`, `build_delivery.rs`, `courier.rs` and `log_answers.rs`; on the receiving side through
//! `inbox.rs` and `accept.rs`. `witness.rs` and `chain.rs` remember partners' trees, and `own_log.rs` what partners
//! hold of ours.

mod accept;
mod build_delivery;
mod chain;
mod courier;
mod deferral;
mod disclosed_trees;
mod evidence;
mod inbox;
mod log_answers;
mod messages;
mod outbox;
mod own_log;
mod partner;
mod row_audit;
mod rows;
mod skew;
mod vault;
mod verify;
mod witness;

pub use chain::Lane;
pub use courier::{
    Carrier, CarrierError, CarrierFuture, Courier, CourierOptions, LinkState, Opened,
};
pub use deferral::{NotYet, Unfit};
pub use disclosed_trees::DisclosedTrees;
pub use inbox::{
    Admission, Answering, InboundSession, Inbox, InboxParts, PendingAnswers, SessionFault,
};
pub use log_answers::AnswerVerifier;
pub use messages::{
    Answer, AnswerProof, Answers, BYTES_PER_DELIVERY, CRL_LIMIT, DISPATCHES_PER_DELIVERY,
    DeliveredDispatch, Delivery, Greeting, LINKS_LIMIT, Link, PROTOCOL, Tree, WITNESSED_LIMIT,
};
pub use outbox::{Draft, OutboundSession, Outbox, OutboxError, StageError, Staged};
pub use own_log::OwnLog;
pub use partner::{CutOff, Directory, Partner, Partners};
pub use row_audit::{RowAudit, RowReport};
pub(crate) use rows::DispatchRow;
pub use rows::{RowError, Rows};
pub use skew::{ClockSkews, OwnClock, SKEW_ABSURD_S, SKEW_TOLERATED_S};
pub use vault::{Payload, Vault, VaultError, month_without_keys};
pub use verify::{Proved, TreeFault, VerifiedDispatch, verify_dispatch, verify_links, verify_tree};
pub use witness::{Opening, Witness, WitnessError, Witnessed};
