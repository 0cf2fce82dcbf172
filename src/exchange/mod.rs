//! Outbox and inbox: deliveries, receipts, witnessing. Free of transport: `rpc/` carries the messages.

mod courier;
mod gather;
mod inbox;
mod keep;
mod messages;
mod outbox;
mod partner;
mod rows;
mod settle;
mod skew;
mod survey;
mod vault;
mod verify;
mod witness;

pub use courier::{
    Carrier, CarrierError, CarrierFuture, Courier, CourierOptions, LinkState, Opened,
};
pub use inbox::{Admission, InboundSession, Inbox, InboxParts, PendingAnswers, SessionFault};
pub use messages::{
    AnswerProof, Answers, BYTES_PER_DELIVERY, CRL_LIMIT, DISPATCHES_PER_DELIVERY,
    DeliveredDispatch, Delivery, Greeting, PROTOCOL, Tree, WITNESSED_LIMIT,
};
pub(crate) use outbox::DispatchRow;
pub use outbox::{Draft, OutboundSession, Outbox, OutboxError, StageError, Staged};
pub use partner::{Directory, Partner, Partners};
pub use rows::{RowError, Rows};
pub use settle::Settling;
pub use skew::{SKEW_ABSURD_S, SKEW_TOLERATED_S, Skews};
pub use survey::{RowReport, RowSurvey};
pub use vault::{Payload, Vault, VaultError, month_without_keys};
pub use verify::{Proved, TreeFault, VerifiedDispatch, verify_dispatch, verify_tree};
pub use witness::{Witness, WitnessError, Witnessed};
