//! Submitting a row of a sheet: from checked fields to a durable dispatch, idempotently by its number.

use super::{
    Casework, CaseworkError,
    carried::is_between,
    drafting::{Envelope, NotMade, make, purge_month},
    findable::{Lookup, Numbered, Taken},
    record_row::record,
    row_codec::RowsError,
};
use crate::{
    access::{Permit, Submit},
    domain::{
        Column, Finding, FindingCode, Jurisdiction, Parsed, RecordId, Rules, SheetColumn,
        SheetRecord, State, Timestamp,
    },
    entry::{DispatchAction, SheetRow},
    exchange::{Draft, Outbox, StageError},
    log::{Pending, Proposal, ProposeError, Txn},
};
use std::sync::Arc;

/// A row of a sheet with columns `C` was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitRefused<C: SheetColumn = Column> {
    /// It breaks rules; the findings say which, warnings too.
    #[error("the row breaks {} rules", .0.iter().filter(|f| !f.is_warning()).count())]
    Rejected(Vec<Finding<C>>),
    /// It cannot be sealed or kept.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// There is no room, or the log takes no writes.
    #[error(transparent)]
    Casework(#[from] CaseworkError),
}

/// What became of a row that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted<C: SheetColumn = Column> {
    /// The record's id.
    pub record: RecordId,
    /// Index of its entry in this log.
    pub index: u64,
    /// True where it was there already, and nothing changed.
    pub duplicate: bool,
    /// Where it is a duplicate that the recipient's node refused: why.
    pub refusal: Option<String>,
    /// What was tidied or is not known, without harm.
    pub warnings: Vec<Finding<C>>,
}

/// A row on its way into the log. Await [`SubmitTicket::finish`] for what became of it.
#[derive(Debug)]
pub struct SubmitTicket<C: SheetColumn = Column> {
    pending: Pending<Decision, Failure>,
    warnings: Vec<Finding<C>>,
}

#[derive(Clone, Debug)]
enum Decision {
    Taken {
        record: RecordId,
        index: u64,
        duplicate: bool,
        refusal: Option<String>,
    },
    Changed,
    UnknownLead,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Rows(#[from] RowsError),
}

impl Casework {
    /// Checks a row, seals it and queues it. Many can be on their way at once; they enter the log in the order of the calls.
    ///
    /// # Errors
    /// It breaks rules, or the log takes no writes.
    pub async fn submit<C: SheetRow>(
        &self,
        permit: &Permit<Submit>,
        fields: &C::Fields,
    ) -> Result<SubmitTicket<C>, SubmitRefused<C>> {
        let now = self.clock.now();
        let parsed = self
            .check::<C>(fields, now)
            .map_err(SubmitRefused::Rejected)?;
        let (row, to) = (parsed.record, parsed.route);
        let month = purge_month(now);
        self.ready_for_new(month).await?;
        let (urgency, handling) = row.terms();
        let envelope = Envelope {
            to,
            action: DispatchAction::open(C::RECORD.kind),
            record: RecordId::new(now),
            urgency,
            handling,
            purge_month: month,
            return_reason: None,
        };
        let content = row.to_fields().into();
        let draft = make(permit, now, envelope, content).map_err(|error| match error {
            NotMade::TooLong => {
                let too_long = Finding::new(C::RECORD.longest, FindingCode::TooLong);
                SubmitRefused::Rejected(vec![too_long])
            }
            NotMade::Vault(error) => SubmitRefused::Stage(error.into()),
        })?;
        let number = Numbered::of(&row).taken(&self.vault.ring(), self.own);
        let before = row.lead().map(|lead| (lead, [self.own, to]));
        let outbox = Arc::clone(&self.outbox);
        let decide = move |txn: &mut Txn<'_>| decide(txn, &outbox, &number, before, &draft);
        let pending = self
            .log
            .submit(Proposal::new(decide))
            .await
            .map_err(|error: ProposeError<Failure>| CaseworkError::Log(error.to_string()))?;
        Ok(SubmitTicket {
            pending,
            warnings: parsed.warnings,
        })
    }

    fn check<C: SheetRow>(
        &self,
        fields: &C::Fields,
        now: Timestamp,
    ) -> Result<Parsed<C>, Vec<Finding<C>>> {
        let rules = Rules {
            own: self.own,
            partners: self.directory.as_ref(),
            today: now.shanghai_date(),
        };
        SheetRecord::parse(fields, &rules)
    }
}

fn decide(
    txn: &mut Txn<'_>,
    outbox: &Outbox,
    number: &Lookup,
    lead: Option<(RecordId, [Jurisdiction; 2])>,
    draft: &Draft,
) -> Result<Decision, Failure> {
    match number.look(txn)? {
        Some(Taken::Other) => return Ok(Decision::Changed),
        Some(Taken::Same(row)) => {
            let before = record(txn, row.record)?;
            let refused = before.filter(|before| before.state() == State::Refused);
            return Ok(Decision::Taken {
                record: row.record,
                index: row.index,
                duplicate: true,
                refusal: refused.and_then(|before| before.refusal),
            });
        }
        None => {}
    }
    if let Some((lead, parties)) = lead
        && !is_between(txn, lead, parties)?
    {
        return Ok(Decision::UnknownLead);
    }
    let staged = outbox.stage(txn, draft)?;
    Ok(Decision::Taken {
        record: draft.record,
        index: staged.index,
        duplicate: false,
        refusal: None,
    })
}

impl<C: SheetRow> SubmitTicket<C> {
    /// Waits until the row is durable.
    ///
    /// # Errors
    /// The number is taken by another content, the lead named is not between the two, or the log failed.
    pub async fn finish(self) -> Result<Submitted<C>, SubmitRefused<C>> {
        let Self {
            pending,
            mut warnings,
        } = self;
        let decision = match pending.await {
            Ok(decision) => decision.into_inner(),
            Err(ProposeError::Rejected(Failure::Stage(error))) => return Err(error.into()),
            Err(ProposeError::Rejected(Failure::Rows(error))) => {
                return Err(CaseworkError::from(error).into());
            }
            Err(error) => return Err(CaseworkError::Log(error.to_string()).into()),
        };
        let (column, code) = match decision {
            Decision::Taken {
                record,
                index,
                duplicate,
                refusal,
            } => {
                return Ok(Submitted {
                    record,
                    index,
                    duplicate,
                    refusal,
                    warnings,
                });
            }
            Decision::Changed => (C::NUMBER, FindingCode::ChangedContent),
            Decision::UnknownLead => (
                C::RECORD.lead.unwrap_or(C::NUMBER),
                FindingCode::UnknownLead,
            ),
        };
        warnings.push(Finding::new(column, code));
        Finding::sort(&mut warnings);
        Err(SubmitRefused::Rejected(warnings))
    }
}
