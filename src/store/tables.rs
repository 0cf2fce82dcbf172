//! Keys of the services' rows, beside the log's own in [`super::keys`].
//!
//! `families!` below is the one list of key families: prefix, key, value, name, and whether its keys are written in
//! rising order. The functions after it make the keys. Numbers in keys are big-endian; a number in parentheses is a
//! length in bytes.

use crate::domain::{DispatchId, Jurisdiction, RecordId};

/// A family of keys: all that begin with one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family(u8);

impl Family {
    /// The first key of the family, and the end of its keys.
    pub const fn range(self) -> ([u8; 1], [u8; 1]) {
        ([self.0], [self.0 + 1])
    }
}

macro_rules! families {
    ($($(#[$doc:meta])* $prefix:literal $family:ident $name:literal $order:ident;)*) => {
        $($(#[$doc])* pub const $family: Family = Family($prefix);)*

        /// Whether keys of this family are written in rising order: by log index, or by ids that begin with the time.
        pub(super) const fn in_order(prefix: u8) -> bool {
            match prefix {
                $($prefix => families!(@$order),)*
                _ => false,
            }
        }

        /// The name of a family by the first byte of its keys, for people.
        pub const fn family_name(prefix: u8) -> &'static str {
            match prefix {
                $($prefix => $name,)*
                _ => "unknown",
            }
        }
    };
    (@rising) => { true };
    (@scattered) => { false };
}

families! {
    /// Log index `u64`, part `u16` → ciphertext, cut up by [`super::long_values`].
    0x10 PAYLOAD "payload" rising;
    /// Purge month `u32`, log index `u64` → the payload's key, wrapped under its bucket's.
    0x11 PAYLOAD_KEY "payload key" rising;
    /// Sending jurisdiction (6), dispatch id (16) → where it is in this log, its leaf hash, its record.
    0x12 DISPATCH "dispatch" rising;
    /// Sending jurisdiction (6), leaf hash (32) → index of the refusal `u64`.
    0x13 REFUSED "refused dispatch" scattered;
    /// Partner (6), log index `u64` → dispatch id (16).
    0x14 OUTBOX "outbox" rising;
    /// Partner (6), origin of its log → the newest checkpoint of that log that this node verified. Without an origin:
    /// from before there was one in the key.
    0x15 WITNESS "witness" scattered;
    /// Partner (6), part `u16` → its newest CRL, DER.
    0x16 CRL "revocation list" scattered;
    /// Partner (6), 0 if the two checkpoints have one size or else 1, root of the one that contradicts (32) → index of
    /// its entry `u64`.
    0x17 EVIDENCE "evidence" scattered;
    /// Record id (16) → where the record stands.
    0x40 RECORD "record" rising;
    /// Family `u8`, direction `u8`, state `u8`, log index `u64` → record id.
    0x41 RECORD_BY_STATE "record by state" rising;
    /// Record id (16), log index `u64` → one action on the record.
    0x42 RECORD_EVENT "record event" rising;
    /// Purge month `u32`, keyed tag of a number, name, place or substance (16), log index `u64` → record id.
    0x43 SUBJECT "subject" scattered;
    /// Keyed tag of sender and number in its sheets (32) → record id, keyed tag of the content, log index.
    0x44 NUMBER "sheet number" scattered;
    /// Jurisdiction (6), 0 approved or 1 proposed → the card and who.
    0x45 PARTNER "partner" scattered;
    /// No more → the newest policy.
    0x46 ACCESS_POLICY "policy" scattered;
    /// Of the first layout, whose rows are read to be removed: referrals.
    0x47 OLD_REFERRAL "old referral" rising;
    /// As [`OLD_REFERRAL`]: referrals by state.
    0x48 OLD_REFERRAL_BY_STATE "old referral by state" rising;
    /// Log index `u64` → record id, of records that are followed.
    0x49 RECORD_CHANGE "record change" rising;
    /// No more → the number of this layout of the views.
    0x4f VIEW_LAYOUT "layout" scattered;
    /// As [`OLD_REFERRAL`]: notices.
    0x50 OLD_NOTICE "old notice" rising;
    /// As [`OLD_REFERRAL`]: notices by state.
    0x51 OLD_NOTICE_BY_STATE "old notice by state" rising;
    /// As [`OLD_REFERRAL`]: notices by number.
    0x52 OLD_NOTICE_NUMBER "old notice's number" scattered;
    /// Record id (16) → to whom the record is assigned, by whom, log index.
    0x53 ASSIGNMENT "assignment" rising;
}

/// First key and end of the primary families that do not exist yet. All before them follow from the log and what lies
/// beside it, or are checked against it.
pub const OTHERS: ([u8; 1], [u8; 1]) = ([EVIDENCE.0 + 1], [super::keys::FIRST_VIEW]);

/// The key of the newest policy.
pub const POLICY: [u8; 1] = [ACCESS_POLICY.0];

/// The key of the number of the views' layout.
pub const LAYOUT: [u8; 1] = [VIEW_LAYOUT.0];

fn key<const N: usize>(family: Family, parts: &[&[u8]]) -> [u8; N] {
    let mut out = [family.0; N];
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
    let mut out = vec![WITNESS.0];
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

/// The key of a record.
pub fn record(record: RecordId) -> [u8; 17] {
    key(RECORD, &[record.as_bytes()])
}

/// The key of a record among those of its family, direction and state.
pub fn record_by_state(family: u8, direction: u8, state: u8, index: u64) -> [u8; 12] {
    key(
        RECORD_BY_STATE,
        &[&[family], &[direction], &[state], &index.to_be_bytes()],
    )
}

/// The log index in a key of [`record_by_state`] or [`subject`].
pub fn last_index(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>()
        .map(|index| u64::from_be_bytes(*index))
}

/// The key of an action on a record.
pub fn record_event(record: RecordId, index: u64) -> [u8; 25] {
    key(RECORD_EVENT, &[record.as_bytes(), &index.to_be_bytes()])
}

/// The key of a record under its subject's keyed tag.
pub fn subject(month: u32, tag: &[u8; 16], index: u64) -> [u8; 29] {
    key(SUBJECT, &[&month.to_be_bytes(), tag, &index.to_be_bytes()])
}

/// The key of a record under the keyed tag of its sender and its number in the sender's sheets.
pub fn number(tag: &[u8; 32]) -> [u8; 33] {
    key(NUMBER, &[tag])
}

/// The key of a partner: its approved card, or one that was proposed.
pub fn partner(code: Jurisdiction, proposed: bool) -> [u8; 8] {
    key(PARTNER, &[code.as_bytes(), &[u8::from(proposed)]])
}

/// The key of a change to a record.
pub fn record_change(index: u64) -> [u8; 9] {
    key(RECORD_CHANGE, &[&index.to_be_bytes()])
}

/// The key of a record's assignment.
pub fn assignment(record: RecordId) -> [u8; 17] {
    key(ASSIGNMENT, &[record.as_bytes()])
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
                hex::encode(record_by_state(0, 1, 2, 3)),
                "410001020000000000000003",
            ),
            (hex::encode(partner(to, true)), "4534343030303001"),
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
