//! `--rejected OUT.xlsx`: the rows that were refused, to be mended and pushed again.

use super::report::Added;
use crate::{
    cli::{
        exit::{Exit, Failure},
        out_file::OutFile,
        print,
    },
    domain::{Finding, Lang, RecordColumn},
    intake::{self, Fault, Refused, RefusedRow, RowVerdict, Verdict},
};
use std::path::Path;

/// Refused rows on their way into a file.
pub(super) struct RejectedSheet<C> {
    file: OutFile,
    refused: Refused<C>,
    lang: Lang,
}

impl<C: RecordColumn> RejectedSheet<C> {
    pub(super) fn begin(path: &Path, force: bool, lang: Lang) -> Result<Self, Failure> {
        let file = OutFile::begin(path, force)?;
        let refused = Refused::new(lang, file.directory())
            .map_err(|error| Failure::of(Exit::Internal, &error).at(path.display()))?;
        Ok(Self {
            file,
            refused,
            lang,
        })
    }

    /// A row, as it was decided at last; kept where it was refused.
    pub(super) fn row(&mut self, row: &RowVerdict<C>, added: &Added) -> Result<(), Failure> {
        if row.verdict != Verdict::Reject {
            return Ok(());
        }
        let place = &row.place;
        let refused = RefusedRow {
            sheet: place.table.name(),
            row: place.row,
            header: place.table.header(),
            cells: row.cells.as_slice(),
            is_exceeded: place.table.is_exceeded(),
            faults: faults(row, added, self.lang),
        };
        self.refused
            .push(&refused)
            .map_err(|error| Failure::of(Exit::Internal, &error).at(self.file.path().display()))
    }

    /// The push broke off: nothing is written.
    pub(super) fn abandon(self) {
        let path = self.file.path().display();
        print::remark(&match self.lang {
            Lang::Zh => format!("发送未完成，未写 {path}；再推一次同一表格即可得到全部退回的行"),
            Lang::En => format!(
                "the push broke off and {path} was not written; push the same sheet again for all rejected rows"
            ),
        });
    }

    /// After the last row: the file, whole, or none where nothing was refused.
    pub(super) fn keep(self) -> Result<(), Failure> {
        let Self {
            file,
            refused,
            lang,
        } = self;
        let (path, rows) = (file.path().to_owned(), refused.rows());
        let path = path.display();
        let said = if rows == 0 {
            let removed = file.discard()?;
            match (lang, removed) {
                (Lang::Zh, false) => format!("没有退回的行，未写 {path}"),
                (Lang::Zh, true) => format!("没有退回的行，未写 {path}，原有的旧文件已删除"),
                (Lang::En, false) => format!("no row was rejected; {path} was not written"),
                (Lang::En, true) => {
                    format!(
                        "no row was rejected; {path} was not written, and the old one is removed"
                    )
                }
            }
        } else {
            file.keep(|out| refused.into_workbook()?.save_to_writer(out))?;
            match lang {
                Lang::Zh => format!("退回的 {rows} 行已写入 {path}，改正后可直接推送该文件"),
                Lang::En => {
                    format!("{rows} rejected rows are in {path}: mend them and push that file")
                }
            }
        };
        print::remark(&said);
        Ok(())
    }
}

/// Why a row was refused: what was found in it, and what only the node knows. Warnings are no reasons.
pub(super) fn faults<C: RecordColumn>(
    row: &RowVerdict<C>,
    added: &Added,
    lang: Lang,
) -> Vec<Fault<C>> {
    let errors = |finding: &&Finding<C>| !finding.is_warning();
    let found = row.findings.iter().filter(errors).map(|finding| Fault {
        column: finding.column,
        code: Some(finding.code),
        message: row.message(finding, lang),
    });
    let added = added.reasons.iter().map(|reason| Fault {
        column: reason.column.as_deref().and_then(intake::column_named),
        code: None,
        message: reason.message.clone(),
    });
    found.chain(added).collect()
}
