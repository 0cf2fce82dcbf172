//! `--receipt OUT.xlsx`: the receipt of a push, 回执单.

use super::{
    rejected::faults,
    report::Added,
    submission::{Checked, Rules, Source},
};
use crate::{
    cli::{
        args::Direction,
        client::Connection,
        context::Context,
        exit::{Exit, Failure},
        out_file::OutFile,
        print::{self, plain, redacted},
        record::{client, family::family_of, row::Query, told::Told},
    },
    domain::{FindingCode, Lang, ResidentNumber, SheetColumn, State, Timestamp, printable_lines},
    entry::{SheetRow, pb},
    intake::{self, Outcome, Proof, Receipt, ReceiptRow, Verdict},
    note::SignedCheckpoint,
};
use aws_lc_rs::digest::{self, SHA256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Pages of the list that are asked for at most, to see where records stand that were there before.
const MAX_PAGES: usize = 256;
/// Records of a page: what one `Consulted` entry names at most.
const PAGE: u32 = 1_000;

/// What a node said of a row that was sent to it.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) log_index: u64,
    pub(super) destination: String,
}

/// A receipt on its way into a file.
pub(super) struct ReceiptSheet {
    file: OutFile,
    lang: Lang,
    pushed: PathBuf,
    sha256: String,
    began: Timestamp,
    rows: Vec<ReceiptRow>,
    /// Rows of the file that were told of, blank ones too.
    told: usize,
}

impl ReceiptSheet {
    pub(super) fn begin(
        path: &Path,
        force: bool,
        pushed: &Path,
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        let file = OutFile::begin(path, force)?;
        Ok(Self {
            file,
            lang: context.lang(),
            pushed: pushed.to_owned(),
            sha256: sha256(pushed)?,
            began: context.clock().now(),
            rows: Vec::new(),
            told: 0,
        })
    }

    /// That the file is still the one whose hash the receipt states.
    pub(super) fn unchanged(&self) -> Result<(), Failure> {
        if sha256(&self.pushed)? == self.sha256 {
            return Ok(());
        }
        Err(Failure::new(
            Exit::BadData,
            "读取过程中文件被改动；请关闭其他程序后重做，已发送的不会重复",
            "the file changed while it was read: close it elsewhere and begin again, nothing is sent twice",
        )
        .at(self.pushed.display()))
    }

    /// A row, as it was decided at last.
    pub(super) fn row<C: SheetRow>(
        &mut self,
        row: &Checked<C>,
        added: &Added,
        acknowledged: Option<&Acknowledged>,
    ) {
        self.told += 1;
        let outcome = match (row.verdict, acknowledged) {
            (Verdict::Skip, _) => return,
            (Verdict::Accept, _) => Outcome::Logged,
            (Verdict::Duplicate, Some(_)) => Outcome::AlreadyLogged,
            (Verdict::Duplicate, None) => Outcome::Repeated,
            (Verdict::Reject, _) => Outcome::Refused,
        };
        let line = self.line(row, added, outcome);
        let state = match outcome {
            Outcome::Logged => State::Sent.label(self.lang),
            Outcome::AlreadyLogged | Outcome::Repeated | Outcome::Refused | Outcome::Unknown => "",
        };
        self.rows.push(ReceiptRow {
            log_index: acknowledged.map(|a| a.log_index),
            destination: acknowledged.map_or_else(String::new, |a| a.destination.clone()),
            state: state.to_owned(),
            ..line
        });
    }

    fn line<C: SheetRow>(&self, row: &Checked<C>, added: &Added, outcome: Outcome) -> ReceiptRow {
        let lang = self.lang;
        let refused = outcome == Outcome::Refused;
        let reasons: Vec<_> = faults(row, added, lang)
            .into_iter()
            .filter(|fault| refused || fault.code == Some(FindingCode::DuplicateInFile))
            .map(|fault| match fault.column {
                Some(column) => {
                    let name = lang.pick(column.header_zh(), column.as_str());
                    format!("{name}{}{}", lang.pick("：", ": "), fault.message)
                }
                None => fault.message,
            })
            .collect();
        ReceiptRow {
            sheet: row.place.table.shown_name(),
            row: row.place.row,
            number: number::<C>(row, refused),
            outcome,
            lead_id: added.id.clone().unwrap_or_default(),
            log_index: None,
            destination: String::new(),
            state: String::new(),
            reason: reasons.join("\n"),
        }
    }

