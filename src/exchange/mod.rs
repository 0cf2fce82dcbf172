//! Outbox and inbox: deliveries, receipts, witnessing. Free of transport: `rpc/` carries the messages.

mod chain;
mod courier;
mod evidence;
mod gather;
mod inbox;
mod keep;
mod messages;
mod outbox;
mod own;
mod partner;
mod passing;
mod rows;
mod settle;
mod shown;
mod skew;
mod survey;
mod vault;
mod verify;
mod witness;

pub use chain::Lane;
pub use courier::{
    Carrier, CarrierError, CarrierFuture, Courier, CourierOptions, LinkState, Opened,
};
pub use inbox::{
    Admission, Answering, InboundSession, Inbox, InboxParts, PendingAnswers, SessionFault,
};
pub use messages::{
    Answer, AnswerProof, Answers, BYTES_PER_DELIVERY, CRL_LIMIT, DISPATCHES_PER_DELIVERY,
    DeliveredDispatch, Delivery, Greeting, LINKS_LIMIT, Link, PROTOCOL, Tree, WITNESSED_LIMIT,
};
pub use outbox::{Draft, OutboundSession, Outbox, OutboxError, StageError, Staged};
pub use own::OwnLog;
pub use partner::{CutOff, Directory, Partner, Partners};
pub use passing::{NotYet, Unfit};
pub(crate) use rows::DispatchRow;
pub use rows::{RowError, Rows};
pub use settle::Settling;
pub use shown::Shown;
pub use skew::{OwnClock, SKEW_ABSURD_S, SKEW_TOLERATED_S, Skews};
pub use survey::{RowReport, RowSurvey};
pub use vault::{Payload, Vault, VaultError, month_without_keys};
pub use verify::{Proved, TreeFault, VerifiedDispatch, verify_dispatch, verify_links, verify_tree};
pub use witness::{Opening, Witness, WitnessError, Witnessed};
