//! Kinds of records that come in sheets: how their rows are checked and sent.

use crate::{
    cli::{
        client::Connection,
        exit::{Exit, Failure},
        print,
        record::kind::Kind,
    },
    domain::{Jurisdiction, Lang, RecordId, SheetColumn},
    entry::pb,
    intake::{self, Reads, RowVerdict, Sheet, SheetError, Verdict},
};
use jiff::civil::Date;
use std::{collections::BTreeSet, path::Path};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// What the rows are checked against.
#[derive(Clone)]
pub(in crate::cli) struct Rules {
    pub(in crate::cli) own: Jurisdiction,
    pub(in crate::cli) partners: BTreeSet<Jurisdiction>,
    pub(in crate::cli) today: Date,
}

/// A kind whose records come in sheets with these columns.
pub(in crate::cli) trait SheetKind: SheetColumn<Fields: Send> + Send {
    /// What an accepted row comes to.
    type Parsed: Send + 'static;
    /// A row on its way to the node.
    type Request: Send + 'static;
    /// The node's verdict on it.
    type Response;

    const KIND: Kind;
    /// What to do after a push that broke off, in Chinese and in English.
    const AGAIN: [&'static str; 2];

    /// Hands the verdict on each row to `take`, until that wants no more.
    fn check(source: Source<Self>, rules: &Rules, take: Take<'_, Self>);

    /// The node that an accepted row goes to.
    fn route(parsed: &Self::Parsed) -> Jurisdiction;

    fn request(grounds: Option<pb::Grounds>, row: u64, parsed: &Self::Parsed) -> Self::Request;

    async fn push(
        node: &Connection,
        requests: ReceiverStream<Self::Request>,
    ) -> Result<Streaming<Self::Response>, Failure>;

    /// What the verdict says; nothing where it has no meaning.
    fn judged(answer: Self::Response) -> Option<Judged>;
}

/// The verdict on a row, by this program or by the node.
pub(in crate::cli) type Checked<C> = RowVerdict<C, <C as SheetKind>::Parsed>;

/// Takes a row, and says whether it wants another.
pub(in crate::cli) type Take<'t, C> = &'t mut dyn FnMut(Checked<C>) -> bool;

/// Where rows come from.
pub(in crate::cli) enum Source<C: SheetColumn> {
    /// A file.
    Sheet(Sheet<C>),
    /// One record, field by field.
    Form(Box<C::Fields>),
}

impl<C: SheetKind> Source<C> {
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

    pub(in crate::cli) fn check<R: Reads<Column = C, Parsed = C::Parsed>>(
        self,
        rules: R,
        take: Take<'_, C>,
    ) {
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
pub(in crate::cli) struct Judged {
    pub(in crate::cli) row: u64,
    pub(in crate::cli) verdict: Verdict,
    /// The record's id; none on a reject.
    pub(in crate::cli) id: Option<RecordId>,
    pub(in crate::cli) log_index: u64,
    pub(in crate::cli) reasons: Vec<pb::Reason>,
    pub(in crate::cli) refusal: String,
}

impl Judged {
    /// Nothing where the verdict has no meaning: what was taken has an id.
    pub(in crate::cli) fn of(row: u64, verdict: i32, id: &str) -> Option<Self> {
        let verdict = match pb::Verdict::try_from(verdict).ok()? {
            pb::Verdict::Accept => Verdict::Accept,
            pb::Verdict::Duplicate => Verdict::Duplicate,
            pb::Verdict::Reject => Verdict::Reject,
            pb::Verdict::Unspecified => return None,
        };
        let id = id.parse().ok();
        (id.is_some() || verdict == Verdict::Reject).then_some(Self {
            row,
            verdict,
            id,
            log_index: 0,
            reasons: Vec::new(),
            refusal: String::new(),
        })
    }
}
