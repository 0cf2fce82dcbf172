//! Receives a delivery: verifies it, judges its dates, and hands it to the log.

use super::{
    BYTES_PER_DELIVERY, DISPATCHES_PER_DELIVERY, Delivery, Inbox, Lane, NotYet, Proved,
    SKEW_ABSURD_S, Tree, TreeFault,
    accept::Accept,
    answer_delivery::PendingAnswers,
    evidence,
    inbound_session::{InboundSession, SessionFault},
    outbox::log_error,
    verify::{verify_dispatch, verify_tree},
};
use crate::{
    domain::Jurisdiction, entry::Refusal, log::Proposal, note::SignedCheckpoint, seal::PurgeMonth,
};
use std::sync::{Arc, PoisonError};

impl Inbox {
    /// Verifies a delivery and hands it to the log. Returns as soon as it is queued, so that the next one can be
    /// verified while this one is synced.
    ///
    /// # Errors
    /// The stream must be closed; nothing of the delivery is stored.
    pub(crate) async fn receive(
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
        let deferred = Arc::clone(&session.deferred);
        if deferred
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
        let accept = Accept {
            own: self.own,
            partner: Arc::clone(&partner),
            theirs: theirs.clone(),
            vault: Arc::clone(&self.vault),
            witness: Arc::clone(&self.witness),
            admission: Arc::clone(&self.admission),
            deferred,
        };
        let kept = self
            .log
            .submit(Proposal::new(move |txn| accept.accept_all(txn, &proved)))
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
}
