//! What callers hand to the log, and what they get back.

use std::{
    error::Error,
    fmt,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::{Closure, Txn};
use crate::note::SignedCheckpoint;

type Decide<T, E> = Box<dyn FnOnce(&mut Txn<'_>) -> Result<T, E> + Send>;
type Answer<T, E> = Result<Durable<T>, ProposeError<E>>;

/// A change to the log. It decides with everything before it in view, and is written completely or not at all.
pub struct Proposal<T, E> {
    decide: Decide<T, E>,
}

impl<T, E> Proposal<T, E> {
    /// `decide` runs on the sequencer's thread, where every caller waits for it: it computes and uses the [`Txn`], and
    /// does nothing else. When it returns `Err`, nothing of it is written, and the other proposals in its batch are
    /// unaffected.
    pub fn new(decide: impl FnOnce(&mut Txn<'_>) -> Result<T, E> + Send + 'static) -> Self {
        Self {
            decide: Box::new(decide),
        }
    }
}

impl<T, E> fmt::Debug for Proposal<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proposal").finish_non_exhaustive()
    }
}

/// A value whose log entries and rows are on disk and under a published checkpoint. Only the log makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable<T> {
    value: T,
    checkpoint: Arc<SignedCheckpoint>,
}

impl<T> Durable<T> {
    /// The checkpoint that covers it.
    pub fn checkpoint(&self) -> &Arc<SignedCheckpoint> {
        &self.checkpoint
    }

    /// The value, no longer known to be durable.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// What follows from a durable value is durable too.
    pub fn map<U>(self, follow: impl FnOnce(T) -> U) -> Durable<U> {
        Durable {
            value: follow(self.value),
            checkpoint: self.checkpoint,
        }
    }
}

impl<T> Deref for Durable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Why a proposal was not written, or is not known to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposeError<E> {
    /// It rejected itself. Nothing of it is written; what it decided on is durable.
    Rejected(E),
    /// It continued after its transaction had refused something. Nothing of it is written. A defect of the caller.
    Spoiled,
    /// It panicked. Nothing of it is written. A defect of the caller.
    Panicked,
    /// The log takes no writes. Nothing of it is written.
    Closed(Arc<Closure>),
    /// The log closed while this was being written: recovery may or may not find it.
    OutcomeUnknown(Arc<Closure>),
}

impl<E: fmt::Display> fmt::Display for ProposeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => error.fmt(f),
            Self::Spoiled => f.write_str(
                "nothing was written: the proposal went on after its transaction had refused",
            ),
            Self::Panicked => f.write_str("nothing was written: the proposal panicked"),
            Self::Closed(why) => write!(f, "nothing was written: {why}"),
            Self::OutcomeUnknown(why) => {
                write!(f, "it is unknown whether this was written: {why}")
            }
        }
    }
}

impl<E: Error + 'static> Error for ProposeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(error) => error.source(),
            Self::Closed(why) | Self::OutcomeUnknown(why) => Some(why.as_ref()),
            Self::Spoiled | Self::Panicked => None,
        }
    }
}

/// A proposal in the queue. Await it for the answer; dropping it does not withdraw the proposal.
#[must_use = "the proposal is written all the same, but nobody learns of it"]
pub struct Pending<T, E> {
    answer: oneshot::Receiver<Answer<T, E>>,
}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl<T, E> Future for Pending<T, E> {
    type Output = Answer<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer<T, E>> {
        Pin::new(&mut self.answer).poll(context).map(|answer| {
            // Only a sequencer that panicked leaves a proposal without an answer: a defect of ours, but the caller must
            // neither hang nor believe that it was written.
            answer.unwrap_or_else(|_| Err(ProposeError::OutcomeUnknown(Arc::new(Closure::Defect))))
        })
    }
}

/// A queued proposal as the sequencer sees it, without its types.
pub(super) trait Job: Send {
    /// Lets it decide. Returns whether it agreed to be written.
    fn decide(&mut self, txn: &mut Txn<'_>) -> bool;

    /// Its transaction was spoiled: what it decided does not count.
    fn spoil(&mut self);

    /// Answers the caller, now that the batch is committed or has failed.
    fn answer(self: Box<Self>, committed: Result<Arc<SignedCheckpoint>, Failure>);
}

/// Why a batch was not committed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Closed(Arc<Closure>),
    OutcomeUnknown(Arc<Closure>),
}

/// A proposal and the caller that waits for it.
struct Ticket<T, E> {
    stage: Stage<T, E>,
    answer: oneshot::Sender<Answer<T, E>>,
}

enum Stage<T, E> {
    Undecided(Decide<T, E>),
    Decided(T),
    Refused(ProposeError<E>),
}

pub(super) fn ticket<T: Send + 'static, E: Send + 'static>(
    proposal: Proposal<T, E>,
) -> (Box<dyn Job>, Pending<T, E>) {
    let (sender, answer) = oneshot::channel();
    let ticket = Ticket {
        stage: Stage::Undecided(proposal.decide),
        answer: sender,
    };
    (Box::new(ticket), Pending { answer })
}

impl<T: Send, E: Send> Job for Ticket<T, E> {
    fn decide(&mut self, txn: &mut Txn<'_>) -> bool {
        let undecided = std::mem::replace(&mut self.stage, Stage::Refused(ProposeError::Spoiled));
        if let Stage::Undecided(decide) = undecided {
            // A panic in one proposal must not take the log away from everybody.
            self.stage = match catch_unwind(AssertUnwindSafe(|| decide(txn))) {
                Ok(Ok(value)) => Stage::Decided(value),
                Ok(Err(error)) => Stage::Refused(ProposeError::Rejected(error)),
                Err(_) => Stage::Refused(ProposeError::Panicked),
            };
        }
        matches!(self.stage, Stage::Decided(_))
    }

    fn spoil(&mut self) {
        if let Stage::Decided(_) = self.stage {
            self.stage = Stage::Refused(ProposeError::Spoiled);
        }
    }

    fn answer(self: Box<Self>, committed: Result<Arc<SignedCheckpoint>, Failure>) {
        let answer = match (committed, self.stage) {
            (Ok(checkpoint), Stage::Decided(value)) => Ok(Durable { value, checkpoint }),
            (Ok(_), Stage::Refused(error)) => Err(error),
            (Ok(_), Stage::Undecided(_)) => Err(ProposeError::Spoiled),
            // Rejections too: what they rest on may not be on disk.
            (Err(Failure::OutcomeUnknown(why)), Stage::Decided(_)) => {
                Err(ProposeError::OutcomeUnknown(why))
            }
            (Err(Failure::OutcomeUnknown(why) | Failure::Closed(why)), _) => {
                Err(ProposeError::Closed(why))
            }
        };
        // Nobody waits any more; the entry stands all the same.
        drop(self.answer.send(answer));
    }
}
