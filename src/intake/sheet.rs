//! The rows of a file, in the order of its worksheets, as they are read for the second time.

use super::{
    Note, Place, RawCells, RawRow, SheetError, Table,
    cell::Cell,
    csv::Records,
    footer_rows::reason_to_skip,
    guard,
    header::Header,
    rejected::is_surplus,
    sheet_scan::{ScannedFile, Source, TablePlan, scan},
};
use crate::domain::{Column, Finding, FindingCode, SheetColumn};
use std::{
    fmt,
    ops::ControlFlow,
    panic::resume_unwind,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    vec,
};

/// How many rows, or bytes of text, are handed over at once.
const BATCH_ROWS: usize = 64;
const BATCH_BYTES: usize = 256 * 1024;
/// How many batches may wait while earlier rows are checked.
const BATCHES: usize = 2;

/// A row below the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<C: SheetColumn = Column> {
    /// Its position.
    pub place: Place,
    /// Its content.
    pub content: Content<C>,
    /// Its cells as written.
    pub cells: RawCells,
}

/// The content of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<C: SheetColumn = Column> {
    /// Nothing in any column that the sheet is read for; or something that is not a record, such as a total.
    Skipped(FindingCode),
    /// A record.
    Filled {
        /// The text of each column.
        fields: Box<C::Fields>,
        /// Findings about the cells themselves: columns that the sheet lacks, numbers that have lost digits.
        findings: Vec<Finding<C>>,
    },
}

/// A file of leads, or of other records with columns: a workbook with one or more worksheets, or a CSV file. Opening it
/// reads it to its end and finds everything that can be wrong with it; its rows are read again on demand, and are never
/// all in memory.
pub struct Sheet<C: SheetColumn = Column> {
    scanned: ScannedFile<C>,
}

impl Sheet {
    /// Reads a file of leads, as [`Sheet::of`].
    ///
    /// # Errors
    /// As [`Sheet::of`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SheetError> {
        Self::of(path)
    }
}

impl<C: SheetColumn> Sheet<C> {
    /// Reads an .xlsx workbook or a CSV file (UTF-8, UTF-16 with a byte order mark, or GB18030; comma, semicolon or
    /// tab).
    ///
    /// # Errors
    /// The file cannot be read, is of another kind, may not be parsed, or has no header.
    pub fn of(path: impl AsRef<Path>) -> Result<Self, SheetError> {
        let scanned = scan(guard::read(path.as_ref())?)?;
        Ok(Self { scanned })
    }

    /// The tables that are read: the worksheets that have a header, or the CSV file.
    pub fn tables(&self) -> impl ExactSizeIterator<Item = &Arc<Table>> {
        self.scanned.plans.iter().map(|plan| &plan.table)
    }

    /// What of the file is not read: worksheets that are hidden or have no header, columns that records do not have.
    pub fn notes(&self) -> &[Note] {
        &self.scanned.notes
    }

    /// How many rows are below the headers, up to the last one of each table that is not blank.
    pub fn len(&self) -> usize {
        let rows = |plan: &TablePlan<C>| plan.last.saturating_sub(plan.table.header_row());
        let rows: u32 = self.scanned.plans.iter().map(rows).sum();
        usize::try_from(rows).unwrap_or(usize::MAX)
    }

    /// Whether there is no row below any header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its rows below the headers, up to the last one of each table that is not blank, including blank ones between. A
    /// thread reads ahead by at most a few hundred rows.
    pub fn rows(self) -> Rows<C> {
        let left = self.len();
        let ScannedFile { source, plans, .. } = self.scanned;
        let reaches: Vec<_> = plans
            .iter()
            .map(|plan| (Arc::clone(&plan.table), plan.last))
            .collect();
        let (batches, received) = sync_channel(BATCHES);
        let reader = thread::spawn(move || read(source, &reaches, Handover::new(batches)));
        Rows {
            tables: plans.into_iter().map(TableRows::new).collect(),
            batch: Vec::new().into_iter(),
            received: Some(received),
            reader: Some(reader),
            left,
            nth: 0,
        }
    }
}

