//! gRPC: conversions between messages and what they mean, thin handlers, and the client of a peer.

pub mod pb;
