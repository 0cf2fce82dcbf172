//! Rows of the referral view.

use super::{
    Direction,
    rows::{RowsError, decode, encode, maybe, text},
};
use crate::{
    domain::{
        Deadline, Facts, Handling, Jurisdiction, RecordId, ReferralKind, ReferralProgress,
        ReturnReason, Side, Start, Timestamp, Urgency,
    },
    exchange::Rows,
    log::Txn,
    store::tables,
};
use serde::{Deserialize, Serialize};

/// Where a referral stands, as one of the two nodes sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferralState {
    /// It is in the originator's log, and the recipient's proof is not.
    Sent,
    /// The recipient's node refused it, with proof.
    Refused,
    /// Everything else is as the steps have it; `sent` here means delivered.
    At(ReferralProgress),
}

impl ReferralState {
    /// All that a referral can have.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Sent, Self::Refused]
            .into_iter()
            .chain(ReferralProgress::ALL.iter().copied().map(Self::At))
    }

    /// The stable key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::At(ReferralProgress::Sent) => "delivered",
            Self::At(progress) => progress.as_str(),
        }
    }

    pub(super) fn key(self) -> u8 {
        let place = Self::all().position(|state| state == self);
        place
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or(u8::MAX)
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

/// Where a referral stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferralRow {
    /// Which way it went.
    pub direction: Direction,
    /// What it asks for.
    #[serde(with = "text")]
    pub kind: ReferralKind,
    /// Where it is from.
    #[serde(with = "text")]
    pub from: Jurisdiction,
    /// Whose node it went to.
    #[serde(with = "text")]
    pub to: Jurisdiction,
    /// The index in this log of the entry that opened it, or drafted it.
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
    /// How far it got.
    #[serde(with = "text")]
    pub progress: ReferralProgress,
    /// When the progress was reached, by the clock of whoever must act next: when its own log had the step.
    pub since_ms: u64,
    /// The dispatch that is on its way now: what opened it, or the last resubmission. Its index in this log.
    pub sent_index: u64,
    /// When the recipient received that, by its clock.
    pub received_ms: Option<u64>,
    /// Why the recipient's node refused it.
    pub refusal: Option<String>,
    /// Why it was returned, while it is.
    #[serde(with = "maybe")]
    pub return_reason: Option<ReturnReason>,
    /// Where what it says now is: index in this log of the entry whose payload has it.
    pub says_index: u64,
    pub(super) draft: Option<DraftRow>,
}

impl ReferralRow {
    /// Where it stands.
    pub fn state(&self) -> ReferralState {
        match (self.progress, &self.refusal, self.received_ms) {
            (ReferralProgress::Sent, Some(_), _) => ReferralState::Refused,
            (ReferralProgress::Sent, None, None) => ReferralState::Sent,
            (progress, ..) => ReferralState::At(progress),
        }
    }

    /// This node's side of it.
    pub const fn own_side(&self) -> Side {
        match self.direction {
            Direction::Sent => Side::Originator,
            Direction::Received => Side::Recipient,
        }
    }

    /// Whose turn it is, where the recipient has it and somebody is waited for.
    pub(super) fn turn(&self) -> Option<Side> {
        use ReferralProgress as P;
        match self.state() {
            ReferralState::At(P::Sent | P::SignedFor | P::Accepted | P::InProgress) => {
                Some(Side::Recipient)
            }
            ReferralState::At(P::SupplementRequested) => Some(Side::Originator),
            ReferralState::Sent
            | ReferralState::Refused
            | ReferralState::At(
                P::Drafted
                | P::Approved
                | P::Returned
                | P::Forwarded
                | P::FeedbackGiven
                | P::Confirmed
                | P::Disputed
                | P::Closed
                | P::Recalled,
            ) => None,
        }
    }

    /// By when the originator, which sent a transfer then, tells whoever reported the case. The exchange is not told that
    /// it did, so that this is no part of [`due`](Self::due).
    pub(super) fn notice_due(&self, sent: Timestamp) -> Option<Timestamp> {
        let facts = self.facts();
        Deadline::starting(Start::Sent, facts)
            .find(|_| self.progress != ReferralProgress::Recalled)
            .map(|deadline| deadline.due(sent))
    }

    const fn facts(&self) -> Facts {
        Facts {
            matter: self.kind.matter(),
            urgency: self.urgency,
            // No referral says yet that it asks for one.
            check: None,
        }
    }

    /// What is due next on the way of the referral, and who must act; by the table of deadlines.
    pub fn due(&self) -> Option<(Timestamp, Side)> {
        let started = match (self.state(), self.received_ms) {
            (ReferralState::At(ReferralProgress::Sent), Some(received)) => {
                Some((Start::Received, received))
            }
            (ReferralState::At(ReferralProgress::SignedFor), _) => {
                Some((Start::SignedFor, self.since_ms))
            }
            (ReferralState::At(ReferralProgress::SupplementRequested), _) => {
                Some((Start::SupplementRequested, self.since_ms))
            }
            (ReferralState::At(ReferralProgress::Accepted | ReferralProgress::InProgress), _) => {
                Some((Start::Accepted, self.since_ms))
            }
            _ => None,
        };
        let (start, since) = started?;
        Deadline::starting(start, self.facts())
            .map(|deadline| {
                (
                    deadline.due(Timestamp::from_millis(since)),
                    deadline.rule().obliged,
                )
            })
            .min_by_key(|(due, _)| *due)
    }

    /// The jurisdiction on that side.
    pub const fn party(&self, side: Side) -> Jurisdiction {
        match side {
            Side::Originator => self.from,
            Side::Recipient => self.to,
        }
    }
}

/// A referral's row.
pub(super) fn referral(
    rows: &mut dyn Rows,
    record: RecordId,
) -> Result<Option<ReferralRow>, RowsError> {
    let row = rows.row(&tables::referral(record))?;
    Ok(row.map(|bytes| decode(&bytes)).transpose()?)
}

/// Puts a referral's row, moves it among those of its direction and state, and notes that entry `change` changed it.
pub(super) fn put_referral(
    txn: &mut Txn<'_>,
    record: RecordId,
    before: Option<&ReferralRow>,
    row: &ReferralRow,
    change: u64,
) -> Result<(), RowsError> {
    let place = |row: &ReferralRow| {
        tables::referral_by_state(row.direction.key(), row.state().key(), row.index)
    };
    if let Some(before) = before
        && place(before) != place(row)
    {
        txn.delete(place(before))?;
    }
    txn.put(place(row), record.as_bytes().to_vec())?;
    txn.put(tables::referral(record), encode(row)?)?;
    txn.put(tables::referral_change(change), record.as_bytes().to_vec())?;
    Ok(())
}
