//! Rows of records: where each stands, found by its id, by its state, by its number, and by what it says.

use super::row_codec::{RowDamaged, RowsError, decode, encode, maybe, text};
use crate::{
    domain::{
        AssessmentOutcome, Deadline, Facts, Family, Handling, Jurisdiction, RecordId, RecordKind,
        ReturnReason, Side, Start, State, Timestamp, Urgency,
    },
    exchange::Rows,
    log::Txn,
    store::tables,
};
use serde::{Deserialize, Serialize};

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

/// A transfer that waits for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DraftRow {
    /// Hash of the draft's leaf, hexadecimal.
    pub(super) hash: String,
    /// Who drafted it.
    pub(super) principal: String,
}

/// Where a record stands. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    /// What it is.
    #[serde(with = "text")]
    pub kind: RecordKind,
    /// Which way it went.
    pub direction: Direction,
    /// Where it is from.
    #[serde(with = "text")]
    pub from: Jurisdiction,
    /// Whose node it went to.
    #[serde(with = "text")]
    pub to: Jurisdiction,
    /// The index in this log of the entry that opened it, or drafted it.
    pub index: u64,
    /// When that entry was written.
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
    /// Where its kind's table has it: `sent`, delivered or not.
    #[serde(with = "text")]
    pub(super) progress: State,
    /// When that was reached, by the clock of whoever must act next: when its own log had the action.
    pub(super) since_ms: u64,
    /// The dispatch that is on its way now: what opened it, or the last resubmission. Its index in this log.
    pub(super) sent_index: u64,
    /// When the recipient received that, by its clock.
    pub(super) received_ms: Option<u64>,
    /// Why the recipient's node refused it.
    pub refusal: Option<String>,
    /// What the last assessment found.
    #[serde(with = "maybe", default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AssessmentOutcome>,
    /// Why it was returned, while it is.
    #[serde(with = "maybe", default, skip_serializing_if = "Option::is_none")]
    pub return_reason: Option<ReturnReason>,
    /// Where what it says now is: index in this log of the entry whose payload has it.
    pub(super) says_index: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) draft: Option<DraftRow>,
}

impl RecordRow {
    /// Where it stands, as this node sees it.
    pub fn state(&self) -> State {
        match (self.progress, &self.refusal, self.received_ms) {
            (State::Sent, Some(_), _) => State::Refused,
            (State::Sent, None, Some(_)) => State::Delivered,
            (progress, ..) => progress,
        }
    }

    /// This node's side of it.
    pub const fn own_side(&self) -> Side {
        match self.direction {
            Direction::Sent => Side::Originator,
            Direction::Received => Side::Recipient,
        }
    }

    /// The jurisdiction on that side.
    pub const fn party(&self, side: Side) -> Jurisdiction {
        match side {
            Side::Originator => self.from,
            Side::Recipient => self.to,
        }
    }

    /// True where these two are its parties, whichever way it went.
    pub(super) fn is_between(&self, parties: [Jurisdiction; 2]) -> bool {
        parties.contains(&self.from) && parties.contains(&self.to)
    }

    /// Whose turn it is, where the recipient has it and somebody is waited for.
    pub(super) fn turn(&self) -> Option<Side> {
        match self.state() {
            State::Delivered | State::SignedFor | State::Accepted | State::InProgress => {
                Some(Side::Recipient)
            }
            State::SupplementRequested => Some(Side::Originator),
            State::Drafted
            | State::Approved
            | State::Sent
            | State::Refused
            | State::Assessed
            | State::Returned
            | State::Forwarded
            | State::FeedbackGiven
            | State::Confirmed
            | State::Disputed
            | State::Closed
            | State::Recalled => None,
        }
    }

    const fn facts(&self) -> Facts {
        Facts {
            kind: self.kind,
            urgency: self.urgency,
            // No referral says yet that it asks for one.
            check: None,
        }
    }

    /// By when the recipient signs for it, where it has received it and not yet done anything.
    pub fn sign_by(&self) -> Option<Timestamp> {
        let received = self.received_ms.filter(|_| self.progress == State::Sent);
        received.map(|received| {
            Timestamp::from_millis(received).plus_seconds(u64::from(self.sign_within_s))
        })
    }

    /// By when the originator, which sent a transfer then, tells whoever reported the case. The exchange is not told that
    /// it did, so that this is no part of [`due`](Self::due).
    pub(super) fn notice_due(&self, sent: Timestamp) -> Option<Timestamp> {
        Deadline::starting(Start::Sent, self.facts())
            .find(|_| self.progress != State::Recalled)
            .map(|deadline| deadline.due(sent))
    }

    /// What is due next on its way, and who must act; by the table of deadlines.
    pub fn due(&self) -> Option<(Timestamp, Side)> {
        let (start, since) = match (self.state(), self.received_ms) {
            (State::Delivered, Some(received)) => (Start::Received, received),
            (State::SignedFor, _) => (Start::SignedFor, self.since_ms),
            (State::SupplementRequested, _) => (Start::SupplementRequested, self.since_ms),
            (State::Accepted | State::InProgress, _) => (Start::Accepted, self.since_ms),
            _ => return None,
        };
        let since = Timestamp::from_millis(since);
        Deadline::starting(start, self.facts())
            .map(|deadline| (deadline.due(since), deadline.rule().obliged))
            .min_by_key(|(due, _)| *due)
    }

    /// Takes out what comes from a payload.
    pub(super) fn withhold(&mut self) {
        self.outcome = None;
    }

    fn place(&self) -> [u8; 12] {
        by_state(self.kind.family(), self.direction, self.state(), self.index)
    }
}

/// The key of a record among those of its family, direction and state. What is on disk follows the order of the lists, so
/// that a change of them asks for another [`LAYOUT`](super::views::LAYOUT).
pub(super) fn by_state(family: Family, direction: Direction, state: State, index: u64) -> [u8; 12] {
    tables::record_by_state(family as u8, direction.key(), state as u8, index)
}

/// A record's row.
pub(super) fn record(rows: &mut dyn Rows, id: RecordId) -> Result<Option<RecordRow>, RowsError> {
    let row = rows.row(&tables::record(id))?;
    Ok(row.map(|bytes| decode(&bytes)).transpose()?)
}

/// A record's row, where it is of this family.
pub(super) fn record_of(
    rows: &mut dyn Rows,
    family: Family,
    id: RecordId,
) -> Result<Option<RecordRow>, RowsError> {
    Ok(record(rows, id)?.filter(|row| row.kind.family() == family))
}

/// Puts a record's row, moves it among those of its direction and state, and notes that entry `change` changed it, where
/// records of its kind are followed.
pub(super) fn put_record(
    txn: &mut Txn<'_>,
    id: RecordId,
    before: Option<&RecordRow>,
    row: &RecordRow,
    change: u64,
) -> Result<(), RowsError> {
    let place = row.place();
    if let Some(before) = before.map(RecordRow::place)
        && before != place
    {
        txn.delete(before)?;
    }
    txn.put(place, id.as_bytes().to_vec())?;
    txn.put(tables::record(id), encode(row)?)?;
    if row.kind.spec().followed {
        txn.put(tables::record_change(change), id.as_bytes().to_vec())?;
    }
    Ok(())
}

/// The row of a number that a sheet gave: which record has it, and with what content.
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