impl<C: SheetColumn> fmt::Debug for Sheet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheet")
            .field("tables", &self.scanned.plans.len())
            .field("rows", &self.len())
            .finish_non_exhaustive()
    }
}

/// A table whose rows are being read.
#[derive(Debug)]
struct TableRows<C> {
    table: Arc<Table>,
    header: Header<C>,
    missing: Vec<Finding<C>>,
    /// Whether citizen numbers of the table have been rounded.
    is_rounded: bool,
    /// The column in which a sheet of refused rows keeps content without a column.
    surplus: Option<u32>,
}

impl<C: SheetColumn> TableRows<C> {
    fn new(plan: TablePlan<C>) -> Self {
        let mut texts = plan.table.header().iter().zip(0..);
        let surplus = texts.find(|(text, _)| is_surplus(text)).map(|(_, at)| at);
        let lacks = |column| Finding::new(column, FindingCode::MissingColumn);
        Self {
            table: plan.table,
            missing: plan.header.missing().into_iter().map(lacks).collect(),
            header: plan.header,
            is_rounded: plan.is_rounded,
            surplus,
        }
    }

    /// What is struck through: the whole row, or some of its columns.
    fn struck(&self, raw: &RawRow) -> Vec<Finding<C>> {
        let filled = raw.cells.iter().filter(|(_, cell)| *cell != Cell::Covered);
        let read: Vec<_> = filled
            .filter_map(|(at, _)| Some((*at, self.header.at(*at)?)))
            .collect();
        let struck = read.iter().filter(|(at, _)| raw.struck.contains(at));
        let struck: Vec<_> = struck
            .map(|(_, column)| Finding::new(*column, FindingCode::StruckOut))
            .collect();
        if !struck.is_empty() && struck.len() == read.len() {
            return vec![Finding::on_row(FindingCode::StruckOut)];
        }
        struck
    }

    fn row(&self, raw: RawRow, nth: u32) -> Row<C> {
        let width = self.table.header().len();
        let cells = RawCells::new(raw.given_back(&self.header), width);
        let place = Place {
            table: Arc::clone(&self.table),
            row: raw.row,
            nth,
        };
        if let Some(code) = reason_to_skip(&raw, &self.header) {
            return Row {
                place,
                content: Content::Skipped(code),
                cells,
            };
        }
        let mut fields = Box::<C::Fields>::default();
        let mut findings = self.missing.clone();
        let mut is_blank = true;
        // In a worksheet it is a jotting beside the table, which has a note; in a CSV file the row has shifted.
        let is_csv = self.table.name().is_none();
        let is_surplus = |at: u32| {
            let is_beyond = usize::try_from(at).is_ok_and(|at| at >= width);
            (is_csv && is_beyond) || self.surplus == Some(at)
        };
        if raw.cells.iter().any(|(at, _)| is_surplus(*at)) {
            findings.push(Finding::on_row(FindingCode::SurplusFields));
        }
        findings.extend(self.struck(&raw));
        for (at, cell) in raw.cells {
            // A column that it is not read for: a serial number, or something that leads do not have.
            let Some(column) = self.header.at(at) else {
                continue;
            };
            is_blank &= cell == Cell::Covered;
            let (text, found) = cell.into_text(column, self.is_rounded);
            *column.text_mut(&mut fields) = text;
            findings.extend(found.map(|code| Finding::new(column, code)));
        }
        let content = if is_blank {
            Content::Skipped(FindingCode::BlankRow)
        } else {
            Content::Filled { fields, findings }
        };
        Row {
            place,
            content,
            cells,
        }
    }
}

/// The rows of a file; from [`Sheet::rows`].
#[derive(Debug)]
pub struct Rows<C: SheetColumn = Column> {
    tables: Vec<TableRows<C>>,
    batch: vec::IntoIter<(usize, RawRow)>,
    received: Option<Receiver<Batch>>,
    reader: Option<JoinHandle<()>>,
    left: usize,
    nth: u32,
}

