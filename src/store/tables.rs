//! Keys of the services' rows, beside the log's own in [`super::keys`].
//!
//! | prefix | family | key after the prefix | value |
//! |---|---|---|---|
//! | `0x10` | payload | log index `u64`, part `u16` | ciphertext, cut up by [`super::long_values`] |
//! | `0x11` | payload key | purge month `u32`, log index `u64` | the key, wrapped under its bucket's |
//! | `0x12` | dispatch | sending jurisdiction (6), dispatch id (16) | where it is in this log, its leaf hash, its record |
//! | `0x13` | refused dispatch | sending jurisdiction (6), leaf hash (32) | index of the refusal `u64` |
//! | `0x14` | outbox | partner (6), log index `u64` | dispatch id (16) |
//! | `0x15` | witness | partner (6), origin of its log | the newest checkpoint of that log that this node verified; without an origin, from before there was one in the key |
//! | `0x16` | revocation list | partner (6), part `u16` | its newest CRL, DER |
//! | `0x17` | evidence | partner (6), 0 where the two checkpoints have one size or else 1, root of the one that contradicts (32) | index of its entry `u64` |
//! | `0x40` | lead | record id (16) | where the lead stands |
//! | `0x41` | lead by state | direction `u8`, state `u8`, log index `u64` | record id |
//! | `0x42` | record event | record id (16), log index `u64` | one action on a lead or a referral |
//! | `0x43` | subject | purge month `u32`, keyed tag of a number, name, place or substance (16), log index `u64` | record id |
//! | `0x44` | lead number | keyed tag of origin and number (32) | record id, keyed tag of the content, log index |
//! | `0x45` | partner | jurisdiction (6), 0 approved or 1 proposed | the card and who |
//! | `0x46` | policy | | the newest policy |
//! | `0x47` | referral | record id (16) | where the referral stands |
//! | `0x48` | referral by state | direction `u8`, state `u8`, log index `u64` | record id |
//! | `0x49` | referral change | log index `u64` | record id |
//! | `0x50` | caught notice | record id (16) | where the notice stands |
//! | `0x51` | caught notice by state | direction `u8`, state `u8`, log index `u64` | record id |
//! | `0x52` | caught notice's number | keyed tag of sender and number (32) | record id, keyed tag of the content, log index |
//! | `0x53` | assignment | record id (16) | to whom the record is assigned, by whom, log index |

use crate::domain::{DispatchId, Jurisdiction, RecordId};

const PAYLOAD: u8 = 0x10;
const PAYLOAD_KEY: u8 = 0x11;
const DISPATCH: u8 = 0x12;
const REFUSED: u8 = 0x13;
const OUTBOX: u8 = 0x14;
const WITNESS: u8 = 0x15;
const CRL: u8 = 0x16;
const EVIDENCE: u8 = 0x17;
const LEAD: u8 = 0x40;
const LEAD_BY_STATE: u8 = 0x41;
const RECORD_EVENT: u8 = 0x42;
const SUBJECT: u8 = 0x43;
const LEAD_NUMBER: u8 = 0x44;
const PARTNER: u8 = 0x45;
const REFERRAL: u8 = 0x47;
const REFERRAL_BY_STATE: u8 = 0x48;
const REFERRAL_CHANGE: u8 = 0x49;
const CAUGHT: u8 = 0x50;
const CAUGHT_BY_STATE: u8 = 0x51;
const CAUGHT_NUMBER: u8 = 0x52;
const ASSIGNMENT: u8 = 0x53;

/// Whether keys of this family are written in rising order: by log index, or by ids that begin with the time.
pub(super) const fn in_order(prefix: u8) -> bool {
    matches!(
        prefix,
        PAYLOAD
            | PAYLOAD_KEY
            | DISPATCH
            | OUTBOX
            | LEAD
            | LEAD_BY_STATE
            | RECORD_EVENT
            | REFERRAL
            | REFERRAL_BY_STATE
            | REFERRAL_CHANGE
            | CAUGHT
            | CAUGHT_BY_STATE
            | ASSIGNMENT
    )
}

/// The key of the newest policy.
pub const POLICY: [u8; 1] = [0x46];

fn key<const N: usize>(prefix: u8, parts: &[&[u8]]) -> [u8; N] {
    let mut out = [prefix; N];
    let bytes = parts.iter().flat_map(|part| part.iter());
    for (to, from) in out.iter_mut().skip(1).zip(bytes) {
        *to = *from;
    }
    debug_assert_eq!(1 + parts.iter().map(|p| p.len()).sum::<usize>(), N);
    out
}

