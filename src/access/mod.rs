//! Who calls, why, and what they may do.

mod principal;

pub use principal::{MalformedPrincipal, Principal, Role};
