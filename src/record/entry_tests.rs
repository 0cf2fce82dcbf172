//! How long entries get.

use super::*;
use crate::record::DISPATCH_LEAF_LIMIT;

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