/// The base key of a payload; its parts follow it.
pub fn payload(index: u64) -> [u8; 9] {
    key(PAYLOAD, &[&index.to_be_bytes()])
}

/// The key of a payload's wrapped key. `month` is the purge month's number.
pub fn payload_key(month: u32, index: u64) -> [u8; 13] {
    key(PAYLOAD_KEY, &[&month.to_be_bytes(), &index.to_be_bytes()])
}

/// The purge month in a key of [`payload_key`].
pub fn payload_month(key: &[u8]) -> Option<u32> {
    let month = key.get(1..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*month))
}

/// The key of a dispatch by its sender and id.
pub fn dispatch(from: Jurisdiction, id: DispatchId) -> [u8; 23] {
    key(DISPATCH, &[from.as_bytes(), id.as_bytes()])
}

/// The key of a refusal by the sender and the refused leaf's hash.
pub fn refused(from: Jurisdiction, leaf_hash: &[u8; 32]) -> [u8; 39] {
    key(REFUSED, &[from.as_bytes(), leaf_hash])
}

/// The key of a dispatch that waits for its receipt.
pub fn outbox(to: Jurisdiction, index: u64) -> [u8; 15] {
    key(OUTBOX, &[to.as_bytes(), &index.to_be_bytes()])
}

/// The log index in an outbox key.
pub fn outbox_index(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>()
        .map(|index| u64::from_be_bytes(*index))
}

/// The key of the newest verified checkpoint of a partner's log. Nothing deletes such a row: it outlives the card.
pub fn witness(partner: Jurisdiction, origin: &str) -> Vec<u8> {
    let mut out = vec![WITNESS];
    out.extend_from_slice(partner.as_bytes());
    out.extend_from_slice(origin.as_bytes());
    out
}

/// The partner in a key of [`witness`], [`evidence`] or [`partner`].
pub fn partner_code(key: &[u8]) -> Option<Jurisdiction> {
    str::from_utf8(key.get(1..7)?).ok()?.parse().ok()
}

/// The base key of a partner's revocation list; its parts follow it.
pub fn crl(partner: Jurisdiction) -> [u8; 7] {
    key(CRL, &[partner.as_bytes()])
}

/// The key of evidence against a partner, by whether two roots at one size prove it, and by the root that contradicts.
pub fn evidence(partner: Jurisdiction, is_proof: bool, root: &[u8; 32]) -> [u8; 40] {
    let sort = u8::from(!is_proof);
    key(EVIDENCE, &[partner.as_bytes(), &[sort], root])
}

/// Whether a key that [`evidence`] made is of two roots at one size.
pub fn evidence_is_proof(key: &[u8]) -> bool {
    key.get(7) == Some(&0)
}

/// The root in a key that [`evidence`] made.
pub fn evidence_root(key: &[u8]) -> Option<[u8; 32]> {
    key.get(8..)?.try_into().ok()
}

/// The key of a lead.
pub fn lead(record: RecordId) -> [u8; 17] {
    key(LEAD, &[record.as_bytes()])
}

/// The key of a lead among those of its direction and state.
pub fn lead_by_state(direction: u8, state: u8, index: u64) -> [u8; 11] {
    key(
        LEAD_BY_STATE,
        &[&[direction], &[state], &index.to_be_bytes()],
    )
}

/// The log index in a key of [`lead_by_state`] or [`subject`].
pub fn last_index(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>()
        .map(|index| u64::from_be_bytes(*index))
}

/// The key of an action on a record.
pub fn record_event(record: RecordId, index: u64) -> [u8; 25] {
    key(RECORD_EVENT, &[record.as_bytes(), &index.to_be_bytes()])
}

/// The key of a lead under its subject's keyed tag.
pub fn subject(month: u32, tag: &[u8; 16], index: u64) -> [u8; 29] {
    key(SUBJECT, &[&month.to_be_bytes(), tag, &index.to_be_bytes()])
}

/// The key of a lead under the keyed tag of its origin and number.
pub fn lead_number(tag: &[u8; 32]) -> [u8; 33] {
    key(LEAD_NUMBER, &[tag])
}

/// The key of a partner: its approved card, or one that was proposed.
pub fn partner(code: Jurisdiction, proposed: bool) -> [u8; 8] {
    key(PARTNER, &[code.as_bytes(), &[u8::from(proposed)]])
}

/// The key of a referral.
pub fn referral(record: RecordId) -> [u8; 17] {
    key(REFERRAL, &[record.as_bytes()])
}

/// The key of a referral among those of its direction and state.
pub fn referral_by_state(direction: u8, state: u8, index: u64) -> [u8; 11] {
    key(
        REFERRAL_BY_STATE,
        &[&[direction], &[state], &index.to_be_bytes()],
    )
}

