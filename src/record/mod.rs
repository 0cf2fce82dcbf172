//! Log entries and dispatches: their bytes, as written, and what they mean.

pub mod pb;
