//! stub
use super::Authority;
use std::net::IpAddr;
/// stub
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stub")]
pub struct DevOutsideLoopback;
/// stub
pub fn refuse_dev_outside_loopback(_: &Authority, _: IpAddr) -> Result<(), DevOutsideLoopback> {
    Ok(())
}
