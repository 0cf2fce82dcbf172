//! The exchange between nodes: dispatches leave through the outbox, arrive at the inbox, and are answered with proof.
//! Independent of transport: `rpc/` carries the messages.
//!
//! Begin with `verify.rs`, which decides what a node believes of what a partner sends. On the sending side a dispatch
//! goes through `outbox.rs`, `build_delivery.rs` and `courier.rs`, and its answer through `log_answers.rs`; on the
//! receiving side it goes through `receive_delivery.rs`, `accept.rs` and `answer_delivery.rs`. `witness.rs` and
//! `chain.rs` remember partners' trees, and `own_log.rs` what partners hold of ours.

mod accept;
mod admission;
mod answer_delivery;
mod build_delivery;
mod chain;
mod courier;
mod deferral;
mod disclosed_trees;
mod draft;
mod evidence;
mod inbound_session;
mod inbox;
mod log_answers;
mod messages;
mod outbound_session;
mod outbox;
mod own_log;
mod partner;
mod receive_delivery;
mod row_audit;
mod rows;
mod skew;
mod vault;
mod verify;
mod witness;

pub use admission::Admission;
pub use answer_delivery::{Answering, PendingAnswers};
pub use chain::Lane;
pub use courier::{
    Carrier, CarrierError, CarrierFuture, Courier, CourierOptions, LinkState, Opened,
};
pub use deferral::{NotYet, Unfit};
pub use disclosed_trees::DisclosedTrees;
pub use draft::{Draft, StageError, Staged};
pub use inbound_session::{InboundSession, SessionFault};
pub use inbox::{Inbox, InboxParts};
pub use log_answers::AnswerVerifier;
pub use messages::{
    Answer, AnswerProof, Answers, BYTES_PER_DELIVERY, CRL_LIMIT, DISPATCHES_PER_DELIVERY,
    DeliveredDispatch, Delivery, Greeting, LINKS_LIMIT, Link, PROTOCOL, Tree, WITNESSED_LIMIT,
};
pub use outbound_session::OutboundSession;
pub use outbox::{Outbox, OutboxError};
pub use own_log::OwnLog;
pub use partner::{CutOff, Directory, Partner, Partners};
pub use row_audit::{RowAudit, RowReport};
pub(crate) use rows::DispatchRow;
pub use rows::{RowError, Rows};
pub use skew::{ClockSkews, OwnClock, SKEW_ABSURD_S, SKEW_TOLERATED_S};
pub use vault::{Payload, Vault, VaultError, month_without_keys};
pub use verify::{Proved, TreeFault, VerifiedDispatch, verify_dispatch, verify_links, verify_tree};
pub use witness::{Opening, Witness, WitnessError, Witnessed};
