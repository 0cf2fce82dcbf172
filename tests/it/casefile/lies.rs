//! What a log wrote down under its own key and a partner never said.

use super::{
    delivered, gather, keys, proof_at,
    two_logs::{COUNTY, HandLog, PROVINCE, code, node, partners, proof_in},
};
use std::fs;
use yichuan::{
    audit::{CaseDefect, CaseFile, FolderDefect, LinkDefect, Wanted, check_folder},
    domain::DispatchId,
    entry::{Kind, Refusal},
    merkle::{Hash, ProofInvalid, inclusion_proof, leaf_hash, node_hash},
    note::{LogSigner, TlogProof},
};

/// What a county's log says of an answer, told falsely, under the county's own key.
fn lie(change: impl FnOnce(&mut HandLog, &mut HandLog, u64) -> Kind) -> LinkDefect {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let kind = change(&mut county, &mut province, sent);
    let at = county.append(node(COUNTY), kind);
    match CaseFile::of(proof_at(&county, at, county.size())).verify(&keys()) {
        Err(CaseDefect::Link { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

/// A log's own key vouches for what it wrote down, not that it is true: the partner's word inside is looked at too.
#[test]
fn a_receipt_that_the_partner_never_gave_proves_nothing() {
    let receipt = |county: &mut HandLog, province: &mut HandLog, sent| {
        let received = province.receive(county, sent);
        county.answer(province, sent, received)
    };
    let found = lie(|county, province, sent| {
        let mut kind = receipt(county, province, sent);
        proof_in(&mut kind).signature[0] ^= 1;
        kind
    });
    assert!(matches!(found, LinkDefect::Signature(_)), "{found:?}");
    let found = lie(|county, province, sent| {
        let mut kind = receipt(county, province, sent);
        proof_in(&mut kind).cosignature[0] ^= 1;
        kind
    });
    assert!(matches!(found, LinkDefect::Cosignature(_)), "{found:?}");
    let found = lie(|county, province, sent| {
        let mut kind = receipt(county, province, sent);
        proof_in(&mut kind).partner_index += 1;
        kind
    });
    assert!(matches!(found, LinkDefect::NotIncluded(_)), "{found:?}");
    let found = lie(|county, province, sent| {
        let mut kind = receipt(county, province, sent);
        proof_in(&mut kind).cosigned_size = sent;
        kind
    });
    assert!(
        matches!(found, LinkDefect::CosignedBefore { .. }),
        "{found:?}"
    );
    // The receipt of another dispatch.
    let found = lie(|county, province, sent| {
        let other = county.send(PROVINCE, 2);
        let received = province.receive(county, other);
        let mut kind = county.answer(province, other, received);
        if let Kind::ReceiptLogged { sent_index, .. } = &mut kind {
            *sent_index = sent;
        }
        kind
    });
    assert_eq!(found, LinkDefect::NotTheAnswer);
    let found = lie(|county, province, sent| {
        let mut kind = receipt(county, province, sent);
        if let Kind::ReceiptLogged { dispatch_id, .. } = &mut kind {
            *dispatch_id = DispatchId::from([9; 16]);
        }
        kind
    });
    assert_eq!(found, LinkDefect::NotTheAnswer);
}

/// Nor is any byte of one the log's own to write: changed and signed again, it proves no delivery.
#[test]
fn no_byte_of_a_receipt_is_the_logs_own_word() {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    let at = county.log_answer(&province, sent, received);
    let receipt = county.leaf(at);
    let proved = |leaf: Vec<u8>| {
        let index = county.size() - 1;
        let root = node_over(&county, &leaf);
        let case = CaseFile::of(TlogProof {
            extra: leaf,
            index,
            hashes: inclusion_proof(&county.tree, index, county.size()).unwrap(),
            note: county.signer.sign(county.size(), root).note().to_owned(),
        });
        case.verify(&keys())
    };
    assert_eq!(proved(receipt.clone()).unwrap().deliveries.len(), 1);
    // Field 17 begins behind the time, id and principal, which are the node's own to say.
    let field = receipt.windows(2).position(|tag| tag == [0x8a, 1]).unwrap();
    for at in field..receipt.len() {
        let mut changed = receipt.clone();
        changed[at] ^= 1 << (at % 8);
        // Bytes that are no entry any more are in the log all the same, and say nothing.
        let believed = proved(changed).is_ok_and(|proved| !proved.deliveries.is_empty());
        assert!(!believed, "byte {at}");
    }
}

/// The root of a log whose last leaf is another.
fn node_over(log: &HandLog, last: &[u8]) -> Hash {
    let size = log.size();
    let path = inclusion_proof(&log.tree, size - 1, size).unwrap();
    // The last leaf stands on the right of all that its proof names.
    path.iter()
        .fold(leaf_hash(last), |hash, left| node_hash(left, &hash))
}

#[test]
fn a_dispatch_that_its_sender_never_sent_proves_nothing() {
    let (county, mut province) = delivered();
    let mut received = county.proved(5);
    received.sender_index = 4;
    let at = province.append(node(PROVINCE), Kind::DispatchReceived(received));
    let (case, _) = gather(&province, Wanted::Entry(at)).unwrap();
    assert!(matches!(
        case.verify(&keys()),
        Err(CaseDefect::Link {
            source: LinkDefect::NotIncluded(_),
            ..
        })
    ));
    // Addressed to somebody else, and shown here as received.
    let (mut county, mut province) = partners();
    let elsewhere = county.send("330000", 1);
    let at = province.receive(&county, elsewhere);
    let (case, _) = gather(&province, Wanted::Entry(at)).unwrap();
    assert!(matches!(
        case.verify(&keys()),
        Err(CaseDefect::Link {
            source: LinkDefect::NotADispatch,
            ..
        })
    ));
}

/// Whoever holds a log's key can keep a second log beside it, and answer itself from there.
#[test]
fn regression_a_log_is_no_witness_of_itself() {
    let (own, other) = (HandLog::started(COUNTY), HandLog::started(COUNTY));
    let (mut own, mut other) = (own, other);
    let sent = own.send(COUNTY, 1);
    let received = other.receive(&own, sent);
    let itself = LinkDefect::OwnWitness {
        jurisdiction: code(COUNTY),
    };
    let receipt = own.log_answer(&other, sent, received);
    for proof in [
        proof_at(&own, receipt, own.size()),
        proof_at(&other, received, other.size()),
    ] {
        match CaseFile::of(proof).verify(&keys()) {
            Err(CaseDefect::Link { source, .. }) => assert_eq!(source, itself),
            other => panic!("{other:?}"),
        }
    }
    // Nor with the key of another epoch.
    let later = LogSigner::from_seed("520624.yichuan/log/2", &[3; 32]).unwrap();
    let mut proof = proof_at(&own, 0, own.size());
    let cosignature = later.cosign(own.head().checkpoint(), 1_772_640_000);
    let key = later.verifier_key();
    proof.note += &cosignature.line("520624.yichuan", &key).unwrap();
    let held = [own.signer.verifier_key(), key];
    let proved = CaseFile::of(proof).verify(&held).unwrap();
    assert!(proved.statements[0].cosigned.is_empty());
    assert_eq!(proved.keys, [held[0].to_string()]);
}

/// A leaf over the limit is refused by its index alone; one that is not over it, or that is nowhere, is not.
#[test]
fn regression_a_refusal_leaves_out_nothing_that_it_could_keep() {
    let refused = |index_off: u64| {
        let (mut county, mut province) = partners();
        let sent = county.send(PROVINCE, 1);
        let mut received = county.proved(sent);
        received.sender_entry = Vec::new();
        received.sender_index += index_off;
        let reason = Refusal::Malformed;
        let refused = province.append(node(PROVINCE), Kind::DispatchRefused { received, reason });
        (county, province, sent, refused)
    };
    let (mut county, province, sent, at) = refused(0);
    let kept = county.log_answer(&province, sent, at);
    let alone = CaseFile::of(proof_at(&county, kept, county.size())).verify(&keys());
    assert_eq!(alone.unwrap().deliveries[0].cosigned_size, None);
    let dir = tempfile::tempdir().unwrap();
    for index in [sent, kept] {
        let proof = proof_at(&county, index, county.size());
        let file = dir.path().join(format!("{COUNTY}-1-{index}.tlog-proof"));
        fs::write(file, proof.to_string()).unwrap();
    }
    let beside = check_folder(dir.path(), &keys()).unwrap_err();
    assert!(
        matches!(
            beside,
            FolderDefect::Case(CaseDefect::Link {
                source: LinkDefect::LeftOut,
                ..
            })
        ),
        "{beside:?}"
    );
    // Alone, in the recipient's log, its length is unknown, and its place must be one.
    let alone = CaseFile::of(proof_at(&province, at, province.size())).verify(&keys());
    assert_eq!(alone.unwrap().deliveries[0].dispatch_id, None);
    let (_, province, _, at) = refused(1);
    let beyond = CaseFile::of(proof_at(&province, at, province.size())).verify(&keys());
    let nowhere = ProofInvalid::NoSuchLeaf { index: 5, size: 5 };
    assert!(
        matches!(&beyond, Err(CaseDefect::Link { source: LinkDefect::NotIncluded(found), .. })
            if *found == nowhere),
        "{beyond:?}"
    );
}
