//! A node's log in the hands of an auditor who trusts nobody.

use super::processes::Home;
use std::path::PathBuf;
use yichuan::{
    audit::{
        ExportedLog, ExportedTree, Flow, Inspector, Reconciler, Side, Trusted, VerifiedLog,
        verify_export,
    },
    note::VerifierKey,
    tls::Cards,
};

#[derive(Debug)]
pub(crate) struct Audited {
    key: VerifierKey,
    leaves: Vec<Vec<u8>>,
    log: VerifiedLog,
    tree: ExportedTree,
}

impl Audited {
    /// Exports a node's log to a directory, and verifies every hash there.
    pub(crate) async fn of(home: &Home, to: PathBuf) -> Self {
        let leaves = home.export(&to).await;
        let log = verify_export(&to, &home.vkey, |_, _| {}).unwrap();
        let tree = ExportedTree::new(&to, log.size());
        Self {
            key: home.vkey.clone(),
            leaves,
            log,
            tree,
        }
    }

    /// Nothing is wrong with what the log says, nothing waits for an answer, and nobody is accused.
    pub(crate) fn is_in_order(&self) {
        let trusted = Trusted {
            key: self.key.clone(),
            partners: Vec::new(),
        };
        let mut inspector = Inspector::new(trusted, &Cards)
            .unwrap()
            .with_tree(&self.tree);
        for leaf in &self.leaves {
            inspector.push(leaf).unwrap();
        }
        let report = inspector.finish(self.log.checkpoint()).unwrap();
        assert!(report.is_clean(), "{:?}", report.defects);
        assert!(report.remarks.is_empty(), "{:?}", report.remarks);
        assert!(report.evidence.is_empty(), "{:?}", report.evidence);
        assert!(report.unanswered.is_empty(), "{:?}", report.unanswered);
        assert_eq!((report.refused, report.refusals), (0, 0));
    }

    /// Both logs have so many dispatches from this one to the other, and so many back, each received once and proved.
    pub(crate) fn tells_the_same_as(&self, other: &Self, counts: [u64; 2]) {
        let [a, b] = [self, other].map(|audited| ExportedLog {
            key: &audited.key,
            size: audited.log.size(),
            tree: &audited.tree,
        });
        let mut reconciler = Reconciler::new(&a, &b).unwrap();
        for (side, log) in [(Side::A, self), (Side::B, other)] {
            for leaf in &log.leaves {
                reconciler.push(side, leaf).unwrap();
            }
        }
        let heads = [self, other].map(|audited| audited.log.checkpoint());
        let told = reconciler.finish(heads[0], heads[1]).unwrap();
        assert!(told.differences.is_empty(), "{:?}", told.differences);
        assert!(told.pending.is_empty(), "{:?}", told.pending);
        let flows = counts.map(|sent| Flow {
            sent,
            received: sent,
            refused: 0,
        });
        assert_eq!([told.a_to_b, told.b_to_a], flows);
    }
}
