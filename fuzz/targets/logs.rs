//! Entries and whole logs: a partner's, and those that an auditor reads.

use super::{
    input::{Input, nameless},
    world::{COUNTY, Tree, signer, started},
};
use std::{collections::BTreeMap, convert::Infallible};
use yichuan::{
    audit::{Inspector, LogVerifier, ReplayFilter, Trusted, replay},
    merkle::leaf_hash,
    record::{Entry, Kind, LEAF_LIMIT},
    tls::Cards,
};

/// One leaf: what is read is written as it was, or it is refused.
pub(crate) fn entry(bytes: &[u8]) {
    match Entry::decode(bytes) {
        Ok(entry) => {
            assert_eq!(entry.encode(), bytes, "a leaf hash stands for one meaning");
            assert!(bytes.len() <= LEAF_LIMIT);
            embedded(&entry.kind);
        }
        Err(error) => nameless(bytes, &error.to_string()),
    }
}

/// Leaves inside leaves.
fn embedded(kind: &Kind) {
    let inner = match kind {
        Kind::DispatchReceived(received) | Kind::DispatchRefused { received, .. } => {
            assert_eq!(received.leaf_hash(), leaf_hash(&received.sender_entry));
            &received.sender_entry
        }
        Kind::ReceiptLogged { proof, .. } | Kind::RefusalLogged { proof, .. } => {
            &proof.partner_entry
        }
        _ => return,
    };
    if let Ok(entry) = Entry::decode(inner) {
        assert_eq!(entry.encode(), *inner);
    }
}

/// Leaves of a log that its node's key signed, whatever they say: an auditor's machine comes to a report.
pub(crate) fn log(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let key = signer(COUNTY);
    let mut leaves = Vec::new();
    if input.byte() % 2 == 0 {
        leaves.push(started(COUNTY));
    }
    while !input.is_empty() && leaves.len() < 64 {
        leaves.push(input.piece().to_vec());
    }
    let tree = Tree::of(leaves.iter().map(Vec::as_slice));
    let trusted = Trusted {
        key: key.verifier_key(),
        partners: BTreeMap::new(),
    };
    let mut inspector = Inspector::new(trusted, &Cards).expect("a node's key");
    let mut verifier = LogVerifier::new();
    for leaf in &leaves {
        inspector.push(leaf).expect("short enough");
        verifier.push(leaf).expect("short enough");
    }
    let head = tree.head(&key);
    assert_eq!(verifier.root(), *head.root());
    assert_eq!(
        verifier.finish(&head).expect("its head").size(),
        tree.size()
    );
    let report = inspector.finish(&head).expect("the leaves of its head");
    assert_eq!(report.entries, tree.size());
    assert!(report.by_kind.values().sum::<u64>() + report.unknown <= report.entries);

    let leaves = leaves.into_iter().map(Ok::<_, Infallible>);
    let mut shown = replay(ReplayFilter::default(), 0, leaves);
    let rows = shown.by_ref().count() as u64;
    assert_eq!(rows, tree.size(), "every entry is shown, readable or not");
    assert_eq!(shown.counts().rows, rows);
}
