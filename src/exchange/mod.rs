//! The exchange between nodes: dispatches leave through the outbox, arrive at the inbox, and are answered with proof.
//! Independent of transport: `rpc/` carries the messages.
//!
//! Begin with `verify.rs`, which decides what a node believes of what a partner sends. On the sending side a dispatch
//! goes through `outbox.rs`, `build_delivery.rs` and `courier.rs`, and its answer through `receipts.rs`; on the
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
mod messages;
mod outbound_session;
mod outbox;
mod own_log;
mod partner;
mod receipts;
mod receive_delivery;
mod row_audit;
mod rows;
mod skew;
mod vault;
mod verify;
mod witness;

pub(crate) use admission::Admission;
pub(crate) use answer_delivery::{Answering, PendingAnswers};
pub use chain::Lane;
pub(crate) use courier::{Carrier, CarrierError, CarrierFuture, Courier, Opened};
pub use courier::{CourierOptions, LinkState};
pub use deferral::{NotYet, Unfit};
pub(crate) use disclosed_trees::DisclosedTrees;
pub use draft::{Draft, StageError, Staged};
pub(crate) use inbound_session::{InboundSession, SessionFault};
pub(crate) use inbox::{Inbox, InboxParts};
pub use messages::{
    Answer, AnswerProof, Answers, CRL_LIMIT, DeliveredDispatch, Delivery, Greeting, Link, Tree,
    WITNESSED_LIMIT,
};
pub(crate) use messages::{BYTES_PER_DELIVERY, DISPATCHES_PER_DELIVERY, LINKS_LIMIT, PROTOCOL};
pub use outbox::{Outbox, OutboxError};
pub(crate) use own_log::OwnLog;
pub(crate) use partner::CutOff;
pub use partner::{Directory, Partner, Partners};
pub use receipts::AnswerVerifier;
pub(crate) use row_audit::{RowAudit, RowReport};
pub(crate) use rows::DispatchRow;
pub use rows::{RowError, Rows};
pub(crate) use skew::{ClockSkews, SKEW_ABSURD_S, SKEW_TOLERATED_S};
pub(crate) use vault::month_without_keys;
pub use vault::{Payload, Vault, VaultError};
pub use verify::{Proved, TreeFault, VerifiedDispatch, verify_dispatch, verify_links, verify_tree};
pub use witness::{Opening, Witness, WitnessError, Witnessed};
