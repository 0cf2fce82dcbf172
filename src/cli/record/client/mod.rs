//! Calls to a node about records of any kind.

pub(in crate::cli) mod arrest_notice;
pub(in crate::cli) mod lead;
pub(in crate::cli) mod referral;
pub(in crate::cli) mod wire;

use super::{
    kind::Kind,
    row::{Opened, Page, Query},
};
use crate::{
    cli::{args::LookArgs, client::Connection, exit::Failure},
    domain::RecordId,
};

/// One page of records without what they say.
pub(super) async fn list(kind: Kind, node: &Connection, query: Query) -> Result<Page, Failure> {
    match kind {
        Kind::Lead => lead::list(node, query).await,
        Kind::Referral => referral::list(node, query).await,
        Kind::ArrestNotice => arrest_notice::list(node, query).await,
    }
}

/// Opens a record. What it says is there, unless only the standing was asked for.
pub(super) async fn show(
    kind: Kind,
    node: &Connection,
    record: RecordId,
    look: LookArgs,
) -> Result<Opened, Failure> {
    let opened = match kind {
        Kind::Lead => lead::show(node, record, look).await?,
        Kind::Referral => referral::show(node, record, look).await?,
        Kind::ArrestNotice => arrest_notice::show(node, record, look).await?,
    };
    opened
        .filter(|opened| opened.content.is_some() || look.standing)
        .ok_or_else(|| node.nonsense(&format!("a {} without its content", kind.one())))
}
