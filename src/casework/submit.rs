//! Submitting a row of a sheet: from checked fields to a durable dispatch, idempotently by its number.

use super::{
    Casework, CaseworkError,
    carried::is_between,
    drafting::{Envelope, NotMade, make, purge_month},
    findable::{Lookup, Numbered, Taken, lead_number, notice_number},
    record_row::record,
    row_codec::RowsError,
};
use crate::{
    access::{Permit, Submit},
    domain::{
        ArrestNotice, ArrestNoticeColumn, ArrestNoticeFields, Column, Finding, FindingCode,
        Handling, Jurisdiction, Lead, LeadFields, RecordId, RecordKind, Rules, SheetColumn, State,
        Urgency,
    },
    entry::{Content, DispatchAction},
    exchange::{Draft, Outbox, StageError},
    log::{Pending, Proposal, ProposeError, Txn},
};
use std::sync::Arc;

/// An arrest notice asks for nothing: it is as urgent as anything.
pub(super) const NOTICE_URGENCY: Urgency = Urgency::Normal;
/// And for police use.
pub(super) const NOTICE_HANDLING: Handling = Handling::H0;

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
    /// The columns that a decision may find at fault.
    columns: Columns<C>,
}

/// Where a row says which number it has, names the lead before it, and is longest.
#[derive(Clone, Copy, Debug)]
struct Columns<C> {
    number: C,
    lead: C,
    longest: C,
}

const LEAD: Columns<Column> = Columns {
    number: Column::Number,
    // It names none.
    lead: Column::Number,
    longest: Column::Facts,
};

const ARREST_NOTICE: Columns<ArrestNoticeColumn> = Columns {
    number: ArrestNoticeColumn::Number,
    lead: ArrestNoticeColumn::LeadId,
    longest: ArrestNoticeColumn::Conduct,
};

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

/// A row whose every field has been read.
struct Checked<C> {
    kind: RecordKind,
    route: Jurisdiction,
    urgency: Urgency,
    handling: Handling,
    content: Content,
    numbered: Numbered,
    /// The lead before it, which must be between the two.
    lead: Option<RecordId>,
    warnings: Vec<Finding<C>>,
}

impl Casework {
    /// Checks a lead, seals it and queues it. Many can be on their way at once; they enter the log in the order of the
    /// calls.
    ///
    /// # Errors
    /// It breaks rules, or the log takes no writes.
    pub async fn submit_lead(
        &self,
        permit: &Permit<Submit>,
        fields: LeadFields,
    ) -> Result<SubmitTicket, SubmitRefused> {
        let parsed = Lead::parse(&fields, &self.rules()).map_err(SubmitRefused::Rejected)?;
        let lead = parsed.record;
        let checked = Checked {
            kind: RecordKind::Lead,
            route: parsed.route,
            urgency: lead.urgency(),
            handling: lead.handling(),
            content: Content::Lead(Box::new(lead.to_fields())),
            numbered: lead_number(&lead),
            lead: None,
            warnings: parsed.warnings,
        };
        self.submit(permit, checked, LEAD).await
    }

    /// Checks an arrest notice, seals it and queues it, as [`Casework::submit_lead`] does.
    ///
    /// # Errors
    /// It breaks rules, or the log takes no writes.
    pub async fn submit_notice(
        &self,
        permit: &Permit<Submit>,
        fields: ArrestNoticeFields,
    ) -> Result<SubmitTicket<ArrestNoticeColumn>, SubmitRefused<ArrestNoticeColumn>> {
        let parsed =
            ArrestNotice::parse(&fields, &self.rules()).map_err(SubmitRefused::Rejected)?;
        let notice = parsed.record;
        let checked = Checked {
            kind: RecordKind::ArrestNotice,
            route: parsed.route,
            urgency: NOTICE_URGENCY,
            handling: NOTICE_HANDLING,
            content: Content::ArrestNotice(Box::new(notice.to_fields())),
            numbered: notice_number(&notice),
            lead: notice.lead(),
            warnings: parsed.warnings,
        };
        self.submit(permit, checked, ARREST_NOTICE).await
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            own: self.own,
            partners: self.directory.as_ref(),
            today: self.clock.now().shanghai_date(),
        }
    }

    async fn submit<A, C: SheetColumn>(
        &self,
        permit: &Permit<A>,
        row: Checked<C>,
        columns: Columns<C>,
    ) -> Result<SubmitTicket<C>, SubmitRefused<C>> {
        let now = self.clock.now();
        let month = purge_month(now);
        self.ready_for_new(month).await?;
        let record = RecordId::new(now);
        let envelope = Envelope {
            to: row.route,
            action: DispatchAction::open(row.kind),
            record,
            urgency: row.urgency,
            handling: row.handling,
            purge_month: month,
            return_reason: None,
        };
        let draft = make(permit, now, envelope, row.content).map_err(|error| match error {
            NotMade::TooLong => {
                let too_long = Finding::new(columns.longest, FindingCode::TooLong);
                SubmitRefused::Rejected(vec![too_long])
            }
            NotMade::Vault(error) => SubmitRefused::Stage(error.into()),
        })?;
        let number = row.numbered.taken(&self.vault.ring(), self.own);
        let before = row.lead.map(|lead| (lead, [self.own, row.route]));
        let outbox = Arc::clone(&self.outbox);
        let decide = move |txn: &mut Txn<'_>| decide(txn, &outbox, &number, before, &draft);
        let pending = self
            .log
            .submit(Proposal::new(decide))
            .await
            .map_err(|error: ProposeError<Failure>| CaseworkError::Log(error.to_string()))?;
        Ok(SubmitTicket {
            pending,
            warnings: row.warnings,
            columns,
        })
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

impl<C: SheetColumn> SubmitTicket<C> {
    /// Waits until the row is durable.
    ///
    /// # Errors
    /// The number is taken by another content, the lead named is not between the two, or the log failed.
    pub async fn finish(self) -> Result<Submitted<C>, SubmitRefused<C>> {
        let Self {
            pending,
            mut warnings,
            columns,
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
            Decision::Changed => (columns.number, FindingCode::ChangedContent),
            Decision::UnknownLead => (columns.lead, FindingCode::UnknownLead),
        };
        warnings.push(Finding::new(column, code));
        Finding::sort(&mut warnings);
        Err(SubmitRefused::Rejected(warnings))
    }
}
