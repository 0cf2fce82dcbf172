//! Who calls, why, and what they may do.
