//! What a log wrote down under its own key and a partner never said.

use crate::{
    delivered, gather, keys,
    two_logs::{COUNTY, HandLog, PROVINCE, node, partners, proof_in},
};
use yichuan::{
    audit::{CaseDefect, CaseFile, LinkDefect, Wanted},
    domain::DispatchId,
    merkle::{Hash, inclusion_proof, leaf_hash, node_hash},
    note::TlogProof,
    record::Kind,
};

/// What a county's log says of an answer, told falsely, under the county's own key.
fn lie(change: impl FnOnce(&mut HandLog, &mut HandLog, u64) -> Kind) -> LinkDefect {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let kind = change(&mut county, &mut province, sent);
    let at = county.append(node(COUNTY), kind);
    let head = county.head();
    let case = CaseFile::of(TlogProof {
        extra: county.leaf(at),
        index: at,
        hashes: inclusion_proof(&county.tree, at, county.size()).unwrap(),
        note: head.note().to_owned(),
    });
    match case.verify(&keys()) {
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