    /// What is left after the push broke off: no answer came for rows that were to be sent. The file is read again, for rows
    /// are not kept in memory.
    fn rest<C: SheetRow>(&mut self, rules: &Rules) -> Result<(), Failure> {
        self.unchanged()?;
        print::remark(self.lang.pick(
            "发送中断，正在重读表格，以便在回执单中写明其余各行",
            "the push broke off; the sheet is read again, so that the receipt names the rows that are left",
        ));
        let mut told = self.told;
        Source::<C>::open(&self.pushed)?.check(rules, &mut |row| {
            if told > 0 {
                told -= 1;
            } else if row.parsed.is_some() {
                let line = self.line::<C>(&row, &Added::default(), Outcome::Unknown);
                self.rows.push(line);
            } else {
                self.row::<C>(&row, &Added::default(), None);
            }
            true
        });
        Ok(())
    }

    /// Writes the receipt, whether or not the push came to its end.
    pub(super) async fn keep<C: SheetRow>(
        mut self,
        node: &Connection,
        rules: &Rules,
        broken_off: Option<&Failure>,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        if broken_off.is_some() {
            self.rest::<C>(rules)?;
        }
        let lang = self.lang;
        // A node that is gone is not asked again: what it acknowledged stands.
        let proof = if broken_off.is_none() {
            self.states::<C>(node).await;
            self.proof(node, context).await
        } else {
            None
        };
        let config = context.config()?;
        let grounds = context.grounds()?;
        let named = if config.jurisdiction == node.node() {
            format!("{} {}", config.name, node.node())
        } else {
            node.node().to_string()
        };
        let file = self.pushed.file_name().unwrap_or_default();
        let receipt = Receipt {
            node: named,
            principal: node.principal().to_string(),
            purpose: grounds.purpose.label(lang).to_owned(),
            basis: grounds.basis.to_string(),
            file: redacted(&plain(&file.to_string_lossy())),
            sha256: self.sha256,
            began: self.began,
            ended: context.clock().now(),
            rows: self.rows,
            broken_off: broken_off.map(|failure| failure.message(lang).to_owned()),
            proof,
        };
        let written = intake::receipt(&receipt, lang, self.file.directory());
        let mut workbook = written.map_err(|error| Failure::of(Exit::Internal, &error))?;
        let path = self.file.path().to_owned();
        self.file.keep(|out| workbook.save_to_writer(out))?;
        let path = path.display();
        print::remark(&match lang {
            Lang::Zh => format!("回执单已写入 {path}"),
            Lang::En => format!("the receipt is in {path}"),
        });
        Ok(())
    }

    /// Where the records stand that were in the log before. Asking is logged, as all listing is; rows whose state cannot be
    /// seen have none.
    async fn states<C: SheetRow>(&mut self, node: &Connection) {
        let mut wanted: BTreeMap<u64, usize> = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.outcome == Outcome::AlreadyLogged)
            .filter_map(|(at, row)| Some((row.log_index?, at)))
            .collect();
        for _ in 0..MAX_PAGES {
            let Some((first, _)) = wanted.first_key_value() else {
                return;
            };
            let query = Query {
                direction: Some(Direction::Sent),
                after: first.checked_sub(1),
                limit: PAGE,
                ..Query::default()
            };
            let Ok(page) = client::list(family_of::<C>(), node, query).await else {
                return;
            };
            let before = wanted.len();
            for row in &page.rows {
                let at = wanted.remove(&row.log_index);
                if let Some(line) = at.and_then(|at| self.rows.get_mut(at)) {
                    let (family, lang) = (family_of::<C>(), self.lang);
                    line.state = Told { row, family, lang }.standing();
                }
            }
            if wanted.len() == before {
                return;
            }
        }
    }

    /// The node's newest checkpoint, if it covers all that it acknowledged.
    async fn proof(&self, node: &Connection, context: &Context<'_>) -> Option<Proof> {
        let newest = self.rows.iter().filter_map(|row| row.log_index).max();
        let request = pb::GetCheckpointRequest {
            grounds: node.grounds(),
        };
        let mut audit = node.audit();
        let answer = node
            .patient(async || audit.get_checkpoint(request.clone()).await)
            .await
            .ok()?;
        let note = String::from_utf8(answer.checkpoint.to_vec()).ok()?;
        // A key that the node states proves nothing: with none of one's own, the text is kept unverified.
        let own = context.verifier_key(None).ok();
        let verified = own.and_then(|key| key.verify(note.as_bytes()).ok());
        let proof = read(&note, verified.as_ref())?;
        newest
            .is_none_or(|index| index < proof.size)
            .then_some(proof)
    }
}

