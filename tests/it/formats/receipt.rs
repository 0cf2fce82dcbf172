//! Examples of what proves a dispatch: the receipt that the sender keeps, and the proof for a case file.

use super::{COSIGNED_AT, Examples, NOW, code, dispatch, id, signer, witness};
use yichuan::{
    access::Principal,
    audit::CaseFile,
    domain::EntryId,
    entry::{Cause, Entry, Kind, PartnerProof, Received},
    merkle::{Hash, leaf_hash, node_hash},
    note::{LogSigner, SignedCheckpoint, TlogProof},
};

fn entry(last: u8, of: &str, kind: Kind) -> Entry {
    Entry {
        time: NOW,
        id: EntryId::from(id(last)),
        cause: Cause {
            principal: Principal::node(code(of)),
            grounds: None,
        },
        kind,
    }
}

/// The head of a log of two entries, and the proof of the second.
fn log_of(signer: &LogSigner, leaves: [&[u8]; 2]) -> (SignedCheckpoint, Vec<Hash>) {
    let [first, second] = leaves.map(leaf_hash);
    (signer.sign(2, node_hash(&first, &second)), vec![first])
}

pub(crate) fn receipt(examples: &mut Examples) {
    let sent = examples["leaf-dispatch-sent"].clone();
    let started = &examples["leaf-log-started"].clone();
    let (head, inclusion) = log_of(&signer(), [started, &sent]);
    let received = Received {
        sender_entry: sent.clone(),
        sender_index: 1,
        inclusion: inclusion.clone(),
        checkpoint: head.checkpoint().clone(),
        signature: *head.signature(),
    };
    let their_start = Kind::LogStarted {
        origin: witness().origin().to_owned(),
        verifier_key: witness().verifier_key().to_string(),
        jurisdiction: code("520624"),
    };
    let their_start = entry(6, "520624", their_start).encode();
    let theirs = entry(7, "520624", Kind::DispatchReceived(received)).encode();
    let (their_head, their_inclusion) = log_of(&witness(), [&their_start, &theirs]);
    let cosignature = witness().cosign(head.checkpoint(), COSIGNED_AT);
    let receipt = Kind::ReceiptLogged {
        to: code("520624"),
        dispatch_id: dispatch(),
        sent_index: 1,
        proof: PartnerProof {
            partner_entry: theirs,
            partner_index: 1,
            inclusion: their_inclusion,
            checkpoint: their_head.checkpoint().clone(),
            signature: *their_head.signature(),
            cosigned_at_s: cosignature.at_seconds,
            cosignature: cosignature.signature,
            cosigned_size: head.size(),
            cosigned_root: *head.root(),
        },
    };
    let receipt = entry(8, "530102", receipt);
    let leaf = receipt.encode();
    assert_eq!(Entry::decode(&leaf), Ok(receipt));
    examples.insert("leaf-receipt-logged", leaf.clone());

    let line = cosignature
        .line("520624.yichuan", &witness().verifier_key())
        .unwrap();
    let proof = TlogProof {
        extra: sent,
        index: 1,
        hashes: inclusion,
        note: format!("{}{line}", head.note()),
    };
    examples.insert("tlog-proof", proof.to_string().into_bytes());

    // Both prove what the page says of them, to whoever holds the two keys.
    let keys = [signer(), witness()].map(|signer| signer.verifier_key());
    let proved = CaseFile::of(proof).verify(&keys).unwrap();
    assert_eq!(proved.statements[0].cosigned[0].by, "520624.yichuan");
    let root = node_hash(head.root(), &leaf_hash(&leaf));
    let kept = TlogProof {
        extra: leaf,
        index: 2,
        hashes: vec![*head.root()],
        note: signer().sign(3, root).note().to_owned(),
    };
    let proved = CaseFile::of(kept).verify(&keys).unwrap();
    assert_eq!(proved.deliveries[0].cosigned_size, Some(2));
}
