//! The first reading of a file: which tables it has, where their headers stand, how far they reach. It keeps nothing of
//! what is below a header, and finds everything that can be wrong with the file, so that the second reading cannot fail.

use super::{
    Note, RawRow, SheetError, Table,
    csv::{DELIMITERS, Records},
    find::{self, Found, HEADER_WITHIN},
    guard::{Fit, MAX_ROWS},
    header::{Header, letters},
    text::Text,
    workbook::Workbook,
};
use crate::domain::SheetColumn;
use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

/// What rows are read from.
pub(super) enum Source {
    Workbook(Box<Workbook>),
    Csv { text: Text, delimiter: u8 },
}

/// A table that is read.
pub(super) struct Plan<C> {
    pub(super) table: Arc<Table>,
    pub(super) header: Header<C>,
    /// The last row that has anything in a column that is read, or the header's.
    pub(super) last: u32,
}

/// A file that can be read.
pub(super) struct Survey<C> {
    pub(super) source: Source,
    pub(super) plans: Vec<Plan<C>>,
    pub(super) notes: Vec<Note>,
}

/// Reads a file once.
pub(super) fn survey<C: SheetColumn>(file: Fit) -> Result<Survey<C>, SheetError> {
    match file {
        Fit::Workbook(bytes) => workbook(Workbook::open(bytes)?),
        Fit::Text(bytes) => csv(Text::new(bytes)),
    }
}

fn workbook<C: SheetColumn>(mut workbook: Workbook) -> Result<Survey<C>, SheetError> {
    let mut notes = Vec::new();
    let mut plans: Vec<Plan<C>> = Vec::new();
    let mut is_filled = false;
    let mut rows_left = MAX_ROWS;
    let sheets = workbook.sheets();
    let names: BTreeSet<&str> = sheets.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() < sheets.len() {
        // Which of two is meant by one name is anybody's guess.
        return Err(SheetError::Damaged);
    }
    let is_alone = sheets.iter().filter(|(_, is_visible)| *is_visible).count() == 1;
    for (sheet, is_visible) in sheets {
        if !is_visible {
            notes.push(Note::Hidden { sheet });
            continue;
        }
        let mut reach = Reach::new(rows_left);
        let surveyed = workbook
            .rows(&sheet, &mut |row| reach.row(row))
            .and_then(|()| reach.end());
        let end = surveyed.map_err(|error| {
            // These two are about the whole file.
            let is_of_file = matches!(error, SheetError::TooManyRows | SheetError::TooMuchText);
            if is_of_file || is_alone {
                return error;
            }
            SheetError::InSheet {
                sheet: sheet.clone(),
                error: Box::new(error),
            }
        })?;
        match end {
            End::Nothing => {}
            End::NoHeader => {
                is_filled = true;
                notes.push(Note::NoHeader { sheet });
            }
            End::Plan {
                found,
                last,
                unheaded,
            } => {
                is_filled = true;
                rows_left = rows_left.saturating_sub(last);
                let name = (!is_alone).then_some(sheet.as_str());
                notes.extend(self::notes(name, &found, unheaded));
                plans.push(plan(Some(sheet), found, last));
            }
        }
    }
    if plans.is_empty() {
        return Err(if is_filled {
            SheetError::NoHeader
        } else {
            SheetError::Empty
        });
    }
    Ok(Survey {
        source: Source::Workbook(Box::new(workbook)),
        plans,
        notes,
    })
}

fn csv<C: SheetColumn>(text: Text) -> Result<Survey<C>, SheetError> {
    let mut delimiter = None;
    let mut failed = None;
    for candidate in DELIMITERS {
        let (rows, broken) = first_rows(&text, candidate);
        match (find::header::<C>(&rows), broken) {
            // What breaks off below a header is found again, and said, when the rest is read.
            (Ok(Some(_)), _) => {
                delimiter = Some(candidate);
                break;
            }
            // With a delimiter that is not the file's, text follows each closing mark.
            (Ok(None), None | Some(SheetError::StrayQuote { .. })) => {}
            (Err(error), _) | (Ok(None), Some(error)) => failed = failed.or(Some(error)),
        }
    }
    let Some(delimiter) = delimiter else {
        return Err(failed.unwrap_or(SheetError::NoHeader));
    };
    let mut reach = Reach::new(MAX_ROWS);
    let mut records = Records::new(&text, delimiter);
    while let Some(row) = records.next()? {
        if reach.row(row)?.is_break() {
            break;
        }
    }
    let End::Plan {
        found,
        last,
        unheaded,
    } = reach.end()?
    else {
        return Err(SheetError::NoHeader);
    };
    // Beyond the last column a row has shifted, which its finding says.
    let unheaded =
        unheaded.filter(|at| usize::try_from(*at).is_ok_and(|at| at < found.texts.len()));
    let notes = notes(None, &found, unheaded);
    let plans = vec![plan(None, found, last)];
    Ok(Survey {
        source: Source::Csv { text, delimiter },
        plans,
        notes,
    })
}

