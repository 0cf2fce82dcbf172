//! The inbox: it verifies deliveries before it believes anything in them, stores them, and answers with proof.

use super::{
    Answer, AnswerProof, Answers, BYTES_PER_DELIVERY, ClockSkews, DISPATCHES_PER_DELIVERY,
    Delivery, Directory, DisclosedTrees, Greeting, Lane, NotYet, Opening, OutboxError, OwnLog,
    PROTOCOL, Partner, Proved, RowError, SKEW_ABSURD_S, Tree, TreeFault, Unfit, Vault, VaultError,
    Witness,
    accept::{Accept, AcceptError, AcceptOutcome},
    deferral::DeferredDispatches,
    disclosed_trees::links,
    evidence,
    outbox::{log_error, own_tree},
    verify::{VerifiedDispatch, verify_dispatch, verify_tree},
};
use crate::{
    domain::{Clock, Jurisdiction},
    entry::Refusal,
    log::{Durable, Log, Pending, Proposal, ProposeError, Txn},
    note::{LogSigner, SignedCheckpoint},
    seal::PurgeMonth,
    store::DiskShort,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// Decides whether a verified dispatch is admitted. The rules of each kind live above the exchange.
pub trait Admission: Send + Sync + fmt::Debug {
    /// Judges a dispatch with everything before it in view.
    ///
    /// # Errors
    /// A refusal, which is logged and proved to the sender; a temporary reason, so that it is sent again; or the store
    /// failed.
    fn admit(
        &self,
        txn: &mut Txn<'_>,
        dispatch: &VerifiedDispatch,
    ) -> Result<Result<(), Unfit>, RowError>;

    /// Whether a partner is in force with exactly this card, with everything before it in view.
    ///
    /// # Errors
    /// The store failed.
    fn is_in_force(&self, txn: &mut Txn<'_>, partner: &Partner) -> Result<bool, RowError>;
}

/// Why a stream is closed.
#[derive(Debug, thiserror::Error)]
pub enum SessionFault {
    /// The partner speaks another version.
    #[error("exchange protocol {0} is not spoken here, this node speaks {PROTOCOL}")]
    Protocol(u32),
    /// What the partner claims about its log does not verify.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// The partner says that it verified a tree of ours that our log does not contain; or our log failed.
    #[error(transparent)]
    Own(#[from] OutboxError),
    /// Deliveries are numbered from 1.
    #[error("delivery {found} came where {expected} was due")]
    Sequence {
        /// The number expected.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// A message makes no sense.
    #[error("the stream is malformed: {0}")]
    Malformed(String),
    /// Too many dispatches in one delivery.
    #[error("a delivery carries 1 to {DISPATCHES_PER_DELIVERY} dispatches, this {0}")]
    Count(usize),
    /// Too many bytes in one delivery.
    #[error(
        "a delivery of more than one dispatch carries at most {BYTES_PER_DELIVERY} bytes of ciphertext, this {0}"
    )]
    Bytes(usize),
    /// The partner opened a newer stream.
    #[error("a newer stream from this partner took over, or its card is no more in force")]
    TakenOver,
    /// The stream brings more and more dispatches that cannot be accepted yet.
    #[error(
        "too many dispatches on this stream are not taken yet; bring the oldest ones again first"
    )]
    TooManyDeferred,
    /// A payload cannot be stored.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There is no room for what is delivered.
    #[error(transparent)]
    Disk(#[from] DiskShort),
}

/// The receiving side of a node.
pub struct Inbox {
    log: Log,
    own: Jurisdiction,
    signer: Arc<LogSigner>,
    clock: Arc<dyn Clock>,
    vault: Arc<Vault>,
    witness: Arc<Witness>,
    shown: Arc<DisclosedTrees>,
    directory: Arc<Directory>,
    admission: Arc<dyn Admission>,
    own_log: Arc<OwnLog>,
    skews: Arc<ClockSkews>,
    /// The newest stream of each partner: the card under which it was opened, and the token that ends it when a newer
    /// stream takes over or the card is no longer in force.
    streams: Mutex<BTreeMap<Jurisdiction, (Arc<Partner>, CancellationToken)>>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// One stream from a partner, on the side that reads deliveries.
#[derive(Debug)]
pub struct InboundSession {
    partner: Arc<Partner>,
    taken_over: CancellationToken,
    opening: Opening,
    expected: u64,
    put_off: Arc<Mutex<DeferredDispatches>>,
    answering: Option<Answering>,
}

/// The state from which the answers on one stream continue.
#[derive(Debug)]
pub struct Answering {
    partner: Jurisdiction,
    /// Our tree that the partner will have verified once it has read all answers.
    answered: Tree,
    /// Sizes that the first answers must link.
    wanted: BTreeSet<u64>,
}

/// A delivery that is verified and handed to the log; its answers follow when it is durable.
#[derive(Debug)]
pub struct PendingAnswers {
    sequence: u64,
    partner: Arc<Partner>,
    theirs: SignedCheckpoint,
    kept: Pending<Vec<AcceptOutcome>, AcceptError>,
}

/// The parts of a node's receiving side.
#[derive(Debug)]
pub struct InboxParts {
    /// The node's jurisdiction.
    pub own: Jurisdiction,
    /// Signs cosignatures.
    pub signer: Arc<LogSigner>,
    /// For cosignatures.
    pub clock: Arc<dyn Clock>,
    /// Stores payloads.
    pub vault: Arc<Vault>,
    /// Remembers partners' trees.
    pub witness: Arc<Witness>,
    /// Remembers which of our trees partners were shown.
    pub shown: Arc<DisclosedTrees>,
    /// The partners.
    pub directory: Arc<Directory>,
    /// The rules of each kind of dispatch.
    pub admission: Arc<dyn Admission>,
    /// What partners hold of our log.
    pub own_log: Arc<OwnLog>,
    /// How far their clocks are from ours.
    pub skews: Arc<ClockSkews>,
}

impl Inbox {
    /// The receiving side of the node that owns this log.
    pub fn new(log: Log, parts: InboxParts) -> Self {
        let InboxParts {
            own,
            signer,
            clock,
            vault,
            witness,
            shown,
            directory,
            admission,
            own_log,
            skews,
        } = parts;
        Self {
            log,
            own,
            signer,
            clock,
            vault,
            witness,
            shown,
            directory,
            admission,
            own_log,
            skews,
            streams: Mutex::default(),
        }
    }

    /// Answers a partner's hello.
    ///
    /// # Errors
    /// Another protocol version; the partner verified a tree of ours that our log does not continue; or its card was
    /// replaced or suspended meanwhile.
    pub async fn greet(
        &self,
        partner: Arc<Partner>,
        hello: &Greeting,
        crl: Vec<u8>,
    ) -> Result<(InboundSession, Greeting), SessionFault> {
        if hello.protocol != PROTOCOL {
            return Err(SessionFault::Protocol(hello.protocol));
        }
        self.own_log.heard(partner.code, &hello.checkpoint).await?;
        self.saw_clock(partner.code, hello.time_s);
        let Tree { origin, size, root } = hello.verified.clone();
        let own_origin = self.log.origin().to_owned();
        let answered = self
            .log
            .read(move |reader| own_tree(reader, &own_origin, &origin, size, root))
            .await
            .map_err(OutboxError::from)??;
        self.compare_witnessed(&partner, &hello.witnessed).await;
        let taken_over = CancellationToken::new();
        {
            let mut streams = self.streams();
            // Under the lock that `follow` takes: a stream that `follow` did not find sees the directory that it
            // followed.
            if self.directory.get(partner.code).as_ref() != Some(&partner) {
                return Err(SessionFault::TakenOver);
            }
            let stream = (Arc::clone(&partner), taken_over.clone());
            if let Some((_, older)) = streams.insert(partner.code, stream) {
                older.cancel();
            }
        }
        self.shown.open(partner.code, Lane::Answers, answered.size);
        let opening = self.witness.open(&partner, Lane::Deliveries);
        let welcome = Greeting {
            protocol: PROTOCOL,
            verified: opening.tree.clone(),
            crl,
            witnessed: self.witness.notes_for(&self.directory, partner.code),
            asked: opening.asked.iter().map(|(_, it)| it.size()).collect(),
            checkpoint: opening.note.clone(),
            time_s: self.clock.now().seconds(),
        };
        let answering = Answering {
            partner: partner.code,
            answered,
            wanted: hello.asked.iter().copied().collect(),
        };
        let session = InboundSession {
            partner,
            taken_over,
            opening,
            expected: 1,
            put_off: Arc::default(),
            answering: Some(answering),
        };
        Ok((session, welcome))
    }

    /// Ends the streams of partners whose card is no longer in force: replaced, suspended or removed. They reopen under
    /// the card that is in force, if there is one.
    pub fn follow(&self) {
        let partners = self.directory.snapshot();
        self.streams().retain(|code, (partner, stream)| {
            let stays = partners.get(code).is_some_and(|now| now == partner);
            if !stays {
                stream.cancel();
            }
            stays
        });
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<Jurisdiction, (Arc<Partner>, CancellationToken)>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the checkpoints of common partners that somebody showed with our own, and keeps contradictions as
    /// evidence.
    pub async fn compare_witnessed(&self, shown_by: &Partner, notes: &[Vec<u8>]) {
        let partners = self.directory.snapshot();
        // By name, so that a note costs one verification, however many partners there are.
        let others: BTreeMap<&str, &Arc<Partner>> = partners
            .values()
            .filter(|partner| partner.code != shown_by.code)
            .map(|partner| (partner.key.name(), partner))
            .collect();
        for note in notes.iter().take(super::WITNESSED_LIMIT) {
            let origin = note.split(|byte| *byte == b'\n').next();
            let origin = origin.and_then(|line| str::from_utf8(line).ok());
            if origin == Some(self.log.origin()) {
                if let Err(error) = self.own_log.compare(shown_by.code, note).await {
                    tracing::warn!(partner = %shown_by.code, %error, "what a partner shows of our log");
                }
                continue;
            }
            let Some(partner) = origin.and_then(|origin| others.get(origin)) else {
                continue;
            };
            // Without the partner's signature it proves nothing against it.
            let Ok(shown) = partner.key.verify(note) else {
                continue;
            };
            if let Err(fault) = self.witness.compare(partner, &shown, shown_by.code) {
                self.keep_evidence(partner, &fault, Some(shown_by.code))
                    .await;
            }
        }
    }

    /// A partner closed a stream because its log does not contain what it signed and we hold: `note` is its newest
    /// checkpoint. It is kept as evidence beside ours.
    pub(super) async fn disowned(&self, partner: &Arc<Partner>, note: &[u8]) {
        let Ok(head) = partner.key.verify(note) else {
            return;
        };
        let fault = TreeFault::Irreconcilable {
            verified: self.witness.tree(partner).size,
            checkpoint: Box::new(head),
        };
        self.keep_evidence(partner, &fault, Some(partner.code))
            .await;
    }

    /// This node's clock, seconds since 1970-01-01 UTC.
    pub(super) fn now_s(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// Our newest checkpoint, as a note.
    pub fn head(&self) -> Vec<u8> {
        self.log.checkpoint().note().as_bytes().to_vec()
    }

    /// Writes an irreconcilable checkpoint to the log as evidence. Other faults only cause a warning.
    pub async fn keep_evidence(
        &self,
        partner: &Arc<Partner>,
        fault: &TreeFault,
        shown_by: Option<Jurisdiction>,
    ) {
        let (log, witness) = (&self.log, &self.witness);
        evidence::keep((log, self.own), witness, partner, fault, shown_by).await;
    }

    /// Verifies a delivery and hands it to the log. Returns as soon as it is queued, so that the next one can be
    /// verified while this one is synced.
    ///
    /// # Errors
    /// The stream must be closed; nothing of the delivery is stored.
    pub async fn receive(
        &self,
        session: &mut InboundSession,
        delivery: Delivery,
    ) -> Result<PendingAnswers, SessionFault> {
        self.vault.admit()?;
        if delivery.sequence != session.expected {
            let expected = session.expected;
            return Err(SessionFault::Sequence {
                expected,
                found: delivery.sequence,
            });
        }
        let count = delivery.dispatches.len();
        if !(1..=DISPATCHES_PER_DELIVERY).contains(&count) {
            return Err(SessionFault::Count(count));
        }
        let bytes = delivery.dispatches.iter().map(|d| d.ciphertext.len()).sum();
        if count > 1 && bytes > BYTES_PER_DELIVERY {
            return Err(SessionFault::Bytes(bytes));
        }
        let put_off = Arc::clone(&session.put_off);
        if put_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_full()
        {
            return Err(SessionFault::TooManyDeferred);
        }
        let partner = Arc::clone(&session.partner);
        self.shown.verified(partner.code, delivery.verified_size);
        let theirs = match self.verified(session, &delivery).await {
            Ok(theirs) => theirs,
            Err(TreeFault::Superseded) => return Err(SessionFault::TakenOver),
            Err(fault) => {
                self.keep_evidence(&partner, &fault, None).await;
                return Err(fault.into());
            }
        };
        let mut proved = Vec::with_capacity(count);
        for dispatch in delivery.dispatches {
            let dispatch = verify_dispatch(&partner, self.own, &theirs, dispatch)?;
            proved.push(self.judge_times(partner.code, dispatch).await?);
        }

        if session.taken_over.is_cancelled() {
            return Err(SessionFault::TakenOver);
        }
        let keep = Accept {
            own: self.own,
            partner: Arc::clone(&partner),
            theirs: theirs.clone(),
            vault: Arc::clone(&self.vault),
            witness: Arc::clone(&self.witness),
            admission: Arc::clone(&self.admission),
            put_off,
        };
        let kept = self
            .log
            .submit(Proposal::new(move |txn| keep.all(txn, &proved)))
            .await
            .map_err(log_error)?;
        session.expected += 1;
        session.opening.tree = Tree {
            origin: theirs.origin().to_owned(),
            size: theirs.size(),
            root: *theirs.root(),
        };
        Ok(PendingAnswers {
            sequence: delivery.sequence,
            partner,
            theirs,
            kept,
        })
    }

    /// The partner's tree, checked against everything that was verified of its log before.
    async fn verified(
        &self,
        session: &mut InboundSession,
        delivery: &Delivery,
    ) -> Result<SignedCheckpoint, TreeFault> {
        let (partner, opening) = (&session.partner, &mut session.opening);
        let Delivery {
            checkpoint,
            consistency,
            linked,
            ..
        } = delivery;
        let theirs = verify_tree(partner, &opening.tree, checkpoint, consistency)?;
        self.witness
            .take(partner, Lane::Deliveries, opening.number, &theirs, linked)?;
        let asked = std::mem::take(&mut opening.asked);
        let contradicting = self
            .witness
            .compare_asked(partner, asked, &theirs, linked)?;
        let (log, witness) = (&self.log, &self.witness);
        evidence::keep_all((log, self.own), witness, partner, contradicting).await;
        Ok(theirs)
    }

    /// Notes a partner's clock, as it just stated it; 0 if it did not.
    pub fn saw_clock(&self, partner: Jurisdiction, at_seconds: u64) {
        if at_seconds == 0 {
            return;
        }
        self.skews.saw(partner, at_seconds, self.clock.now());
    }

    /// How far partners' clocks are from ours.
    pub fn skews(&self) -> &ClockSkews {
        &self.skews
    }

    /// Judges everything that is dated: by our clock if the verdict may change when that is set right, by the entry's
    /// own date if it cannot.
    ///
    /// A dispatch dated far in the future is deferred; a clock that is off by less is noted. The sender chooses the
    /// purge month. It is refused if it lies beyond the five years that a record may be kept, or was over on the day of
    /// its entry; the dispatch is deferred if the month is over by now. The month's keys are created, durably, before
    /// the log needs them.
    async fn judge_times(
        &self,
        partner: Jurisdiction,
        dispatch: Proved,
    ) -> Result<(Proved, Option<NotYet>), SessionFault> {
        let Proved::Fit(dispatch) = dispatch else {
            return Ok((dispatch, None));
        };
        let untimely = Some(NotYet::Untimely);
        let (dated, now) = (dispatch.time(), self.clock.now());
        self.skews.saw_entry(partner, dated, now);
        if dated > now.plus_seconds(SKEW_ABSURD_S) {
            return Ok((Proved::Fit(dispatch), untimely));
        }
        let month = dispatch.sent().terms.purge_month;
        // One day of grace: for the sender it may already have been next month.
        let latest = PurgeMonth::years_after(dated.max(now).plus_seconds(SKEW_ABSURD_S), 5);
        if month > latest || month < PurgeMonth::years_after(dated, 0) {
            return Ok((dispatch.into_unfit(Refusal::InvalidContent), None));
        }
        if month < PurgeMonth::years_after(now, 0) {
            return Ok((Proved::Fit(dispatch), untimely));
        }
        self.vault.ready(&self.log, month).await?;
        Ok((Proved::Fit(dispatch), None))
    }

    /// Waits until the delivery is durable, and answers it with proof.
    ///
    /// # Errors
    /// The partner was cut off before it was stored, or the log failed.
    pub async fn answer(
        &self,
        answering: &mut Answering,
        pending: PendingAnswers,
    ) -> Result<Answers, SessionFault> {
        let PendingAnswers {
            sequence,
            partner: of,
            theirs,
            kept,
        } = pending;
        let kept: Durable<Vec<AcceptOutcome>> = kept.await.map_err(|error| {
            if matches!(error, ProposeError::Rejected(AcceptError::CutOff)) {
                SessionFault::TakenOver
            } else {
                log_error(error).into()
            }
        })?;
        let kept = kept.into_inner();
        let (partner, base) = (answering.partner, answering.answered.size);
        let (shown, mut linked) = (Arc::clone(&self.shown), BTreeSet::new());
        linked.append(&mut answering.wanted);
        let (checkpoint, consistency, linked, answers) = self
            .log
            .read(move |reader| {
                // At least as new as the commit that is answered.
                let (checkpoint, others) =
                    shown.show(partner, Lane::Answers, || reader.checkpoint());
                let size = checkpoint.size();
                linked.extend(others);
                let proofs = reader.proofs();
                let mut answers = Vec::with_capacity(kept.len());
                for kept in kept {
                    let (index, entry) = match kept {
                        AcceptOutcome::Entry { index, entry } => (index, entry),
                        AcceptOutcome::NotYet(why) => {
                            answers.push(Answer::NotYet(why));
                            continue;
                        }
                    };
                    let entry = match entry {
                        Some(entry) => entry,
                        None => reader
                            .entry(index)?
                            .ok_or(crate::log::ReadError::NoSuchEntry { index, size })?,
                    };
                    let inclusion = proofs.inclusion(index, size)?;
                    answers.push(Answer::Proof(AnswerProof {
                        index,
                        entry,
                        inclusion,
                    }));
                }
                let consistency = proofs.consistency(base, size)?;
                let linked = links(reader, size, linked)?;
                Ok::<_, crate::log::ReadError>((checkpoint, consistency, linked, answers))
            })
            .await
            .map_err(OutboxError::from)?
            .map_err(OutboxError::from)?;
        let verified_size = self.witness.tree(&of).size;
        let cosigned = self
            .signer
            .cosign(theirs.checkpoint(), self.clock.now().seconds());
        answering.answered = Tree {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: *checkpoint.root(),
        };
        Ok(Answers {
            sequence,
            checkpoint: checkpoint.note().as_bytes().to_vec(),
            consistency,
            cosigned_at_s: cosigned.at_seconds,
            cosignature: cosigned.signature,
            answers,
            linked,
            verified_size,
        })
    }
}

impl InboundSession {
    /// Cancelled when a newer stream of this partner takes over and this one must end.
    pub fn taken_over(&self) -> CancellationToken {
        self.taken_over.clone()
    }

    /// The state from which the answers continue. Whoever writes the answers takes it once.
    pub fn take_answering(&mut self) -> Option<Answering> {
        self.answering.take()
    }
}
