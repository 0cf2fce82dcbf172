//! Where the story takes place, and the case that it is about.

/// The county that pushes leads.
pub(super) const COUNTY: &str = "520624";
/// The province that signs for one of them, and later takes the case.
pub(super) const GUANGDONG: &str = "440000";
/// The other province.
pub(super) const ZHEJIANG: &str = "330000";
/// The county's own case.
pub(super) const CASE: &str = "A5206240000002026110001";
