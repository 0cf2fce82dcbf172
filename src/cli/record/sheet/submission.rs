//! Families of records that come in sheets: how their rows are checked and sent.

use crate::{
    cli::{
        exit::{Exit, Failure},
        print,
    },
    domain::{self, Jurisdiction, Lang, RecordId, SheetColumn},
    entry::{SheetRow, pb},
    intake::{self, RowVerdict, Sheet, SheetError, Verdict},
};
use jiff::civil::Date;
use std::{collections::BTreeSet, path::Path};

/// What the rows are checked against.
#[derive(Clone)]
pub(in crate::cli) struct Rules {
    pub(in crate::cli) own: Jurisdiction,
    pub(in crate::cli) partners: BTreeSet<Jurisdiction>,
    pub(in crate::cli) today: Date,
}

/// The verdict on a row, by this program or by the node.
pub(in crate::cli) type Checked<C> = RowVerdict<C>;

/// Takes a row, and says whether it wants another.
pub(in crate::cli) type Take<'t, C> = &'t mut dyn FnMut(Checked<C>) -> bool;

/// Where rows come from.
pub(in crate::cli) enum Source<C: SheetColumn> {
    /// A file.
    Sheet(Sheet<C>),
    /// One record, field by field.
    Form(Box<C::Fields>),
}

impl<C: SheetRow> Source<C> {
    /// Opens a file.
    pub(in crate::cli) fn open(file: &Path) -> Result<Self, Failure> {
        Sheet::of(file)
            .map(Self::Sheet)
            .map_err(|error| sheet_failure(&error, file))
    }

    /// Says beside the data what of a file is not read.
    pub(super) fn tell(&self, lang: Lang) {
        if let Self::Sheet(sheet) = self {
            tell(sheet, lang);
        }
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Sheet(sheet) => sheet.len(),
            Self::Form(_) => 1,
        }
    }

    pub(super) fn worksheets(&self) -> usize {
        match self {
            Self::Sheet(sheet) => sheet.tables().len(),
            Self::Form(_) => 1,
        }
    }

    /// Hands the verdict on each row to `take`, until that wants no more.
    pub(in crate::cli) fn check(self, rules: &Rules, take: Take<'_, C>) {
        let rules = &domain::Rules {
            own: rules.own,
            partners: &rules.partners,
            today: rules.today,
        };
        match self {
            Self::Sheet(sheet) => {
                for row in intake::check(sheet, rules) {
                    if !take(row) {
                        return;
                    }
                }
            }
            Self::Form(fields) => {
                take(intake::check_form(*fields, rules));
            }
        }
    }
}

pub(super) fn tell<C: SheetColumn>(sheet: &Sheet<C>, lang: Lang) {
    for note in sheet.notes().iter().filter(|note| !note.is_expected()) {
        print::remark(&print::redacted(&print::plain(&note.message(lang))));
    }
}

pub(super) fn sheet_failure(error: &SheetError, file: &Path) -> Failure {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are about what is in the file"
    )]
    let exit = match error {
        SheetError::Unreadable(_) => Exit::NoInput,
        _ => Exit::BadData,
    };
    Failure::new(exit, error.message(Lang::Zh), error.message(Lang::En)).at(file.display())
}

/// What a node decided about a row.
pub(super) struct Judged {
    pub(super) row: u64,
    pub(super) verdict: Verdict,
    /// The record's id; none on a reject.
    pub(super) id: Option<RecordId>,
    pub(super) log_index: u64,
    pub(super) reasons: Vec<pb::Reason>,
    pub(super) refusal: String,
}

impl Judged {
    /// Nothing where the verdict has no meaning: what was taken has an id.
    pub(super) fn of(answer: pb::PushRecordsResponse) -> Option<Self> {
        let verdict = match answer.verdict() {
            pb::Verdict::Accept => Verdict::Accept,
            pb::Verdict::Duplicate => Verdict::Duplicate,
            pb::Verdict::Reject => Verdict::Reject,
            pb::Verdict::Unspecified => return None,
        };
        let id = answer.record_id.parse().ok();
        (id.is_some() || verdict == Verdict::Reject).then_some(Self {
            row: answer.row,
            verdict,
            id,
            log_index: answer.log_index,
            reasons: answer.reasons,
            refusal: answer.refusal,
        })
    }
}
