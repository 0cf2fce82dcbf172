//! The outbox: dispatches that are in this log and whose receipt is not.

use super::{
    Answer, Answers, Delivery, DisclosedTrees, Greeting, Lane, NotYet, Opening, OwnLog, PROTOCOL,
    Partner, RowError, Tree, TreeFault, Vault, VaultError, Witness,
    build_delivery::{BuiltDelivery, build_delivery},
    deferral::DEFERRED_LIMIT,
    evidence,
    log_answers::{AnswerVerifier, LoggedAnswers, log_answers},
    rows::DispatchRow,
    verify::verify_tree,
};
use crate::{
    domain::{DispatchId, EntryId, Handling, Jurisdiction, RecordId, ReturnReason, Urgency},
    entry::{
        Cause, Content, DISPATCH_LEAF_LIMIT, DecodedEntry, DispatchAction, DispatchSent, Entry,
        Kind, Terms,
    },
    log::{Log, Proposal, ProposeError, ReadError, Reader, Txn, TxnError},
    merkle::{self, Hash},
    note::{Cosignature, SignedCheckpoint},
    seal::{Commitment, SealedPayload},
    store::tables,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// How many deliveries may be under way on one stream.
pub(super) const DELIVERIES_UNDER_WAY: usize = 8;

/// A round stops after this many deferred dispatches: a partner that accepts none need not be shown all of them.
const PUT_OFF_PER_ROUND: usize = DEFERRED_LIMIT / 2;

/// A dispatch to be sent.
#[derive(Debug)]
pub struct Draft {
    /// Who sends it and why.
    pub cause: Cause,
    /// Its id; the payload is sealed for it.
    pub dispatch_id: DispatchId,
    /// The partner node it goes to.
    pub to: Jurisdiction,
    /// What it says or does.
    pub action: DispatchAction,
    /// The record that it opens or acts on.
    pub record: RecordId,
    /// How urgent.
    pub urgency: Urgency,
    /// How to be handled.
    pub handling: Handling,
    /// Deadlines and retention.
    pub terms: Terms,
    /// On a return.
    pub return_reason: Option<ReturnReason>,
    /// What it follows.
    pub predecessors: Vec<Hash>,
    /// What the payload says, if it is known.
    pub content: Option<Content>,
    /// The payload.
    pub sealed: SealedPayload,
    /// The commitment to its content.
    pub commitment: Commitment,
}

impl Draft {
    /// The public part of the dispatch, as sent from this jurisdiction.
    pub fn sent(&self, from: Jurisdiction) -> DispatchSent {
        DispatchSent {
            dispatch_id: self.dispatch_id,
            from,
            to: self.to,
            action: self.action,
            record: self.record,
            urgency: self.urgency,
            handling: self.handling,
            terms: self.terms,
            return_reason: self.return_reason,
            predecessors: self.predecessors.clone(),
            ciphertext_sha256: self.sealed.sha256,
            ciphertext_length: u32::try_from(self.sealed.ciphertext.len()).unwrap_or(u32::MAX),
            commitment: self.commitment,
        }
    }
}

/// A dispatch in the log, within the transaction that put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
}

/// A dispatch cannot be staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The payload cannot be stored.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The transaction refused.
    #[error(transparent)]
    Txn(#[from] TxnError),
    /// Its public part is over the limit.
    #[error("the public part of a dispatch is at most {DISPATCH_LEAF_LIMIT} bytes, this is {0}")]
    TooLong(usize),
}

/// The outbox could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The log failed to read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A row failed to read.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A payload failed to open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The log takes no writes.
    #[error("{0}")]
    Log(String),
    /// The partner's tree or proofs do not verify.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// The partner speaks another version.
    #[error("the partner speaks exchange protocol {0}, this node {PROTOCOL}; update the older one")]
    Protocol(u32),
    /// The partner says that it verified a tree of ours that our log does not contain.
    #[error(
        "the partner verified our log at size {size}, which ours does not continue: this store was rolled back or \
         replaced. Put the newer store back; where it is lost, only a successor log goes on"
    )]
    NotOurTree {
        /// The size that it claims.
        size: u64,
    },
    /// An answer does not belong to what was sent.
    #[error("the partner's answer does not fit the delivery: {0}")]
    Answer(&'static str),
}

