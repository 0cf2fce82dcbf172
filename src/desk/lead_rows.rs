//! Rows of the lead view.

use crate::{
    domain::{
        AssessmentOutcome, DispatchId, Handling, Jurisdiction, LeadAction, LeadProgress, LeadState,
        LeadStep, RecordId, ReturnReason, Side, Timestamp, Urgency,
    },
    exchange::{RowError, Rows},
    log::{Txn, TxnError},
    merkle::Hash,
    seal::PurgeMonth,
    store::tables,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// Actions on one record are bounded; a partner that sends more is refused.
pub(super) const EVENTS_PER_RECORD: usize = 256;

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

/// Domain values as their text.
mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("malformed"))
    }
}

/// Optional domain values as their text.
mod maybe {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(|_| D::Error::custom("malformed")))
            .transpose()
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

/// One action on a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventRow {
    /// Hash of the leaf in its sender's log, hexadecimal.
    pub(super) hash: String,
    pub(super) step: Step,
    /// Which way it went.
    pub(super) direction: Direction,
    pub(super) predecessors: Vec<String>,
    /// Its dispatch.
    #[serde(with = "text")]
    pub(super) dispatch: DispatchId,
    pub(super) purge_month: u32,
    /// When it was written into this log.
    pub(super) time_ms: u64,
    /// Who took it.
    pub(super) principal: String,
    #[serde(with = "maybe")]
    pub(super) outcome: Option<AssessmentOutcome>,
    #[serde(with = "maybe")]
    pub(super) return_reason: Option<ReturnReason>,
    pub(super) receipt: Option<ReceiptRow>,
}

/// The partner's proof for what this node sent, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReceiptRow {
    pub(super) index: u64,
    pub(super) partner_index: u64,
    pub(super) partner_origin: String,
    pub(super) tree_size: u64,
    pub(super) time_ms: u64,
}

/// [`LeadStep`] as it stands in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Lead,
    Sign,
    Assess,
    Return,
}

impl From<LeadStep> for Step {
    fn from(step: LeadStep) -> Self {
        match step {
            LeadStep::Lead => Self::Lead,
            LeadStep::Sign => Self::Sign,
            LeadStep::Assess => Self::Assess,
            LeadStep::Return => Self::Return,
        }
    }
}

impl From<Step> for LeadStep {
    fn from(step: Step) -> Self {
        match step {
            Step::Lead => Self::Lead,
            Step::Sign => Self::Sign,
            Step::Assess => Self::Assess,
            Step::Return => Self::Return,
        }
    }
}

impl EventRow {
    /// The action, for resolving; `lead` is the way that its lead went.
    pub(super) fn action(&self, lead: Direction) -> Result<LeadAction, RowDamaged> {
        Ok(LeadAction {
            hash: hash(&self.hash)?,
            step: self.step.into(),
            by: if self.direction == lead {
                Side::Originator
            } else {
                Side::Recipient
            },
            predecessors: self
                .predecessors
                .iter()
                .map(|h| hash(h))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn month(&self) -> Result<PurgeMonth, RowDamaged> {
        PurgeMonth::new(self.purge_month).ok_or(RowDamaged)
    }
}

fn hash(text: &str) -> Result<[u8; 32], RowDamaged> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| RowDamaged)?;
    Ok(bytes)
}

/// A row of the view cannot be read. Views can be rebuilt from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of the lead view is damaged; rebuild the views from the log")]
pub struct RowDamaged;

/// Reading or writing rows of the view failed.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The store failed.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A row is damaged.
    #[error(transparent)]
    Damaged(#[from] RowDamaged),
}

impl From<TxnError> for RowsError {
    fn from(error: TxnError) -> Self {
        Self::Row(error.into())
    }
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RowDamaged> {
    serde_json::from_slice(bytes).map_err(|_| RowDamaged)
}

pub(super) fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>, RowDamaged> {
    serde_json::to_vec(row).map_err(|_| RowDamaged)
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

/// A lead's actions, in the order of this log.
pub(super) fn events(
    rows: &mut dyn Rows,
    record: RecordId,
) -> Result<Vec<(u64, EventRow)>, RowsError> {
    let from = tables::lead_event(record, 0);
    let to = tables::lead_event(record, u64::MAX);
    let mut events = Vec::new();
    for (key, value) in rows.rows(&from, &to, EVENTS_PER_RECORD)? {
        let index = tables::last_index(&key).ok_or(RowDamaged)?;
        events.push((index, decode(&value)?));
    }
    Ok(events)
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

/// A leaf hash as rows have it.
pub(super) fn hash_text(hash: &Hash) -> String {
    hash.to_string()
}
