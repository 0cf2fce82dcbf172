//! The delivery loop: one task for each partner, so that one that is down delays no other.

use super::{
    Answers, Delivery, Directory, Greeting, Inbox, NotYet, Outbox, OutboxError, Partner, TreeFault,
    Witness, outbound_session::OutboundSession,
};
use crate::domain::Jurisdiction;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::FutureExt as _;
use std::{
    collections::BTreeMap,
    fmt,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An open stream to a partner, after both sides have greeted.
#[derive(Debug)]
pub(crate) struct Opened {
    pub welcome: Greeting,
    /// Takes deliveries. Bounded: a slow partner slows the courier, not the node.
    pub deliveries: mpsc::Sender<Delivery>,
    /// Yields answers, then ends.
    pub answers: mpsc::Receiver<Result<Answers, CarrierError>>,
}

/// A partner could not be reached, or the stream broke. A retry is always worthwhile.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct CarrierError {
    pub why: String,
    /// The partner's newest checkpoint, as a note, if it says that its log does not contain what we hold of it.
    pub disowned: Option<Vec<u8>>,
}

impl From<String> for CarrierError {
    fn from(why: String) -> Self {
        Self {
            why,
            disowned: None,
        }
    }
}

impl From<&str> for CarrierError {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}

/// A future that a carrier returns.
pub(crate) type CarrierFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries messages to partners: `rpc/` over gRPC.
pub(crate) trait Carrier: Send + Sync + fmt::Debug {
    /// Opens a stream to a partner and says hello.
    fn open(
        &self,
        partner: Arc<Partner>,
        hello: Greeting,
    ) -> CarrierFuture<'_, Result<Opened, CarrierError>>;

    /// This node's newest revocation list, DER; empty if it has none.
    fn own_crl(&self) -> Vec<u8>;

    /// Called when a partner's greeting brought its revocation list.
    fn partner_crl(&self, partner: Arc<Partner>, crl: Vec<u8>) -> CarrierFuture<'_, ()>;
}

/// The waiting times of a courier.
#[derive(Clone, Copy, Debug)]
pub struct CourierOptions {
    /// The first wait after a failure. Later waits double, with jitter.
    pub retry_min: Duration,
    /// The longest wait.
    pub retry_max: Duration,
    /// How long to wait for a stream to open.
    pub open_within: Duration,
    /// How long to wait for the answers to a delivery.
    pub answer_within: Duration,
    /// A stream is reopened after this time, so that both sides compare trees again.
    pub stream_age: Duration,
    /// Dispatches that a partner deferred are sent again after this time. Later waits double while it accepts none.
    pub again_min: Duration,
    /// The longest of those waits.
    pub again_max: Duration,
}

impl Default for CourierOptions {
    fn default() -> Self {
        Self {
            retry_min: Duration::from_millis(200),
            retry_max: Duration::from_secs(5),
            open_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(30),
            stream_age: Duration::from_secs(3600),
            again_min: Duration::from_secs(1),
            again_max: Duration::from_secs(300),
        }
    }
}

/// Whether a stream to a partner is up.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum LinkState {
    /// It is up.
    Up,
    /// Not tried yet.
    #[default]
    Starting,
    /// It is down, and why.
    Down(String),
}

/// Delivers what is in the outbox, with one task for each partner.
pub(crate) struct Courier {
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
    witness: Arc<Witness>,
    directory: Arc<Directory>,
    carrier: Arc<dyn Carrier>,
    options: CourierOptions,
    tasks: TaskTracker,
    stop: CancellationToken,
    links: Mutex<BTreeMap<Jurisdiction, (Arc<Partner>, CancellationToken)>>,
    states: Arc<Mutex<BTreeMap<Jurisdiction, LinkState>>>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier without tasks: [`Courier::refresh`] starts them.
    pub(crate) fn new(
        outbox: Arc<Outbox>,
        inbox: Arc<Inbox>,
        witness: Arc<Witness>,
        directory: Arc<Directory>,
        carrier: Arc<dyn Carrier>,
        options: CourierOptions,
        stop: CancellationToken,
    ) -> Self {
        Self {
            outbox,
            inbox,
            witness,
            directory,
            carrier,
            options,
            tasks: TaskTracker::new(),
            stop,
            links: Mutex::default(),
            states: Arc::default(),
        }
    }

