//! Records of comma-separated text (RFC 4180), one at a time, in bounded memory.

use super::{
    RawRow, SheetError,
    cell::Cell,
    guard::{MAX_COLUMNS, MAX_ROW_BYTES},
    text::{Pieces, Text},
};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Possible delimiters, the likeliest first.
pub(super) const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The records of a text, numbered as a spreadsheet program numbers the rows that it displays: a blank line counts, a
/// line break inside quotation marks does not. (Line numbers of CSV readers are one too low where lines end in CR LF.)
pub(super) struct Records<'a> {
    pieces: Pieces<'a>,
    encoding: &'static str,
    reader: Reader,
    /// Decoded bytes that are not read yet.
    piece: Vec<u8>,
    at: usize,
    /// The record that is being read, or was read last.
    record: u32,
    fields: Box<[u8]>,
    ends: Box<[usize]>,
    is_after_cr: bool,
    is_ended: bool,
    /// The record that lacks its line end, and its number of fields.
    unended: Option<(u32, usize)>,
    delimiter: u8,
    marks: Marks,
}

/// The state after the last byte of a field, as far as quotation marks are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    Start,
    Bare,
    Open,
    /// After a mark inside marks: either the field has ended, or the next byte is a mark too and both stand for one.
    Closed,
    /// Blanks after the closing mark.
    Over,
}

