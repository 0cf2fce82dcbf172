//! How long entries get.

use super::*;
use crate::{
    domain::{Handling, RecordKind, Urgency, sign_within_seconds},
    entry::{DISPATCH_LEAF_LIMIT, DispatchAction, EntryDefect, Terms},
    seal::PurgeMonth,
};

/// Nonce and tag alone are 28 bytes.
#[test]
fn regression_no_dispatch_has_a_ciphertext_shorter_than_nothing_encrypted() {
    let now = Timestamp::from_millis(1_772_640_000_000);
    let decoded = |ciphertext_length| {
        let sent = DispatchSent {
            dispatch_id: DispatchId::new(now),
            from: "520624".parse().unwrap(),
            to: "440000".parse().unwrap(),
            action: DispatchAction::open(RecordKind::Lead),
            record: RecordId::new(now),
            urgency: Urgency::Normal,
            handling: Handling::H0,
            terms: Terms {
                sign_within_s: sign_within_seconds(Urgency::Normal),
                review_by_day: 20_882,
                purge_month: PurgeMonth::new(203_103).unwrap(),
            },
            return_reason: None,
            predecessors: Vec::new(),
            ciphertext_sha256: [5; 32],
            ciphertext_length,
            commitment: [6; 32],
        };
        let cause = Cause {
            principal: Principal::node(sent.from),
            grounds: None,
        };
        let entry = Entry {
            time: now,
            id: EntryId::new(now),
            cause,
            kind: Kind::DispatchSent(sent),
        };
        Entry::decode(&entry.encode()).map(drop)
    };
    let too_short = Err(EntryDefect::Malformed("ciphertext_length"));
    assert_eq!(decoded(0), too_short);
    assert_eq!(decoded(27), too_short);
    assert_eq!(decoded(28), Ok(()));
}

#[test]
fn a_receipt_of_the_longest_dispatch_fits_in_4_kib_in_logs_of_a_hundred_billion_entries() {
    let (ours, theirs): (Jurisdiction, Jurisdiction) =
        ("520624".parse().unwrap(), "440000".parse().unwrap());
    let (size, now) = (1 << 38, Timestamp::from_millis(1_772_640_000_000));
    let checkpoint = |code: Jurisdiction| Checkpoint {
        origin: format!("{}/log/1", code.trust_domain()),
        size,
        root: Hash::from([1; 32]),
    };
    let path = vec![Hash::from([2; 32]); 38];
    let entry = |code, kind| {
        Entry {
            time: now,
            id: EntryId::new(now),
            cause: Cause {
                principal: Principal::node(code),
                grounds: None,
            },
            kind,
        }
        .encode()
    };
    let partner_entry = entry(
        theirs,
        Kind::DispatchReceived(Received {
            sender_entry: vec![3; DISPATCH_LEAF_LIMIT],
            sender_index: size - 1,
            inclusion: path.clone(),
            checkpoint: checkpoint(ours),
            signature: [4; 64],
        }),
    );
    let leaf = entry(
        ours,
        Kind::ReceiptLogged {
            to: theirs,
            dispatch_id: DispatchId::new(now),
            sent_index: size - 1,
            proof: PartnerProof {
                partner_entry,
                partner_index: size - 1,
                inclusion: path,
                checkpoint: checkpoint(theirs),
                signature: [4; 64],
                cosigned_at_s: now.seconds(),
                cosignature: [4; 64],
                cosigned_size: size,
                cosigned_root: Hash::from([1; 32]),
            },
        },
    );
    assert!(leaf.len() <= 4096, "{} bytes", leaf.len());
}
