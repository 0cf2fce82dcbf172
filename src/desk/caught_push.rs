//! Pushing caught notices: from checked fields to a durable dispatch, idempotently by number.

use super::{
    Desk, DeskError,
    caught_admission::{HANDLING, URGENCY},
    caught_rows::caught,
    caught_view::{content_tag, number_tag},
    lead_rows::NumberRow,
    push::RETENTION_YEARS,
    referral_admission::is_between,
    referral_steps::review_day,
    rows::RowsError,
};
use crate::{
    access::{Permit, PushCaught},
    domain::{
        CaughtColumn, CaughtFields, CaughtNotice, CaughtRules, DispatchId, Finding, FindingCode,
        ParsedNotice, RecordId, Timestamp, sign_within_seconds,
    },
    entry::{Cause, Content, DispatchAction, Plaintext, Terms},
    exchange::{Draft, StageError, VaultError},
    log::{Pending, Proposal, ProposeError, Txn, TxnError},
    seal::{self, PurgeMonth},
    store::tables,
};
use std::sync::Arc;

/// A notice was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CaughtRefused {
    /// It breaks rules; the findings say which, warnings too.
    #[error("the notice breaks {} rules", .0.iter().filter(|f| !f.is_warning()).count())]
    Rejected(Vec<Finding<CaughtColumn>>),
    /// It cannot be sealed or kept.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The log failed.
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl From<VaultError> for CaughtRefused {
    fn from(error: VaultError) -> Self {
        Self::Stage(error.into())
    }
}

/// What became of a notice that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedCaught {
    /// Its id.
    pub record: RecordId,
    /// Index of its entry in this log.
    pub index: u64,
    /// True where it was there already, and nothing changed.
    pub duplicate: bool,
    /// Where it is a duplicate that the recipient's node refused: why.
    pub refusal: Option<String>,
    /// What was tidied or is not known, without harm.
    pub warnings: Vec<Finding<CaughtColumn>>,
}

/// A notice on its way into the log. Await [`CaughtTicket::finish`] for what became of it.
#[derive(Debug)]
pub struct CaughtTicket {
    pending: Pending<Decision, PushFailure>,
    record: RecordId,
    warnings: Vec<Finding<CaughtColumn>>,
}

#[derive(Clone, Debug)]
enum Decision {
    New {
        index: u64,
    },
    Same {
        record: RecordId,
        index: u64,
        refusal: Option<String>,
    },
    Changed,
    UnknownLead,
}

#[derive(Debug, thiserror::Error)]
enum PushFailure {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Row(#[from] TxnError),
}

impl Desk {
    /// Checks a notice, seals it and queues it. Many can be on their way at once; they enter the log in the order of the
    /// calls.
    ///
    /// # Errors
    /// It breaks rules, or the log takes no writes.
    pub async fn push_caught(
        &self,
        permit: &Permit<PushCaught>,
        fields: CaughtFields,
    ) -> Result<CaughtTicket, CaughtRefused> {
        let now = self.clock.now();
        let parsed = self
            .parse_caught(&fields, now)
            .map_err(CaughtRefused::Rejected)?;
        let (notice, own, to) = (parsed.notice, self.own, parsed.route);
        let month = PurgeMonth::years_after(now, RETENTION_YEARS);
        self.ready_for_new(month).await?;
        let (record, dispatch_id) = (RecordId::new(now), DispatchId::new(now));
        let content = Content::Caught(Box::new(notice.to_fields()));
        let plaintext = Plaintext::new(&content).map_err(VaultError::from)?;
        let sealed = seal::seal(&plaintext.to_bytes(), dispatch_id).map_err(|_| {
            let too_long = Finding::new(CaughtColumn::Conduct, FindingCode::TooLong);
            CaughtRefused::Rejected(vec![too_long])
        })?;
        let draft = Draft {
            cause: Cause {
                principal: permit.principal().clone(),
                grounds: Some(permit.grounds().clone()),
            },
            dispatch_id,
            to,
            action: DispatchAction::Caught,
            record,
            urgency: URGENCY,
            handling: HANDLING,
            terms: Terms {
                sign_within_s: sign_within_seconds(URGENCY),
                review_by_day: review_day(now),
                purge_month: month,
            },
            return_reason: None,
            predecessors: Vec::new(),
            commitment: plaintext.commitment(),
            content: Some(content),
            sealed,
        };
        let ring = self.vault.ring();
        let number = tables::caught_number(&number_tag(&ring, own, notice.number()));
        let (tag, lead) = (content_tag(&ring, &notice), notice.lead());
        let outbox = Arc::clone(&self.outbox);
        let decide = move |txn: &mut Txn<'_>| {
            if let Some(row) = txn.get(&number)? {
                let row = NumberRow::from_bytes(&row).map_err(RowsError::from)?;
                if row.content != tag {
                    return Ok(Decision::Changed);
                }
                return Ok(Decision::Same {
                    record: row.record,
                    index: row.index,
                    refusal: caught(txn, row.record)?.and_then(|before| before.refusal),
                });
            }
            if let Some(lead) = lead
                && !is_between(txn, lead, [own, to])?
            {
                return Ok(Decision::UnknownLead);
            }
            let staged = outbox.stage(txn, &draft)?;
            Ok(Decision::New {
                index: staged.index,
            })
        };
        let pending = self
            .log
            .submit(Proposal::new(decide))
            .await
            .map_err(|error: ProposeError<PushFailure>| DeskError::Log(error.to_string()))?;
        Ok(CaughtTicket {
            pending,
            record,
            warnings: parsed.warnings,
        })
    }

    fn parse_caught(
        &self,
        fields: &CaughtFields,
        now: Timestamp,
    ) -> Result<ParsedNotice, Vec<Finding<CaughtColumn>>> {
        let rules = CaughtRules {
            own: self.own,
            partners: self.directory.as_ref(),
            today: now.shanghai_date(),
        };
        CaughtNotice::parse(fields, &rules)
    }
}

impl CaughtTicket {
    /// Waits until the notice is durable.
    ///
    /// # Errors
    /// The number is taken by another content, the lead named is not between the two, or the log failed.
    pub async fn finish(self) -> Result<PushedCaught, CaughtRefused> {
        let Self {
            pending,
            record,
            warnings,
        } = self;
        let decision = match pending.await {
            Ok(decision) => decision.into_inner(),
            Err(ProposeError::Rejected(PushFailure::Stage(error))) => return Err(error.into()),
            Err(ProposeError::Rejected(PushFailure::Rows(error))) => {
                return Err(DeskError::from(error).into());
            }
            Err(error) => return Err(DeskError::Log(error.to_string()).into()),
        };
        let rejected = |column, code| {
            let mut findings = warnings.clone();
            findings.push(Finding::new(column, code));
            Finding::sort(&mut findings);
            Err(CaughtRefused::Rejected(findings))
        };
        let (record, index, duplicate, refusal) = match decision {
            Decision::New { index } => (record, index, false, None),
            Decision::Same {
                record,
                index,
                refusal,
            } => (record, index, true, refusal),
            Decision::Changed => {
                return rejected(CaughtColumn::Number, FindingCode::ChangedContent);
            }
            Decision::UnknownLead => {
                return rejected(CaughtColumn::LeadId, FindingCode::UnknownLead);
            }
        };
        Ok(PushedCaught {
            record,
            index,
            duplicate,
            refusal,
            warnings,
        })
    }
}