/// The key of a change to a referral.
pub fn referral_change(index: u64) -> [u8; 9] {
    key(REFERRAL_CHANGE, &[&index.to_be_bytes()])
}

/// The key of a record's assignment.
pub fn assignment(record: RecordId) -> [u8; 17] {
    key(ASSIGNMENT, &[record.as_bytes()])
}

/// The key of a caught notice.
pub fn caught(record: RecordId) -> [u8; 17] {
    key(CAUGHT, &[record.as_bytes()])
}

/// The key of a caught notice among those of its direction and state.
pub fn caught_by_state(direction: u8, state: u8, index: u64) -> [u8; 11] {
    key(
        CAUGHT_BY_STATE,
        &[&[direction], &[state], &index.to_be_bytes()],
    )
}

/// The key of a caught notice under the keyed tag of its sender and number.
pub fn caught_number(tag: &[u8; 32]) -> [u8; 33] {
    key(CAUGHT_NUMBER, &[tag])
}

/// First key and end of the primary families that are not there yet. All before them follow from the log and what stands
/// beside it, or are checked against it.
pub const OTHERS: ([u8; 1], [u8; 1]) = ([EVIDENCE + 1], [super::keys::FIRST_VIEW]);

/// First key and end of all dispatches, of all refusals, of all outboxes and of all evidence.
pub const DISPATCHES: ([u8; 1], [u8; 1]) = ([DISPATCH], [DISPATCH + 1]);
/// As [`DISPATCHES`].
pub const REFUSALS: ([u8; 1], [u8; 1]) = ([REFUSED], [REFUSED + 1]);
/// As [`DISPATCHES`].
pub const OUTBOXES: ([u8; 1], [u8; 1]) = ([OUTBOX], [OUTBOX + 1]);
/// As [`DISPATCHES`].
pub const WITNESSES: ([u8; 1], [u8; 1]) = ([WITNESS], [WITNESS + 1]);
/// As [`DISPATCHES`].
pub const EVIDENCES: ([u8; 1], [u8; 1]) = ([EVIDENCE], [EVIDENCE + 1]);

/// As [`DISPATCHES`].
pub const PAYLOAD_KEYS: ([u8; 1], [u8; 1]) = ([PAYLOAD_KEY], [PAYLOAD_KEY + 1]);

/// First key and end of all partners.
pub const PARTNERS: ([u8; 1], [u8; 1]) = ([PARTNER], [PARTNER + 1]);

/// The views' families by the first byte of their keys, for people.
pub fn view_name(prefix: u8) -> &'static str {
    match prefix {
        LEAD => "lead",
        LEAD_BY_STATE => "lead by state",
        RECORD_EVENT => "record event",
        SUBJECT => "subject",
        LEAD_NUMBER => "lead number",
        PARTNER => "partner",
        0x46 => "policy",
        REFERRAL => "referral",
        REFERRAL_BY_STATE => "referral by state",
        REFERRAL_CHANGE => "referral change",
        CAUGHT => "caught notice",
        CAUGHT_BY_STATE => "caught notice by state",
        CAUGHT_NUMBER => "caught notice's number",
        ASSIGNMENT => "assignment",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout is on disks: these bytes never change.
    #[test]
    fn layout_is_golden() {
        let id = [7; 16];
        let to: Jurisdiction = "440000".parse().unwrap();
        let golden = [
            (hex::encode(payload(1)), "100000000000000001"),
            (
                hex::encode(payload_key(203_112, 1)),
                "11000319680000000000000001",
            ),
            (hex::encode(outbox(to, 2)), "143434303030300000000000000002"),
            (
                hex::encode(witness(to, "440000.yichuan/log/1")),
                "153434303030303434303030302e7969636875616e2f6c6f672f31",
            ),
            (
                hex::encode(lead_by_state(1, 2, 3)),
                "4101020000000000000003",
            ),
            (hex::encode(partner(to, true)), "4534343030303001"),
            (
                hex::encode(caught_by_state(0, 1, 3)),
                "5100010000000000000003",
            ),
            (
                hex::encode(record_event(RecordId::from(id), 9)),
                "42070707070707070707070707070707070000000000000009",
            ),
            (
                hex::encode(assignment(RecordId::from(id))),
                "5307070707070707070707070707070707",
            ),
        ];
        for (made, written) in golden {
            assert_eq!(made, written);
        }
        assert_eq!(outbox_index(&outbox(to, 2)), Some(2));
        assert_eq!(partner_code(&witness(to, "")), Some(to));
    }
}