/// The outbox of a node.
pub struct Outbox {
    log: Log,
    own: Jurisdiction,
    vault: Arc<Vault>,
    witness: Arc<Witness>,
    shown: Arc<DisclosedTrees>,
    own_log: Arc<OwnLog>,
    /// Why each partner last deferred the dispatches that wait for it, by index; bounded.
    put_off: Mutex<BTreeMap<Jurisdiction, BTreeMap<u64, NotYet>>>,
    /// For each partner, the index after the newest dispatch that was staged and not announced yet. A proposal that was
    /// dropped also leaves a value here, and wakes a courier for nothing.
    staged: Mutex<BTreeMap<Jurisdiction, u64>>,
    /// Wakes each partner's courier, which then knows without reading whether there may be work.
    bells: Mutex<BTreeMap<Jurisdiction, watch::Sender<u64>>>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// The outbox of the node that owns this log.
    pub fn new(
        log: Log,
        own: Jurisdiction,
        vault: Arc<Vault>,
        witness: Arc<Witness>,
        shown: Arc<DisclosedTrees>,
        own_log: Arc<OwnLog>,
    ) -> Self {
        Self {
            log,
            own,
            vault,
            witness,
            shown,
            own_log,
            put_off: Mutex::default(),
            staged: Mutex::default(),
            bells: Mutex::default(),
        }
    }

    /// Puts a dispatch into the log and the outbox, as part of the caller's transaction.
    ///
    /// # Errors
    /// The payload cannot be stored, the transaction refused, or the public part is too long.
    pub fn stage(&self, txn: &mut Txn<'_>, draft: &Draft) -> Result<Staged, StageError> {
        let index = txn.size();
        let entry = Entry {
            time: txn.now(),
            id: EntryId::new(txn.now()),
            cause: draft.cause.clone(),
            kind: Kind::DispatchSent(draft.sent(self.own)),
        };
        let leaf = entry.encode();
        if leaf.len() > DISPATCH_LEAF_LIMIT {
            return Err(StageError::TooLong(leaf.len()));
        }
        let leaf_hash = merkle::leaf_hash(&leaf);
        self.vault.stage(
            txn,
            index,
            draft.terms.purge_month,
            draft.dispatch_id,
            &draft.sealed.ciphertext,
            &draft.sealed.key,
        )?;
        let row = DispatchRow {
            index,
            leaf_hash,
            record: draft.record,
        };
        txn.put(
            tables::dispatch(self.own, draft.dispatch_id),
            row.to_bytes(),
        )?;
        txn.put(
            tables::outbox(draft.to, index),
            draft.dispatch_id.as_bytes().to_vec(),
        )?;
        let known = DecodedEntry {
            content: draft.content.as_ref(),
            ..DecodedEntry::from(&entry)
        };
        txn.append_decoded(leaf, known)?;
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.insert(draft.to, index + 1);
        Ok(Staged { index, leaf_hash })
    }

    /// Wakes couriers when what was staged for their partner is published, so that the caller that staged it need not
    /// wait. Runs until the log is gone.
    pub async fn announce(&self) {
        let mut published = self.log.subscribe();
        loop {
            let size = published.borrow_and_update().size();
            let mut due = Vec::new();
            {
                let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
                staged.retain(|to, newest| {
                    let is_due = *newest <= size;
                    if is_due {
                        due.push((*to, *newest));
                    }
                    !is_due
                });
            }
            for (to, newest) in due {
                self.bell(to).send_replace(newest);
            }
            if published.changed().await.is_err() {
                return;
            }
        }
    }

    /// Wakes when there may be new work for `to`.
    pub(super) fn work(&self, to: Jurisdiction) -> watch::Receiver<u64> {
        self.bell(to).subscribe()
    }