/// A checkpoint's parts: the first three lines of the note (C2SP tlog-checkpoint).
fn read(note: &str, verified: Option<&SignedCheckpoint>) -> Option<Proof> {
    let mut lines = note.lines();
    Some(Proof {
        origin: plain(lines.next()?),
        size: lines.next()?.parse().ok()?,
        root: plain(lines.next()?),
        // The lines of a note are part of it.
        note: printable_lines(note),
        verified: verified.is_some(),
    })
}

/// The sheet's own number of a row; `…` where it holds what is no number of a record: a name, a citizen number, a phone.
/// What a refused row has there may be of another column, where its cells have shifted: a name has no digit.
fn number<C: SheetRow>(row: &Checked<C>, refused: bool) -> String {
    let column = |key: &str| C::ALL.iter().copied().find(|column| column.as_str() == key);
    let written = |column: Option<C>| {
        column
            .and_then(|it| cell(row, it))
            .unwrap_or_default()
            .trim()
    };
    let number = written(column("number"));
    let longest = column("number").map_or(0, SheetColumn::max_chars);
    let is_no_number =
        refused && !number.is_empty() && !number.contains(|c: char| c.is_ascii_digit());
    let personal = ["name", "resident_number", "phone", "plate"];
    let mut personal = personal.map(|key| written(column(key))).into_iter();
    let repeats = personal.any(|value| !value.is_empty() && number.contains(value));
    if is_no_number || number.chars().count() > longest || repeats || holds_personal_digits(number)
    {
        return "…".to_owned();
    }
    plain(number)
}

/// A cell of a row, as written.
fn cell<C: SheetRow>(row: &Checked<C>, wanted: C) -> Option<&str> {
    let mut header = row.place.table.header().iter();
    let at = header.position(|text| intake::column_named(text) == Some(wanted))?;
    row.cells.as_slice().get(at).map(String::as_str)
}

/// A citizen number, old or new, or a mobile telephone's, standing for itself.
fn holds_personal_digits(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit() && !matches!(c, 'x' | 'X'))
        .any(|digits| {
            digits.len() == 15
                || (digits.len() == 11 && digits.starts_with('1'))
                || ResidentNumber::parse(&digits.to_ascii_uppercase()).is_ok()
        })
}

/// In hexadecimal.
fn sha256(path: &Path) -> Result<String, Failure> {
    let hashed = || -> io::Result<String> {
        let mut context = digest::Context::new(&SHA256);
        let mut file = File::open(path)?.take(intake::MAX_FILE_BYTES + 1);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hex::encode(context.finish())),
                read => context.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    };
    hashed().map_err(|error| Failure::of(Exit::NoInput, &error).at(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_a_person_is_no_lead_number() {
        for number in [
            "SN202600001",
            "520624-2026-01-17",
            "A5206240000002026110001",
        ] {
            assert!(!holds_personal_digits(number), "{number}");
        }
        for personal in [
            "522225190010142478",
            "SN-522225190010142478-1",
            "522225001014247",
            "13800000000",
        ] {
            assert!(holds_personal_digits(personal), "{personal}");
        }
    }
}
