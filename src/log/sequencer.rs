//! The only writer. A batch is everything that queued while the last one was synced; there is no timer.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;

use super::{
    View,
    checkpoint_writer::CheckpointWriter,
    frames,
    head::Head,
    proposal::{Failure, Job},
    shared::{Closure, Shared},
    tiles::TileEdges,
    txn::{Spoiled, Staged, Txn},
};
use crate::{
    domain::{Clock, Timestamp},
    merkle::Frontier,
    note::{LogSigner, SignedCheckpoint},
    store::keys,
};

/// How many proposals a batch takes.
const MAX_PROPOSALS: usize = 1024;
/// How many bytes of leaves and rows a batch takes before it is full.
const MAX_BYTES: usize = 4 * 1024 * 1024;

pub(super) struct Sequencer {
    pub(super) shared: Arc<Shared>,
    pub(super) checkpoint_writer: CheckpointWriter,
    pub(super) signer: Arc<LogSigner>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) views: Vec<Box<dyn View>>,
    pub(super) frontier: Frontier,
    pub(super) edges: TileEdges,
    pub(super) last_time: Timestamp,
}

/// Proposals that are written together.
#[derive(Default)]
struct Group {
    jobs: Vec<Box<dyn Job>>,
    staged: Staged,
    last_time: Timestamp,
}

impl Group {
    fn is_full(&self) -> bool {
        self.jobs.len() >= MAX_PROPOSALS || self.staged.bytes >= MAX_BYTES
    }
}

impl Sequencer {
    /// Runs until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, mut queue: Receiver<Box<dyn Job>>) {
        // Also when a panic ends this thread: nobody may believe that the log takes writes.
        let _closes = CloseOnExit(Arc::clone(&self.shared));
        while let Some(first) = queue.blocking_recv() {
            let mut group = Group {
                last_time: self.last_time,
                ..Group::default()
            };
            self.consider(first, &mut group);
            while !group.is_full()
                && let Ok(job) = queue.try_recv()
            {
                self.consider(job, &mut group);
            }
            self.commit_group(group);
        }
        // Before the log reports itself stopped: a checkpoint that could not be written is the graver reason.
        self.checkpoint_writer.stop();
    }

    /// Lets one proposal decide on top of those before it.
    fn consider(&mut self, mut job: Box<dyn Job>, group: &mut Group) {
        if let Some(why) = self.shared.closed() {
            return job.answer(Err(Failure::Closed(why)));
        }
        let shared = Arc::clone(&self.shared);
        let _step = shared.stall_detector.step();
        let now = self.clock.now().max(group.last_time);
        let mut txn = Txn::new(
            self.shared.store.as_ref(),
            self.frontier.size(),
            &group.staged,
            &mut self.views,
            now,
        );
        let agreed = job.decide(&mut txn);
        match txn.finish() {
            Ok(staged) if agreed => {
                if !staged.leaves.is_empty() {
                    group.last_time = now;
                }
                group.staged.extend(staged);
            }
            Ok(_) => {}
            Err(Spoiled::Misuse) => job.spoil(),
            Err(Spoiled::Store(error)) => {
                self.shared.close(Closure::Store(error));
            }
        }
        group.jobs.push(job);
    }

    /// Commits, publishes, answers: in this order.
    fn commit_group(&mut self, group: Group) {
        let Group {
            jobs,
            staged,
            last_time,
        } = group;
        let committed = match self.shared.closed() {
            Some(why) => Err(Failure::Closed(why)),
            None if staged.is_empty() => Ok(self.shared.checkpoint()),
            None => self.commit(staged, last_time),
        };
        let is_committed = committed.is_ok();
        for job in jobs {
            job.answer(committed.clone());
        }
        if is_committed {
            let _step = self.shared.stall_detector.step();
            if let Err(error) = self.shared.store.sync_deferred() {
                self.shared.close(Closure::Store(error));
            }
        }
    }

    fn commit(
        &mut self,
        staged: Staged,
        last_time: Timestamp,
    ) -> Result<Arc<SignedCheckpoint>, Failure> {
        let Staged {
            mut rows, leaves, ..
        } = staged;
        let size_before = self.frontier.size();
        let mut checkpoint = self.shared.checkpoint();
        if !leaves.is_empty() {
            frames::pack(size_before, leaves.iter().map(|(leaf, _)| leaf), &mut rows);
            for (_, hash) in &leaves {
                self.edges.append(&mut self.frontier, *hash);
            }
            self.edges.write(&mut rows);
            let signed = self.signer.sign(self.frontier.size(), self.frontier.root());
            checkpoint = Arc::new(signed);
            let head = Head {
                size: self.frontier.size(),
                last_time,
                frontier: self.frontier.clone(),
                note: checkpoint.note().into(),
            };
            rows.put(keys::HEAD, head.to_bytes());
        }

        let shared = Arc::clone(&self.shared);
        let _step = shared.stall_detector.step();
        let mut gate = shared.committing();
        if let Err(error) = self.shared.store.commit(size_before, &rows) {
            rows.iter().for_each(|(key, _)| gate.doubt(key));
            drop(gate);
            let why = self.shared.close(Closure::Store(error));
            return Err(Failure::OutcomeUnknown(why));
        }
        self.last_time = last_time;
        self.shared.publish(Arc::clone(&checkpoint));
        drop(gate);
        if !leaves.is_empty() {
            self.checkpoint_writer.submit(Arc::clone(&checkpoint));
        }
        Ok(checkpoint)
    }
}

struct CloseOnExit(Arc<Shared>);

impl Drop for CloseOnExit {
    fn drop(&mut self) {
        self.0.close(if std::thread::panicking() {
            Closure::Defect
        } else {
            Closure::Stopped
        });
    }
}
