//! Generated services of `proto/yichuan/v1`, and their description for gRPC reflection.
#![allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::wildcard_enum_match_arm,
    reason = "generated"
)]

pub use crate::entry::pb::*;

include!(concat!(env!("OUT_DIR"), "/services/yichuan.v1.rs"));