    fn bell(&self, to: Jurisdiction) -> watch::Sender<u64> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(to).or_default().clone()
    }

    /// How many dispatches wait for `to`'s receipt, counted up to `limit`.
    ///
    /// # Errors
    /// The store failed.
    pub fn waiting(reader: &Reader, to: Jurisdiction, limit: usize) -> Result<usize, ReadError> {
        let (from, end) = (tables::outbox(to, 0), tables::outbox(to, u64::MAX));
        let rows = reader.range(&from, &end, crate::store::Order::Ascending, limit)?;
        Ok(rows.len())
    }

    /// How many dispatches wait for `to`'s receipt: all of them, with `at_once` rows in memory at a time.
    ///
    /// # Errors
    /// The store failed.
    pub fn count(reader: &Reader, to: Jurisdiction, at_once: usize) -> Result<usize, ReadError> {
        let end = tables::outbox(to, u64::MAX);
        let mut from = tables::outbox(to, 0);
        let mut count = 0;
        loop {
            let rows = reader.range(&from, &end, crate::store::Order::Ascending, at_once.max(1))?;
            count += rows.len();
            match rows.last().and_then(|(key, _)| tables::outbox_index(key)) {
                Some(last) => from = tables::outbox(to, last.saturating_add(1)),
                None => return Ok(count),
            }
        }
    }

    /// Why the dispatch at `index` is still in the outbox, if `to` deferred it when it was last sent.
    pub fn put_off(&self, to: Jurisdiction, index: u64) -> Option<NotYet> {
        let put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        put_off.get(&to)?.get(&index).copied()
    }

    /// How many dispatches `to` deferred when they were last sent, and why the oldest of them. Counted up to a bound.
    pub fn put_off_by(&self, to: Jurisdiction) -> Option<(usize, NotYet)> {
        let put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = put_off.get(&to)?;
        let (_, why) = waiting.first_key_value()?;
        Some((waiting.len(), *why))
    }

    /// Returns true if it was deferred before and is answered now.
    fn note_put_off(&self, to: Jurisdiction, index: u64, why: Option<NotYet>) -> bool {
        let mut put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = put_off.entry(to).or_default();
        match why {
            Some(why) if waiting.len() < DEFERRED_LIMIT || waiting.contains_key(&index) => {
                waiting.insert(index, why);
            }
            None if waiting.remove(&index).is_some() => {}
            Some(_) | None => return false,
        }
        let partner = to.to_string();
        // Bounded: far below 2^53.
        metrics::gauge!("yichuan_outbox_put_off", "partner" => partner).set(waiting.len() as f64);
        why.is_none()
    }

    /// What partners hold of this node's log.
    pub(super) fn own_log(&self) -> &OwnLog {
        &self.own_log
    }

    /// This node's greeting when it opens a stream to `partner`, and the opening to which the answer is compared.
    pub(super) fn greeting(
        &self,
        partner: &Partner,
        crl: Vec<u8>,
        witnessed: Vec<Vec<u8>>,
        time_s: u64,
    ) -> (Greeting, Opening) {
        let opening = self.witness.open(partner, Lane::Answers);
        let greeting = Greeting {
            protocol: PROTOCOL,
            verified: opening.tree.clone(),
            crl,
            witnessed,
            asked: opening.asked.iter().map(|(_, it)| it.size()).collect(),
            checkpoint: opening.note.clone(),
            time_s,
        };
        (greeting, opening)
    }

    /// Checks the partner's welcome: which of our trees it verified last. Deliveries continue from there.
    ///
    /// # Errors
    /// Another protocol version, or a tree that ours does not continue.
    pub(super) async fn open_session(
        &self,
        partner: Arc<Partner>,
        opening: Opening,
        welcome: &Greeting,
    ) -> Result<OutboundSession, OutboxError> {
        if welcome.protocol != PROTOCOL {
            return Err(OutboxError::Protocol(welcome.protocol));
        }
        let Tree { origin, size, root } = welcome.verified.clone();
        let own_origin = self.log.origin().to_owned();
        let ours = self
            .log
            .read(move |reader| own_tree(reader, &own_origin, &origin, size, root))
            .await??;
        self.shown.open(partner.code, Lane::Deliveries, ours.size);
        Ok(OutboundSession {
            partner,
            sent: ours,
            opening,
            wanted: welcome.asked.iter().copied().collect(),
            cursor: 0,
            put_off: 0,
            took_some: false,
            sequence: 0,
            under_way: VecDeque::new(),
        })
    }

    /// The next delivery, if there is something to deliver and room for another one under way.
    ///
    /// # Errors
    /// The log, a payload or a proof could not be read.
    pub(super) async fn next_delivery(
        &self,
        session: &mut OutboundSession,
    ) -> Result<Option<Delivery>, OutboxError> {
        if session.under_way.len() >= DELIVERIES_UNDER_WAY || session.put_off >= PUT_OFF_PER_ROUND {
            return Ok(None);
        }
        let (to, own, cursor) = (session.partner.code, self.own, session.cursor);
        let (vault, sent) = (Arc::clone(&self.vault), session.sent.clone());
        let (shown, wanted) = (Arc::clone(&self.shown), session.wanted.clone());
        let gathered = self.log.read(move |reader| {
            build_delivery(reader, &vault, (own, to), cursor, &sent, (&shown, wanted))
        });
        let Some(BuiltDelivery {
            checkpoint,
            consistency,
            linked,
            dispatches,
        }) = gathered.await??
        else {
            return Ok(None);
        };
        session.wanted.clear();
        session.sequence += 1;
        session.cursor = dispatches.last().map_or(cursor, |d| d.index + 1);
        session.sent = Tree {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: *checkpoint.root(),
        };
        session.under_way.push_back(UnderWay {
            sequence: session.sequence,
            checkpoint: Arc::clone(&checkpoint),
            dispatches: dispatches
                .iter()
                .map(|d| (d.index, d.entry.clone()))
                .collect(),
        });
        Ok(Some(Delivery {
            sequence: session.sequence,
            checkpoint: checkpoint.note().as_bytes().to_vec(),
            consistency,
            dispatches,
            linked,
            verified_size: self.witness.tree(&session.partner).size,
        }))
    }

    /// Verifies the partner's answers to the oldest delivery under way, and logs them: every dispatch in it leaves the
    /// outbox with its proof.
    ///
    /// # Errors
    /// Something does not verify, so the stream must be closed; or the log takes no writes.
    pub(super) async fn log_answers(
        &self,
        session: &mut OutboundSession,
        answers: Answers,
    ) -> Result<LoggedAnswers, OutboxError> {
        self.shown
            .verified(session.partner.code, answers.verified_size);
        let under_way = session
            .under_way
            .pop_front()
            .filter(|u| u.sequence == answers.sequence)
            .ok_or(OutboxError::Answer("it answers no delivery under way"))?;
        let partner = Arc::clone(&session.partner);
        let theirs = verify_tree(
            &partner,
            &session.opening.tree,
            &answers.checkpoint,
            &answers.consistency,
        )?;
        // The stream that the partner opened, or another partner, may have shown this log differently.
        let number = session.opening.number;
        self.witness
            .take(&partner, Lane::Answers, number, &theirs, &answers.linked)?;
        let asked = std::mem::take(&mut session.opening.asked);
        let contradicting =
            self.witness
                .compare_asked(&partner, asked, &theirs, &answers.linked)?;
        let (log, witness) = (&self.log, &self.witness);
        evidence::keep_all((log, self.own), witness, &partner, contradicting).await;
        let cosignature = Cosignature {
            at_seconds: answers.cosigned_at_s,
            signature: answers.cosignature,
        };
        partner
            .key
            .verify_cosignature(under_way.checkpoint.checkpoint(), &cosignature)
            .map_err(TreeFault::Cosignature)?;
        if answers.answers.len() != under_way.dispatches.len() {
            return Err(OutboxError::Answer("the counts differ"));
        }
        let settling = AnswerVerifier {
            own: &self.log.verifier_key(),
            shown: &under_way.checkpoint,
            partner: &partner,
            theirs: &theirs,
            cosignature: &cosignature,
        };
        let mut kinds = Vec::with_capacity(answers.answers.len());
        for (answer, (index, leaf)) in answers.answers.into_iter().zip(&under_way.dispatches) {
            let why = match answer {
                Answer::Proof(answer) => {
                    kinds.push(settling.one(answer, *index, leaf)?);
                    None
                }
                Answer::NotYet(why) => {
                    session.put_off += 1;
                    Some(why)
                }
            };
            session.took_some |= self.note_put_off(partner.code, *index, why);
        }
        session.opening.tree = Tree {
            origin: theirs.origin().to_owned(),
            size: theirs.size(),
            root: *theirs.root(),
        };
        let (witness, own, to) = (Arc::clone(&self.witness), self.own, partner.code);
        let proposal =
            Proposal::new(move |txn| log_answers(txn, &witness, own, to, &theirs, &kinds));
        let logged = self.log.propose(proposal).await.map_err(log_error)?;
        Ok(logged.into_inner())
    }
}

