//! Entries and whole logs: a partner's, and those that an auditor reads.

use super::{
    input::{Input, nameless},
    world::{COUNTY, PROVINCE, Tree, signer, started},
};
use yichuan::{
    audit::{
        ExportedLog, Inspector, LogVerifier, ReconcileError, Reconciler, Reconciliation,
        ReplayFilter, Trusted, feed,
    },
    entry::{Entry, Kind, LEAF_LIMIT},
    merkle::leaf_hash,
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
    let leaves = leaves(&mut input, COUNTY);
    let tree = Tree::of(leaves.iter().map(Vec::as_slice));
    let trusted = Trusted {
        key: key.verifier_key(),
        partners: Vec::new(),
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

    let all = ReplayFilter::default();
    for (index, leaf) in (0..).zip(&leaves) {
        assert!(
            all.row(index, leaf).is_some(),
            "every entry is shown, readable or not"
        );
    }
}

fn leaves(input: &mut Input<'_>, of: &str) -> Vec<Vec<u8>> {
    let (flags, most) = (input.byte(), 64);
    let mut leaves = Vec::new();
    if flags & 1 == 0 {
        leaves.push(started(of));
    }
    while !input.is_empty() && leaves.len() < most {
        let leaf = input.piece();
        if leaf.is_empty() && flags & 2 != 0 {
            break;
        }
        leaves.push(leaf.to_vec());
    }
    leaves
}

/// Two such logs against each other. Which of them is called the first makes no difference.
pub(crate) fn reconcile(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let county = leaves(&mut input, COUNTY);
    let province = leaves(&mut input, PROVINCE);
    let sides = [(COUNTY, &county[..]), (PROVINCE, &province[..])];
    let (one, other) = (reconciled(sides), reconciled([sides[1], sides[0]]));
    assert_eq!(one.a_to_b, other.b_to_a);
    assert_eq!(one.b_to_a, other.a_to_b);
    assert_eq!(one.entries, [county.len() as u64, province.len() as u64]);
}

fn reconciled(sides: [(&str, &[Vec<u8>]); 2]) -> Reconciliation {
    let keys = sides.map(|(of, _)| signer(of).verifier_key());
    let trees = sides.map(|(_, leaves)| Tree::of(leaves.iter().map(Vec::as_slice)));
    let log = |at: usize| ExportedLog {
        key: &keys[at],
        size: trees[at].size(),
        tree: &trees[at],
    };
    let mut reconciler = Reconciler::new(&log(0), &log(1)).expect("nodes' keys");
    let [a, b] = sides.map(|(_, leaves)| leaves.iter().cloned().map(Ok::<_, ReconcileError>));
    feed(&mut reconciler, a, b).expect("short enough, and trees in memory");
    let heads = [0, 1].map(|at| trees[at].head(&signer(sides[at].0)));
    reconciler
        .finish(&heads[0], &heads[1])
        .expect("the leaves of their heads")
}
