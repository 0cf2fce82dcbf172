//! One stream to a partner: deliveries go out on it, and answers come back.

use super::{
    Answer, Answers, Delivery, Greeting, Lane, Opening, Outbox, OutboxError, PROTOCOL, Partner,
    Tree, TreeFault,
    build_delivery::{BuiltDelivery, build_delivery},
    deferral::DEFERRED_LIMIT,
    evidence,
    outbox::log_error,
    own_log::own_tree,
    receipts::{AnswerVerifier, LoggedAnswers, log_answers},
    verify::verify_tree,
};
use crate::{
    log::Proposal,
    note::{Cosignature, SignedCheckpoint},
};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// How many deliveries may be under way on one stream.
pub(super) const DELIVERIES_UNDER_WAY: usize = 8;

/// A round stops after this many deferred dispatches: a partner that accepts none need not be shown all of them.
const DEFERRED_PER_ROUND: usize = DEFERRED_LIMIT / 2;

/// One stream to a partner.
#[derive(Debug)]
pub(crate) struct OutboundSession {
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
    deferred: usize,
    /// Whether it has since answered any that it had deferred before.
    took_some: bool,
    sequence: u64,
    under_way: VecDeque<UnderWay>,
}

impl OutboundSession {
    /// Whether something was deferred and must be sent again.
    pub(super) const fn has_deferred(&self) -> bool {
        self.deferred > 0
    }

    /// Starts over at the oldest dispatch. Returns whether the partner answered a deferred one meanwhile.
    pub(super) fn again(&mut self) -> bool {
        (self.cursor, self.deferred) = (0, 0);
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

impl Outbox {
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
            deferred: 0,
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
        if session.under_way.len() >= DELIVERIES_UNDER_WAY || session.deferred >= DEFERRED_PER_ROUND
        {
            return Ok(None);
        }
        let (to, own, cursor) = (session.partner.code, self.own, session.cursor);
        let (vault, sent) = (Arc::clone(&self.vault), session.sent.clone());
        let (shown, wanted) = (Arc::clone(&self.shown), session.wanted.clone());
        let built = self.log.read(move |reader| {
            build_delivery(reader, &vault, (own, to), cursor, &sent, (&shown, wanted))
        });
        let Some(BuiltDelivery {
            checkpoint,
            consistency,
            linked,
            dispatches,
        }) = built.await??
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
        let verifier = AnswerVerifier {
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
                    kinds.push(verifier.verify(answer, *index, leaf)?);
                    None
                }
                Answer::NotYet(why) => {
                    session.deferred += 1;
                    Some(why)
                }
            };
            session.took_some |= self.note_deferral(partner.code, *index, why);
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
