//! Generated messages of `proto/yichuan/v1`. Only `entry/` and `rpc/` use them.
#![allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::wildcard_enum_match_arm,
    reason = "generated"
)]

include!(concat!(env!("OUT_DIR"), "/messages/yichuan.v1.rs"));

/// The encoded `FileDescriptorSet` of every proto file.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
