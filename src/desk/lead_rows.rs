//! Rows of the lead view.

use super::rows::{RowDamaged, RowsError, decode, encode, maybe, text};
use crate::{
    domain::{
        AssessmentOutcome, Handling, Jurisdiction, LeadProgress, LeadState, LeadStep, RecordId,
        ReturnReason, Timestamp, Urgency,
    },
    exchange::Rows,
    log::Txn,
    store::tables,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Which way a record went, seen from this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From this node to a partner.
    Sent,
    /// From a partner to this node.
    Received,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sent, Self::Received];

    pub(super) const fn key(self) -> u8 {
        match self {
            Self::Sent => 0,
            Self::Received => 1,
        }
    }
}

pub(super) const fn state_key(state: LeadState) -> u8 {
    match state {
        LeadState::Sent => 0,
        LeadState::Delivered => 1,
        LeadState::SignedFor => 2,
        LeadState::Assessed => 3,
        LeadState::Returned => 4,
        LeadState::Refused => 5,
    }
}

/// Where a lead stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadRow {
    /// Which way it went.
    pub direction: Direction,
    /// Where it is from.
    #[serde(with = "text")]
    pub from: Jurisdiction,
    /// Whose node it went to.
    #[serde(with = "text")]
    pub to: Jurisdiction,
    /// The index in this log of the entry that opened it.
    pub index: u64,
    /// When that entry was written, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// How urgent.
    #[serde(with = "text")]
    pub urgency: Urgency,
    /// How to be handled.
    #[serde(with = "text")]
    pub handling: Handling,
    /// When it is purged, `year * 100 + month`.
    pub purge_month: u32,
    /// Seconds from receipt within which the recipient signs.
    pub sign_within_s: u32,
    /// When the recipient received it, by its clock; milliseconds since 1970-01-01 UTC.
    pub received_ms: Option<u64>,
    /// Why the recipient's node refused it.
    pub refusal: Option<String>,
    /// Where it stands.
    #[serde(with = "text")]
    pub state: LeadState,
    /// What the last assessment found.
    #[serde(with = "maybe")]
    pub outcome: Option<AssessmentOutcome>,
    /// Why it was returned.
    #[serde(with = "maybe")]
    pub return_reason: Option<ReturnReason>,
}

impl LeadRow {
    /// By when the recipient signs for it, where it has received it and not yet done anything.
    pub fn sign_by(&self) -> Option<Timestamp> {
        let open = matches!(self.state, LeadState::Sent | LeadState::Delivered);
        self.received_ms.filter(|_| open).map(|received| {
            Timestamp::from_millis(received).plus_seconds(u64::from(self.sign_within_s))
        })
    }

    /// The state that follows from how far the recipient got.
    pub(super) fn state_after(&self, progress: LeadProgress) -> LeadState {
        match progress {
            LeadProgress::SignedFor => LeadState::SignedFor,
            LeadProgress::Assessed => LeadState::Assessed,
            LeadProgress::Returned => LeadState::Returned,
            LeadProgress::Unsent | LeadProgress::Open => {
                if self.refusal.is_some() {
                    LeadState::Refused
                } else if self.received_ms.is_some() {
                    LeadState::Delivered
                } else {
                    LeadState::Sent
                }
            }
        }
    }
}

/// A lead's row.
pub(super) fn lead(rows: &mut dyn Rows, record: RecordId) -> Result<Option<LeadRow>, RowsError> {
    let row = rows.row(&tables::lead(record))?;
    Ok(row.map(|bytes| decode(&bytes)).transpose()?)
}

/// Puts a lead's row, and moves it among those of its direction and state.
pub(super) fn put_lead(
    txn: &mut Txn<'_>,
    record: RecordId,
    before: Option<&LeadRow>,
    row: &LeadRow,
) -> Result<(), RowsError> {
    let place =
        |row: &LeadRow| tables::lead_by_state(row.direction.key(), state_key(row.state), row.index);
    if let Some(before) = before
        && place(before) != place(row)
    {
        txn.delete(place(before))?;
    }
    txn.put(place(row), record.as_bytes().to_vec())?;
    txn.put(tables::lead(record), encode(row)?)?;
    Ok(())
}

/// The row of a lead number: which record has it, and with what content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberRow {
    pub(super) record: RecordId,
    pub(super) content: [u8; 32],
    pub(super) index: u64,
}

impl NumberRow {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.record.as_bytes().to_vec();
        bytes.extend_from_slice(&self.content);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RowDamaged> {
        let (record, rest) = bytes.split_first_chunk::<16>().ok_or(RowDamaged)?;
        let (content, index) = rest.split_first_chunk::<32>().ok_or(RowDamaged)?;
        let index = index.try_into().map_err(|_| RowDamaged)?;
        Ok(Self {
            record: RecordId::from(*record),
            content: *content,
            index: u64::from_be_bytes(index),
        })
    }
}

/// The steps named, for errors.
pub(super) fn step_names(steps: &[LeadStep]) -> String {
    let names: BTreeSet<&str> = steps
        .iter()
        .map(|step| match step {
            LeadStep::Lead => "lead",
            LeadStep::Sign => "sign",
            LeadStep::Assess => "assess",
            LeadStep::Return => "return",
        })
        .collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}
