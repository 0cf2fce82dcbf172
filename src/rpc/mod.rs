//! gRPC: the services of a node, the client of a partner's node, and the conversions between messages and what they mean.
//!
//! Begin at `services.rs`, the list of services, and at one of them, such as `records.rs`. What holds for calls of any
//! transport is in `api/`.

mod answering;
mod audit;
mod caller;
mod carrier;
#[doc(hidden)]
pub mod codec;
mod convert;
mod details;
mod partners;
pub mod pb;
mod push;
mod rate_limit;
mod record_messages;
mod records;
mod refusals;
mod relay;
mod server;
mod services;
mod status;
mod watch;

pub use crate::api::RefusedFor;
pub(crate) use answering::NodeChannel;
#[doc(hidden)]
pub use caller::Grounded;
pub(crate) use carrier::{GrpcCarrier, RevocationLists};
pub use codec::{MAX_MESSAGE, MAX_REQUEST};
pub use convert::WireDefect;
pub(crate) use partners::PartnersChanged;
pub(crate) use server::{Services, router};
pub(crate) use status::retry_after_s;