/// The first rows, and why there are no more where the file is not fit to be read on.
fn first_rows(text: &Text, delimiter: u8) -> (Vec<RawRow>, Option<SheetError>) {
    let mut records = Records::new(text, delimiter);
    let mut rows = Vec::new();
    while rows.len() < HEADER_WITHIN {
        match records.next() {
            Ok(Some(row)) => rows.push(row),
            Ok(None) => break,
            Err(error) => return (rows, Some(error)),
        }
    }
    (rows, None)
}

/// What of a table is not read.
fn notes<C: SheetColumn>(
    sheet: Option<&str>,
    found: &Found<C>,
    unheaded: Option<u32>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    notes.extend(found.above.map(|rows| Note::AboveHeader {
        sheet: sheet.map(str::to_owned),
        rows,
    }));
    notes.extend(found.header.unknown(sheet, &found.texts));
    notes.extend(unheaded.map(|at| Note::NoHeading {
        sheet: sheet.map(str::to_owned),
        letters: letters(at),
    }));
    notes
}

fn plan<C>(name: Option<String>, found: Found<C>, last: u32) -> Plan<C> {
    let Found {
        texts, header, row, ..
    } = found;
    Plan {
        table: Arc::new(Table::new(name, row, texts)),
        header,
        last,
    }
}

fn least(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

/// A table being surveyed: its first rows until the header is found among them, then only how far it reaches.
struct Reach<C> {
    first: Vec<RawRow>,
    found: Option<Found<C>>,
    last: u32,
    /// The first column that has something below the header, and nothing in it.
    unheaded: Option<u32>,
    /// A table without a header in its first rows is looked at no further.
    is_over: bool,
    limit: u32,
}

/// What a table came to.
enum End<C> {
    Nothing,
    NoHeader,
    Plan {
        found: Found<C>,
        last: u32,
        unheaded: Option<u32>,
    },
}

impl<C: SheetColumn> Reach<C> {
    const fn new(limit: u32) -> Self {
        Self {
            first: Vec::new(),
            found: None,
            last: 0,
            unheaded: None,
            is_over: false,
            limit,
        }
    }

    fn row(&mut self, row: RawRow) -> Result<ControlFlow<()>, SheetError> {
        if row.row > self.limit {
            return Err(SheetError::TooManyRows);
        }
        match &self.found {
            Some(found) => {
                // Rows that are numbered in advance and never filled end above.
                if row.row > found.row {
                    if row.is_filled(&found.header) {
                        self.last = row.row;
                    }
                    self.unheaded = least(self.unheaded, row.unheaded(&found.texts));
                }
            }
            None => {
                self.first.push(row);
                if self.first.len() >= HEADER_WITHIN {
                    self.find()?;
                }
            }
        }
        Ok(if self.is_over {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn find(&mut self) -> Result<(), SheetError> {
        self.found = find::header(&self.first)?;
        self.is_over = self.found.is_none();
        if let Some(found) = &self.found {
            let below = self.first.iter().filter(|row| row.row > found.row);
            let filled = below.clone().filter(|row| row.is_filled(&found.header));
            self.last = filled.map(|row| row.row).max().unwrap_or(found.row);
            self.unheaded = below.fold(None, |first, row| least(first, row.unheaded(&found.texts)));
        }
        Ok(())
    }

    fn end(mut self) -> Result<End<C>, SheetError> {
        if self.first.is_empty() {
            return Ok(End::Nothing);
        }
        if self.found.is_none() && !self.is_over {
            self.find()?;
        }
        let (last, unheaded) = (self.last, self.unheaded);
        Ok(match self.found {
            Some(found) => End::Plan {
                found,
                last,
                unheaded,
            },
            None => End::NoHeader,
        })
    }
}
