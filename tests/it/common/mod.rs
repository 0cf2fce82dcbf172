//! What several modules of tests share.

pub(crate) mod counted;
pub(crate) mod der;
pub(crate) mod heard;
pub(crate) mod leads;
pub(crate) mod oracle;
pub(crate) mod processes;
pub(crate) mod two_logs;
pub(crate) mod world;