/// One stream to a partner.
#[derive(Debug)]
pub struct OutboundSession {
    partner: Arc<Partner>,
    /// Our tree that the partner will have verified once it has read everything that was sent.
    sent: Tree,
    /// The partner's tree verified last on this stream, and what its first answers are compared with.
    opening: Opening,
    /// Sizes that the first delivery must link.
    wanted: BTreeSet<u64>,
    /// Outbox rows below this index were sent on this stream.
    cursor: u64,
    /// Dispatches that the partner deferred since the cursor was at the start.
    put_off: usize,
    /// Whether it has since answered any that it had deferred before.
    took_some: bool,
    sequence: u64,
    under_way: VecDeque<UnderWay>,
}

impl OutboundSession {
    /// Whether something was deferred and must be sent again.
    pub(super) const fn is_put_off(&self) -> bool {
        self.put_off > 0
    }

    /// Starts over at the oldest dispatch. Returns whether the partner answered a deferred one meanwhile.
    pub(super) fn again(&mut self) -> bool {
        (self.cursor, self.put_off) = (0, 0);
        std::mem::take(&mut self.took_some)
    }

    /// How many deliveries have no answer yet.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }
}

#[derive(Debug)]
struct UnderWay {
    sequence: u64,
    checkpoint: Arc<SignedCheckpoint>,
    dispatches: Vec<(u64, Vec<u8>)>,
}

/// The tree that a partner says it verified, if it is one of ours.
pub(super) fn own_tree(
    reader: &Reader,
    own_origin: &str,
    origin: &str,
    size: u64,
    root: Hash,
) -> Result<Tree, OutboxError> {
    let not_ours = OutboxError::NotOurTree { size };
    if size > reader.size() || (size > 0 && origin != own_origin) {
        return Err(not_ours);
    }
    if reader.proofs().root(size)? != root {
        return Err(not_ours);
    }
    Ok(Tree {
        origin: own_origin.to_owned(),
        size,
        root,
    })
}

pub(super) fn log_error<E: std::fmt::Display>(error: ProposeError<E>) -> OutboxError {
    OutboxError::Log(error.to_string())
}