impl Marks {
    /// The state after the next byte; `None` if text follows a closing mark (RFC 4180 section 2 rule 5). A reader that
    /// takes it as text merges two rows with a stray mark each, and all rows between them, into one.
    const fn after(self, byte: u8, delimiter: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Open, b'"') => Self::Closed,
            (Self::Open, _) | (Self::Start | Self::Closed, b'"') => Self::Open,
            (_, b'\n' | b'\r') => Self::Start,
            (_, byte) if byte == delimiter => Self::Start,
            (Self::Start | Self::Bare, _) => Self::Bare,
            (Self::Closed | Self::Over, b' ' | b'\t') => Self::Over,
            (Self::Closed | Self::Over, _) => return None,
        })
    }
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a Text, delimiter: u8) -> Self {
        Self {
            pieces: text.pieces(),
            encoding: text.encoding(),
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            piece: Vec::new(),
            at: 0,
            record: 0,
            fields: vec![0; MAX_ROW_BYTES].into_boxed_slice(),
            ends: vec![0; MAX_COLUMNS + 1].into_boxed_slice(),
            is_after_cr: false,
            is_ended: false,
            unended: None,
            delimiter,
            marks: Marks::Start,
        }
    }

    /// The next record that is not blank; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<RawRow>, SheetError> {
        loop {
            if !self.begin()? {
                return Ok(None);
            }
            let (bytes, fields) = self.read()?;
            let row = self.row(bytes, fields);
            if !row.cells.is_empty() {
                return Ok(Some(row));
            }
        }
    }

    /// The last record if it lacks its line end, and its number of fields. Meaningful only after the last record was
    /// read.
    pub(super) const fn unended(&self) -> Option<(u32, usize)> {
        self.unended
    }

    /// Advances to the start of the next record, counting blank lines; false at the end.
    fn begin(&mut self) -> Result<bool, SheetError> {
        self.record = self.record.saturating_add(1);
        loop {
            let Some(byte) = self.peek()? else {
                return Ok(false);
            };
            match byte {
                // The second half of the preceding line end.
                b'\n' if self.is_after_cr => {}
                b'\n' | b'\r' => self.record = self.record.saturating_add(1),
                _ => return Ok(true),
            }
            self.is_after_cr = byte == b'\r';
            self.at += 1;
        }
    }

    /// The next byte, if there is one.
    fn peek(&mut self) -> Result<Option<u8>, SheetError> {
        loop {
            if let Some(byte) = self.piece.get(self.at) {
                return Ok(Some(*byte));
            }
            if self.is_ended {
                return Ok(None);
            }
            self.at = 0;
            self.piece.clear();
            match self.pieces.next() {
                Ok(Some(piece)) => self.piece.extend_from_slice(piece),
                Ok(None) => self.is_ended = true,
                Err(_) => {
                    return Err(SheetError::BadText {
                        record: self.record,
                        encoding: self.encoding,
                    });
                }
            }
        }
    }

    /// Reads a record, and returns its number of bytes and of fields.
    fn read(&mut self) -> Result<(usize, usize), SheetError> {
        let (mut written, mut ended) = (0, 0);
        let mut has_closed = false;
        self.marks = Marks::Start;
        loop {
            let row = self.record;
            let is_more = self.peek()?.is_some();
            let input = match self.piece.get(self.at..) {
                Some(input) if is_more => input,
                // The last record may lack its line end. If it does not end with one, a quotation mark is open.
                _ if !has_closed => {
                    has_closed = true;
                    b"\n"
                }
                _ => return Err(SheetError::OpenQuote { record: row }),
            };
            let (Some(fields), Some(ends)) =
                (self.fields.get_mut(written..), self.ends.get_mut(ended..))
            else {
                return Err(SheetError::LongRow { row });
            };
            let (result, read, bytes, count) = self.reader.read_record(input, fields, ends);
            self.is_after_cr = read
                .checked_sub(1)
                .and_then(|last| input.get(last))
                .is_some_and(|byte| *byte == b'\r');
            for byte in input.get(..read).unwrap_or_default() {
                if matches!(byte, 0..=8 | 14..=26) {
                    return Err(SheetError::ControlCharacter { record: row });
                }
                let after = self.marks.after(*byte, self.delimiter);
                self.marks = after.ok_or(SheetError::StrayQuote { record: row })?;
            }
            if is_more {
                self.at += read;
            }
            written += bytes;
            ended += count;
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => {
                    self.unended = has_closed.then_some((row, ended));
                    return Ok((written, ended));
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => return Err(SheetError::LongRow { row }),
                ReadRecordResult::OutputEndsFull => {
                    return Err(SheetError::TooManyColumns { row });
                }
            }
        }
    }

    fn row(&self, bytes: usize, fields: usize) -> RawRow {
        let text = self.fields.get(..bytes).unwrap_or_default();
        let mut start = 0;
        let mut cells = Vec::new();
        for (end, at) in self.ends.iter().take(fields).zip(0..) {
            let field = text.get(start..*end).unwrap_or_default();
            start = *end;
            // The text was decoded, and fields end at ASCII characters: nothing is ever replaced.
            let field = String::from_utf8_lossy(field);
            cells.extend(Cell::from_csv(&field).map(|cell| (at, cell)));
        }
        RawRow {
            cells,
            ..RawRow::blank(self.record)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Record = (u32, Vec<(u32, String)>);

    fn records(text: &str, delimiter: u8) -> Result<Vec<Record>, SheetError> {
        let text = Text::new(text.as_bytes().to_vec());
        let mut records = Records::new(&text, delimiter);
        let mut all = Vec::new();
        while let Some(row) = records.next()? {
            let cells = row.cells.iter();
            all.push((
                row.row,
                cells.map(|(at, cell)| (*at, cell.as_written())).collect(),
            ));
        }
        Ok(all)
    }

    fn numbers(text: &str) -> Vec<u32> {
        let all = records(text, b',').unwrap();
        all.into_iter().map(|(row, _)| row).collect()
    }

    #[test]
    fn records_are_numbered_as_a_spreadsheet_shows_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "\"1\r\n1\",2", "", ",,", "3,4"].join(end);
            assert_eq!(numbers(&text), [1, 2, 5], "{end:?}");
            assert_eq!(numbers(&(text + end)), [1, 2, 5], "{end:?}");
        }
        assert_eq!(numbers("\n\r\n\na"), [4]);
        assert_eq!(numbers(""), [0; 0]);
        // Where the decoder's pieces end makes no difference.
        for padding in 16_360..16_390 {
            let text = format!("{}\r\n\r\n\"x\r\ny\",2\r\nz", "x".repeat(padding));
            assert_eq!(numbers(&text), [1, 3, 4], "{padding}");
        }
    }

    #[test]
    fn fields_keep_what_is_in_quotation_marks() {
        let cell = |at, text: &str| (at, text.to_owned());
        assert_eq!(
            records("a;\"b;\"\"c\"\"\nd\";;e", b';').unwrap(),
            [(1, vec![cell(0, "a"), cell(1, "b;\"c\"\nd"), cell(3, "e")])]
        );
    }

    /// Two stray marks, and the row between them was taken for the end of the first row's remarks: its person's data went
    /// out inside another's lead.
    #[test]
    fn regression_rows_between_two_stray_marks_are_not_swallowed() {
        let stray = records("a,b\n1,\"x\n2,y\n3,\"z\n", b',');
        assert!(
            matches!(stray, Err(SheetError::StrayQuote { record: 2 })),
            "{stray:?}"
        );
        let cell = |at, text: &str| (at, text.to_owned());
        assert_eq!(
            records("\"a\" ,\"b\"\r\nc \"d\",\"\"\"e\"\"\"", b',').unwrap(),
            [
                (1, vec![cell(0, "a "), cell(1, "b")]),
                (2, vec![cell(0, "c \"d\""), cell(1, "\"e\"")])
            ]
        );
    }

    #[test]
    fn what_breaks_off_or_never_ends_is_refused_by_its_record() {
        let open = records("a,b\r\n1,\"2\r\n3,4\r\n", b',');
        assert!(matches!(open, Err(SheetError::OpenQuote { record: 2 })));
        let open = records("a,b\r\n1,\"", b',');
        assert!(matches!(open, Err(SheetError::OpenQuote { record: 2 })));
        let long = records(&format!("a\n\"{}", "x\n".repeat(1 << 18)), b',');
        assert!(matches!(long, Err(SheetError::LongRow { row: 2 })));
        let wide = records(&format!("a\n{}", ",".repeat(1 << 20)), b',');
        assert!(matches!(wide, Err(SheetError::TooManyColumns { row: 2 })));
        let stray = Text::new(
            "线索编号姓名性别备注,1\r\n1,2\r\n3,"
                .bytes()
                .chain([0xff])
                .collect(),
        );
        let mut records = Records::new(&stray, b',');
        assert!(records.next().is_ok() && records.next().is_ok());
        let error = records.next().unwrap_err();
        assert!(
            matches!(error, SheetError::BadText { record: 3, .. }),
            "{error}"
        );
    }
}