impl<C: SheetColumn> Iterator for Rows<C> {
    type Item = Row<C>;

    fn next(&mut self) -> Option<Row<C>> {
        if self.left == 0 {
            return None;
        }
        loop {
            if let Some((table, raw)) = self.batch.next() {
                self.left -= 1;
                self.nth += 1;
                return self.tables.get(table).map(|below| below.row(raw, self.nth));
            }
            match self.received.as_ref().map(Receiver::recv) {
                Some(Ok(batch)) => self.batch = batch.into_iter(),
                Some(Err(_)) | None => self.broken(),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<C: SheetColumn> ExactSizeIterator for Rows<C> {}

impl<C: SheetColumn> Rows<C> {
    /// The reader ended too early. Only a panic of its own can cause that, because the same bytes were read to their
    /// end before.
    fn broken(&mut self) -> ! {
        if let Some(Err(panic)) = self.reader.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
        unreachable!("a file reads otherwise than a moment ago");
    }
}

impl<C: SheetColumn> Drop for Rows<C> {
    fn drop(&mut self) {
        // The reader finds its receiver gone, and ends.
        self.received = None;
        if let Some(reader) = self.reader.take() {
            // What it may have to report shows in the rows that it did not deliver.
            drop(reader.join());
        }
    }
}

/// Rows, each with the number of its table.
type Batch = Vec<(usize, RawRow)>;

/// Collects rows and hands them over.
struct Handover {
    batch: Batch,
    bytes: usize,
    batches: SyncSender<Batch>,
}

impl Handover {
    const fn new(batches: SyncSender<Batch>) -> Self {
        Self {
            batch: Vec::new(),
            bytes: 0,
            batches,
        }
    }

    fn row(&mut self, table: usize, row: RawRow) -> ControlFlow<()> {
        self.bytes += row.text_bytes();
        self.batch.push((table, row));
        if self.batch.len() < BATCH_ROWS && self.bytes < BATCH_BYTES {
            return ControlFlow::Continue(());
        }
        self.flush()
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.bytes = 0;
        match self.batches.send(std::mem::take(&mut self.batch)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Reads all tables and hands over their rows. Ends early if nobody takes them, or if the file reads differently than
/// before, which the receiver then notices.
fn read(source: Source, tables: &[(Arc<Table>, u32)], mut to: Handover) {
    let read = match source {
        Source::Workbook(mut workbook) => {
            tables
                .iter()
                .enumerate()
                .try_for_each(|(nth, (table, last))| {
                    let mut below = Spaced::new(nth, table.header_row(), *last);
                    let name = table.name().unwrap_or_default();
                    workbook.rows(name, &mut |row| Ok(below.row(row, &mut to)))
                })
        }
        Source::Csv { text, delimiter } => {
            tables
                .iter()
                .enumerate()
                .try_for_each(|(nth, (table, last))| {
                    let mut below = Spaced::new(nth, table.header_row(), *last);
                    let mut records = Records::new(&text, delimiter);
                    while let Some(row) = records.next()? {
                        if below.row(row, &mut to).is_break() {
                            break;
                        }
                    }
                    Ok::<(), SheetError>(())
                })
        }
    };
    if read.is_ok() {
        // If nobody takes the last rows, nobody misses them.
        let _ended: ControlFlow<()> = to.flush();
    }
}

/// Inserts the blank rows that a file leaves out, so that every row number of the sheet gets a verdict.
struct Spaced {
    table: usize,
    before: u32,
    last: u32,
}

impl Spaced {
    const fn new(table: usize, header_row: u32, last: u32) -> Self {
        Self {
            table,
            before: header_row,
            last,
        }
    }

    fn row(&mut self, row: RawRow, to: &mut Handover) -> ControlFlow<()> {
        if row.row <= self.before {
            return ControlFlow::Continue(());
        }
        if row.row > self.last {
            return ControlFlow::Break(());
        }
        for blank in self.before + 1..row.row {
            to.row(self.table, RawRow::blank(blank))?;
        }
        self.before = row.row;
        to.row(self.table, row)
    }
}
