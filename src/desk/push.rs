//! Pushing leads: from checked fields to a durable dispatch, idempotently.

use super::{
    Desk, DeskError,
    lead_rows::{NumberRow, lead as lead_row},
    lead_view::{content_tag, number_tag},
    rows::{RowDamaged, RowsError},
};
use crate::{
    access::{Permit, PushLeads},
    domain::{
        Column, DispatchId, Finding, FindingCode, Lead, LeadFields, LeadRules, LeadState, LeadStep,
        Parsed, RecordId, Timestamp, sign_within_seconds,
    },
    entry::{Cause, Content, DispatchAction, Plaintext, Terms},
    exchange::{Draft, StageError, VaultError},
    log::{Pending, Proposal, ProposeError, Txn},
    seal::{self, PurgeMonth},
    store::tables,
};
use std::sync::Arc;

/// A record is kept five years at most, and reviewed after one.
pub(super) const RETENTION_YEARS: u8 = 5;
const REVIEW_DAYS: u64 = 365;

/// A lead was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PushRefused {
    /// It breaks rules; the findings say which, warnings too.
    #[error("the lead breaks {} rules", .0.iter().filter(|f| !f.is_warning()).count())]
    Rejected(Vec<Finding>),
    /// It cannot be sealed or kept.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// There is no room, or the log takes no writes.
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl From<VaultError> for PushRefused {
    fn from(error: VaultError) -> Self {
        Self::Stage(error.into())
    }
}

/// What became of a lead that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its id.
    pub record: RecordId,
    /// Index of its entry in this log.
    pub index: u64,
    /// True where it was there already, and nothing changed.
    pub duplicate: bool,
    /// Where it is a duplicate that the recipient's node refused: why.
    pub refusal: Option<String>,
    /// What was tidied or is not known, without harm.
    pub warnings: Vec<Finding>,
}

/// A lead on its way into the log. Await [`PushTicket::finish`] for what became of it.
#[derive(Debug)]
pub struct PushTicket {
    pending: Pending<Decision, PushFailure>,
    record: RecordId,
    warnings: Vec<Finding>,
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
}

#[derive(Debug, thiserror::Error)]
enum PushFailure {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Row(#[from] crate::log::TxnError),
    #[error(transparent)]
    Damaged(#[from] RowDamaged),
    #[error(transparent)]
    Rows(#[from] RowsError),
}

impl Desk {
    /// Checks a lead, seals it and queues it. Many can be on their way at once; they enter the log in the order of the
    /// calls.
    ///
    /// # Errors
    /// It breaks rules, or the log takes no writes.
    pub async fn push(
        &self,
        permit: &Permit<PushLeads>,
        fields: LeadFields,
    ) -> Result<PushTicket, PushRefused> {
        let now = self.clock.now();
        let parsed = self.parse(fields, now).map_err(PushRefused::Rejected)?;
        let (lead, to) = (parsed.lead, parsed.route);
        let terms = terms(now, &lead);
        self.ready_for_new(terms.purge_month).await?;
        let (record, dispatch_id) = (RecordId::new(now), DispatchId::new(now));
        let content = Content::Lead(Box::new(lead.to_fields()));
        let plaintext = Plaintext::new(&content).map_err(VaultError::from)?;
        let sealed = seal::seal(&plaintext.to_bytes(), dispatch_id).map_err(|_| {
            PushRefused::Rejected(vec![Finding::new(Column::Facts, FindingCode::TooLong)])
        })?;
        let draft = Draft {
            cause: Cause {
                principal: permit.principal().clone(),
                grounds: Some(permit.grounds().clone()),
            },
            dispatch_id,
            to,
            action: DispatchAction::Lead(LeadStep::Lead),
            record,
            urgency: lead.urgency(),
            handling: lead.handling(),
            terms,
            return_reason: None,
            predecessors: Vec::new(),
            commitment: plaintext.commitment(),
            content: Some(content),
            sealed,
        };
        let ring = self.vault.ring();
        let number = tables::lead_number(&number_tag(&ring, self.own, lead.number()));
        let tag = content_tag(&ring, &lead);
        let outbox = Arc::clone(&self.outbox);
        let decide = move |txn: &mut Txn<'_>| {
            if let Some(row) = txn.get(&number)? {
                let row = NumberRow::from_bytes(&row)?;
                if row.content != tag {
                    return Ok(Decision::Changed);
                }
                let before = lead_row(txn, row.record)?;
                let refused = before.filter(|before| before.state == LeadState::Refused);
                return Ok(Decision::Same {
                    record: row.record,
                    index: row.index,
                    refusal: refused.and_then(|before| before.refusal),
                });
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
        Ok(PushTicket {
            pending,
            record,
            warnings: parsed.warnings,
        })
    }

    fn parse(&self, fields: LeadFields, now: Timestamp) -> Result<Parsed, Vec<Finding>> {
        let rules = LeadRules {
            own: self.own,
            partners: self.directory.as_ref(),
            today: now.shanghai_date(),
        };
        Lead::parse(fields, &rules)
    }
}

fn terms(now: Timestamp, lead: &Lead) -> Terms {
    let review_by_day = now.plus_seconds(REVIEW_DAYS * 86_400).seconds() / 86_400;
    Terms {
        sign_within_s: sign_within_seconds(lead.urgency()),
        review_by_day: u32::try_from(review_by_day).unwrap_or(u32::MAX),
        purge_month: PurgeMonth::years_after(now, RETENTION_YEARS),
    }
}

impl PushTicket {
    /// Waits until the lead is durable.
    ///
    /// # Errors
    /// The number is taken by another content, or the log failed.
    pub async fn finish(self) -> Result<Pushed, PushRefused> {
        let Self {
            pending,
            record,
            warnings,
        } = self;
        let decision = match pending.await {
            Ok(decision) => decision.into_inner(),
            Err(ProposeError::Rejected(PushFailure::Stage(error))) => return Err(error.into()),
            Err(error) => return Err(DeskError::Log(error.to_string()).into()),
        };
        match decision {
            Decision::New { index } => Ok(Pushed {
                record,
                index,
                duplicate: false,
                refusal: None,
                warnings,
            }),
            Decision::Same {
                record,
                index,
                refusal,
            } => Ok(Pushed {
                record,
                index,
                duplicate: true,
                refusal,
                warnings,
            }),
            Decision::Changed => {
                let mut findings = warnings;
                findings.push(Finding::new(Column::Number, FindingCode::ChangedContent));
                Finding::sort(&mut findings);
                Err(PushRefused::Rejected(findings))
            }
        }
    }
}
