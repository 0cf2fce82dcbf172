//! `yichuan demo`: a county's leads arrive at two provinces, are signed for and read there, and are proved by an
//! auditor who trusts no node.

pub mod cluster;