    /// Starts a task for each partner that has none, and stops those whose partner left or changed.
    pub(crate) fn refresh(&self) {
        let partners = self.directory.snapshot();
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|code, (known, token)| {
            let stays = partners.get(code).is_some_and(|now| now == known);
            if !stays {
                token.cancel();
                let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
                states.remove(code);
            }
            stays
        });
        for (code, partner) in partners.iter() {
            if !links.contains_key(code) {
                let token = self.stop.child_token();
                links.insert(*code, (Arc::clone(partner), token.clone()));
                let link = Link {
                    outbox: Arc::clone(&self.outbox),
                    inbox: Arc::clone(&self.inbox),
                    witness: Arc::clone(&self.witness),
                    directory: Arc::clone(&self.directory),
                    carrier: Arc::clone(&self.carrier),
                    options: self.options,
                    partner: Arc::clone(partner),
                    states: Arc::clone(&self.states),
                };
                self.tasks.spawn(async move {
                    token.run_until_cancelled(link.watched()).await;
                });
            }
        }
    }

    /// The state of the stream to each partner.
    pub(crate) fn states(&self) -> BTreeMap<Jurisdiction, LinkState> {
        self.states
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many dispatches a partner deferred when they were last sent, and why it deferred the oldest of them.
    pub(crate) fn deferred_by(&self, partner: Jurisdiction) -> Option<(usize, NotYet)> {
        self.outbox.deferred_by(partner)
    }

    /// Waits until all tasks have stopped. The owner of the stop token cancels it first.
    pub(crate) async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The task of one partner.
struct Link {
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
    witness: Arc<Witness>,
    directory: Arc<Directory>,
    carrier: Arc<dyn Carrier>,
    options: CourierOptions,
    partner: Arc<Partner>,
    states: Arc<Mutex<BTreeMap<Jurisdiction, LinkState>>>,
}

/// Why a stream ended.
enum Ended {
    /// It reached its age limit; reopen it at once.
    Aged,
    /// Something failed; `worked` tells whether anything was delivered before.
    Failed { why: String, worked: bool },
}

/// Whether a task ended in a panic, which then affects nothing else.
async fn panics(task: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(task).catch_unwind().await.is_err()
}

impl Link {
    /// Runs the task again after a panic: nothing that a partner says stops deliveries to it permanently.
    async fn watched(&self) {
        while panics(self.run()).await {
            let partner = self.partner.code;
            tracing::error!(%partner, "the courier to a partner panicked; it starts again");
            metrics::counter!("yichuan_stream_failures_total", "partner" => partner.to_string())
                .increment(1);
            self.state(LinkState::Down(
                "the courier to the partner panicked".into(),
            ));
            tokio::time::sleep(self.options.retry_max).await;
        }
    }

    async fn run(&self) {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.options.retry_min)
            .with_max_delay(self.options.retry_max)
            .with_jitter()
            .without_max_times();
        let mut waits = backoff.build();
        loop {
            match self.stream().await {
                Ended::Aged => waits = backoff.build(),
                Ended::Failed { why, worked } => {
                    let partner = self.partner.code;
                    tracing::info!(%partner, why, "the stream to a partner is down");
                    metrics::counter!("yichuan_stream_failures_total", "partner" => partner.to_string())
                        .increment(1);
                    self.state(LinkState::Down(why));
                    self.outbox.own_log().partner_unreachable(partner);
                    if worked {
                        waits = backoff.build();
                    }
                    tokio::time::sleep(waits.next().unwrap_or(self.options.retry_max)).await;
                }
            }
        }
    }

    fn state(&self, state: LinkState) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.insert(self.partner.code, state);
    }

    /// Opens one stream and works until it ends.
    async fn stream(&self) -> Ended {
        let mut worked = false;
        match self.open().await {
            Ok((session, opened)) => {
                self.state(LinkState::Up);
                tracing::info!(partner = %self.partner.code, "the stream to a partner is up");
                match self.work(session, opened, &mut worked).await {
                    Ok(()) => Ended::Aged,
                    Err(error) => {
                        if let OutboxError::Tree(fault @ TreeFault::Irreconcilable { .. }) = &error
                        {
                            self.inbox.keep_evidence(&self.partner, fault, None).await;
                        }
                        Ended::Failed {
                            why: error.to_string(),
                            worked,
                        }
                    }
                }
            }
            Err(why) => Ended::Failed { why, worked },
        }
    }

    async fn open(&self) -> Result<(OutboundSession, Opened), String> {
        let partner = Arc::clone(&self.partner);
        let witnessed = self.witness.notes_for(&self.directory, partner.code);
        let (hello, opening) = self.outbox.greeting(
            &partner,
            self.carrier.own_crl(),
            witnessed,
            self.inbox.now_s(),
        );
        let opened = self.carrier.open(Arc::clone(&partner), hello);
        let opened = tokio::time::timeout(self.options.open_within, opened)
            .await
            .map_err(|_| "the partner did not answer in time".to_owned())?;
        let opened = match opened {
            Ok(opened) => opened,
            Err(CarrierError { why, disowned }) => {
                if let Some(head) = disowned {
                    // First of all: a starting node waits for this, and storing evidence waits for the starting node.
                    self.outbox.own_log().partner_unreachable(partner.code);
                    self.inbox.disowned(&partner, &head).await;
                }
                return Err(why);
            }
        };
        let welcome = &opened.welcome;
        // Before anything that may write: a starting node waits for this.
        self.outbox
            .own_log()
            .partner_holds(partner.code, &welcome.checkpoint)
            .await
            .map_err(|error| error.to_string())?;
        self.inbox.saw_clock(partner.code, welcome.time_s);
        self.carrier
            .partner_crl(Arc::clone(&partner), welcome.crl.clone())
            .await;
        self.inbox
            .compare_witnessed(&partner, &welcome.witnessed)
            .await;
        let session = self
            .outbox
            .open_session(partner, opening, welcome)
            .await
            .map_err(|error| error.to_string())?;
        Ok((session, opened))
    }

    async fn work(
        &self,
        mut session: OutboundSession,
        mut opened: Opened,
        worked: &mut bool,
    ) -> Result<(), OutboxError> {
        let mut news = self.outbox.work(self.partner.code);
        let gone = || OutboxError::Log("the stream to the partner ended".into());
        let aged = Instant::now() + self.options.stream_age;
        // When the oldest delivery under way must have its answer. New deliveries do not extend it.
        let mut due = None;
        // When the deferred dispatches are sent again, and how long the last wait was.
        let (mut again, mut pause) = (None, self.options.again_min);
        loop {
            news.mark_unchanged();
            let mut is_again = again.is_some_and(|at| at <= Instant::now());
            if is_again && session.under_way() == 0 {
                pause = match session.again() {
                    true => self.options.again_min,
                    false => pause.saturating_mul(2).min(self.options.again_max),
                };
                (again, is_again) = (None, false);
            }
            // A stream past its age limit, or one that is to start over, takes no more deliveries, so that it ends even
            // under steady traffic.
            while !is_again
                && Instant::now() < aged
                && let Some(delivery) = self.outbox.next_delivery(&mut session).await?
            {
                opened.deliveries.send(delivery).await.map_err(|_| gone())?;
            }
            if session.has_deferred() && again.is_none() {
                again = Some(Instant::now() + pause);
            }
            let again_at = again.unwrap_or(aged);
            let idle = session.under_way() == 0;
            if idle {
                due = None;
                if !session.has_deferred() {
                    pause = self.options.again_min;
                }
            }
            let answer_by = match due {
                Some(by) => by,
                None => Instant::now() + self.options.answer_within,
            };
            if !idle {
                due = Some(answer_by);
            }
            tokio::select! {
                answers = opened.answers.recv() => {
                    let answers = answers
                        .ok_or_else(gone)?
                        .map_err(|error| OutboxError::Log(error.to_string()))?;
                    let cosigned_at_s = answers.cosigned_at_s;
                    let logged = self.outbox.log_answers(&mut session, answers).await?;
                    self.inbox.saw_clock(self.partner.code, cosigned_at_s);
                    *worked = true;
                    due = None;
                    let partner = self.partner.code.to_string();
                    metrics::counter!("yichuan_receipts_total", "partner" => partner.clone())
                        .increment(logged.received.try_into().unwrap_or(u64::MAX));
                    metrics::counter!("yichuan_refusals_total", "partner" => partner)
                        .increment(logged.refused.try_into().unwrap_or(u64::MAX));
                }
                changed = news.changed() => changed.map_err(|_| gone())?,
                () = tokio::time::sleep_until(answer_by), if !idle => {
                    return Err(OutboxError::Log("the partner did not answer a delivery in time".into()));
                }
                () = tokio::time::sleep_until(again_at), if idle && again.is_some() => {}
                () = tokio::time::sleep_until(aged), if idle => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: a panic in the task of a partner ended it, and nothing went to that partner any more.
    #[tokio::test]
    async fn regression_a_panic_in_the_task_of_a_partner_is_survived() {
        let odd = String::from("the partner said something odd");
        assert!(panics(async { assert!(odd.is_empty()) }).await);
        assert!(!panics(async {}).await);
    }
}
