//! The shapes that JSON shows, whoever prints them: a command with `--format json`, or a console. What an audit comes to has
//! its shape where it is computed, in `audit/`; only what is said around it stands here.

mod audit;
mod partner;

pub(crate) use audit::{Exported, Inspected, ProvedInto};
pub(crate) use partner::{Card, Partner, PartnerChanged};
