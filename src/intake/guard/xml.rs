//! Walks over a part's markup in the way the workbook reader does, and checks its claims against its content.

use super::{
    MAX_ROWS,
    layout::{At, Cells, Index, is_on},
    package::Counted,
};
use crate::intake::SheetError;
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::{
    collections::HashSet,
    io::{BufReader, Read},
};

/// Excel's own limits: row 1,048,576, column XFD.
const MAX_ROW: u32 = 1_048_576;
const MAX_COLUMN: u32 = 16_384;
/// The shortest shared string, `<si/>`, in bytes.
const MIN_STRING_BYTES: u64 = 5;
/// The most shared strings, and the most bytes of their part: all of them are in memory while a sheet is read.
const MAX_STRINGS: u64 = 2_000_000;
const MAX_STRINGS_BYTES: u64 = 192 * 1024 * 1024;
/// The most markup in one cell, in bytes. Excel holds 32,767 characters in one.
const MAX_CELL_BYTES: u64 = 512 * 1024;
/// The deepest nesting of elements. A workbook has some ten levels, a drawing in it some thirty.
const MAX_DEPTH: u32 = 128;
/// The most cell formats. Excel has 65,490, and as many styles above them.
const MAX_FORMATS: u32 = 131_072;
/// The most of the other elements that the workbook reader keeps: fonts, colours, names, relationships.
const MAX_KEPT: u32 = 524_288;
const MAX_KEPT_BYTES: usize = 32 * 1024 * 1024;
/// The longest of these elements, in bytes. The limit is lower for what each cell format has a copy of.
const MAX_KEPT_ELEMENT: usize = 4 * 1024;
const MAX_COPIED_ELEMENT: usize = 1024;
/// The most shared strings with struck-through text.
const MAX_STRUCK: usize = 100_000;
/// The most worksheets.
const MAX_SHEETS: u32 = 255;
/// The most attributes of an element that is examined.
const MAX_ATTRIBUTES: usize = 64;

/// What was counted over all parts, and what was noted of worksheets.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) index: Index,
    /// Shared strings with struck-through text, by their number.
    struck: HashSet<u64>,
    filled_rows: u32,
    strings: u64,
    sheets: u32,
    formats: u32,
    kept: u32,
    kept_bytes: usize,
}

/// Whether the workbook reader finds markup under this name.
pub(super) fn is_xml(name: &str) -> bool {
    let ends = |end: &str| {
        let tail = name
            .len()
            .checked_sub(end.len())
            .and_then(|at| name.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    ends(".xml") || ends(".rels")
}

/// Walks a part. If it is not XML, the walk ends where the workbook reader's would.
pub(super) fn walk<R: Read>(
    name: &str,
    part: &mut Counted<R>,
    totals: &mut Totals,
) -> Result<(), SheetError> {
    let mut xml = Reader::from_reader(BufReader::new(part));
    // Same as the workbook reader's, so that both see the same events.
    let config = xml.config_mut();
    config.check_end_names = false;
    config.check_comments = false;
    config.expand_empty_elements = true;
    let mut walk = Walk {
        name,
        cells: Cells::new(totals.index.room()),
        totals,
        depth: 0,
        claimed: 0,
        strings: 0,
        is_row_filled: false,
        cell_from: None,
        rows: None,
    };
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        xml.get_mut().get_mut().mark();
        let event = xml.read_event_into(&mut buffer);
        let is_end = matches!(event, Ok(Event::Eof) | Err(_));
        if let Ok(event) = event {
            walk.event(&event)?;
        }
        let at = xml.buffer_position();
        walk.in_cell(at)?;
        if is_end {
            return walk.end(at);
        }
    }
}

struct Walk<'a> {
    /// The part's name.
    name: &'a str,
    cells: Cells,
    totals: &'a mut Totals,
    depth: u32,
    /// How many shared strings the part claims, and how many it has.
    claimed: u64,
    strings: u64,
    is_row_filled: bool,
    /// Where the cell or shared string began: depth, and position once it is known.
    cell_from: Option<(u32, Option<u64>)>,
    /// Where the list of rows, strings or worksheets began: depth and prefix.
    rows: Option<(u32, String)>,
}

impl Walk<'_> {
    fn event(&mut self, event: &Event<'_>) -> Result<(), SheetError> {
        match event {
            Event::Start(element) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(SheetError::TooDeep);
                }
                self.one_language(element)?;
                self.start(element)?;
                self.cells.start(element)
            }
            Event::End(element) => {
                if self.cell_from.is_some_and(|(depth, _)| depth == self.depth) {
                    self.cell_from = None;
                }
                if self
                    .rows
                    .as_ref()
                    .is_some_and(|(depth, _)| *depth == self.depth)
                {
                    self.rows = None;
                }
                self.depth = self.depth.saturating_sub(1);
                self.cells.end(element.local_name().as_ref())
            }
            Event::Text(text) => self.cells.text(text, &self.totals.struck),
            Event::DocType(_) => Err(SheetError::Doctype),
            Event::GeneralRef(_) => self.cells.piece(false),
            Event::CData(_) | Event::Comment(_) | Event::PI(_) => self.cells.piece(true),
            Event::Decl(_) | Event::Empty(_) | Event::Eof => Ok(()),
        }
    }

    /// Programs skip elements of a namespace that they do not know, and choose between alternatives; the workbook
    /// reader goes by the names alone. So everything that it reads must be in one namespace, as programs write it.
    fn one_language(&mut self, element: &BytesStart<'_>) -> Result<(), SheetError> {
        const READ: [&str; 9] = ["row", "c", "f", "v", "is", "si", "r", "t", "sheet"];
        let name = element.local_name();
        let prefix = element.name().prefix();
        let prefix = prefix.as_ref().map_or("", |prefix| prefix.as_ref());
        match &self.rows {
            Some((_, of)) => {
                let is_other = READ.contains(&name.as_ref()) && prefix != of;
                if is_other || name.as_ref() == "AlternateContent" {
                    return Err(SheetError::AmbiguousParts);
                }
            }
            None if ["sheetData", "sst", "sheets"].contains(&name.as_ref()) => {
                self.rows = Some((self.depth, prefix.to_owned()));
            }
            None => {}
        }
        Ok(())
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), SheetError> {
        match element.local_name().as_ref() {
            "sst" => {
                let claimed = attribute(element, "uniqueCount")?
                    .map_or(Ok(0), |n| n.trim().parse())
                    .unwrap_or(u64::MAX);
                self.claimed = self.claimed.max(claimed);
            }
            "si" => {
                self.strings += 1;
                self.cell_from.get_or_insert((self.depth, None));
            }
            "strike" if self.strings > 0 && is_on(element)? => {
                self.totals.struck.insert(self.strings - 1);
                if self.totals.struck.len() > MAX_STRUCK {
                    return Err(SheetError::Bomb);
                }
            }
            "dimension" => dimension(attribute(element, "ref")?.as_deref())?,
            "row" => {
                self.is_row_filled = false;
                reference(attribute(element, "r")?.as_deref())?;
            }
            "c" => {
                self.cell_from.get_or_insert((self.depth, None));
                reference(attribute(element, "r")?.as_deref())?;
            }
            "v" | "is" if !self.is_row_filled => {
                self.is_row_filled = true;
                self.totals.filled_rows += 1;
                if self.totals.filled_rows > MAX_ROWS {
                    return Err(SheetError::TooManyRows);
                }
            }
            "sheet" => {
                self.totals.sheets += 1;
                if self.totals.sheets > MAX_SHEETS {
                    return Err(SheetError::Bomb);
                }
                // Its name is repeated with each of its rows; no program writes one of more than 31 characters.
                self.keep(element, MAX_COPIED_ELEMENT)?;
                self.totals.index.sheet(element)?;
            }
            "Relationship" => {
                self.keep(element, MAX_KEPT_ELEMENT)?;
            }
            "definedName" => self.keep(element, MAX_KEPT_ELEMENT)?,
            "xf" => {
                self.totals.formats += 1;
                if self.totals.formats > MAX_FORMATS {
                    return Err(SheetError::Bomb);
                }
            }
            "font" | "fill" | "border" | "numFmt" | "name" | "color" | "fgColor" | "bgColor" => {
                self.keep(element, MAX_COPIED_ELEMENT)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts what the workbook reader keeps in memory until the end.
    fn keep(&mut self, element: &BytesStart<'_>, longest: usize) -> Result<(), SheetError> {
        let length = element.len();
        self.totals.kept += 1;
        self.totals.kept_bytes += length;
        let is_over = self.totals.kept > MAX_KEPT
            || self.totals.kept_bytes > MAX_KEPT_BYTES
            || length > longest;
        if is_over {
            Err(SheetError::Bomb)
        } else {
            Ok(())
        }
    }

    /// Checks the length of a cell or shared string against the limit.
    fn in_cell(&mut self, at: u64) -> Result<(), SheetError> {
        if let Some((_, from)) = &mut self.cell_from {
            let from = from.get_or_insert(at);
            if at.saturating_sub(*from) > MAX_CELL_BYTES {
                return Err(SheetError::LongCell);
            }
        }
        Ok(())
    }

    fn end(self, length: u64) -> Result<(), SheetError> {
        if self.claimed > length / MIN_STRING_BYTES {
            return Err(SheetError::FalseClaim);
        }
        self.totals.strings += self.strings;
        // Memory is allocated for what is claimed.
        let strings = self.totals.strings.max(self.claimed);
        if strings > MAX_STRINGS || (self.strings > 0 && length > MAX_STRINGS_BYTES) {
            return Err(SheetError::TooMuchText);
        }
        self.totals.index.part(self.name, self.cells.into_layout());
        Ok(())
    }
}

/// The element's attribute of that name. If there are two of them, different readers use different ones.
pub(super) fn attribute(
    element: &BytesStart<'_>,
    name: &str,
) -> Result<Option<String>, SheetError> {
    let mut found: Option<String> = None;
    for (nth, attribute) in element.attributes().with_checks(false).enumerate() {
        let attribute = attribute.map_err(|_| SheetError::Damaged)?;
        if nth > MAX_ATTRIBUTES {
            return Err(SheetError::FalseClaim);
        }
        if attribute.key.as_ref() == name && found.replace(attribute.value.into_owned()).is_some() {
            return Err(SheetError::Damaged);
        }
    }
    Ok(found)
}

fn dimension(text: Option<&str>) -> Result<(), SheetError> {
    let mut corners = text.unwrap_or_default().split(':').map(position);
    match (corners.next(), corners.next(), corners.next()) {
        (Some(Some(_)), None, None) => Ok(()),
        (Some(Some(from)), Some(Some(to)), None) if from.0 <= to.0 && from.1 <= to.1 => Ok(()),
        _ if text.is_none_or(str::is_empty) => Ok(()),
        _ => Err(SheetError::FalseClaim),
    }
}

fn reference(text: Option<&str>) -> Result<(), SheetError> {
    match text.map(position) {
        Some(None) => Err(SheetError::FalseClaim),
        Some(Some(_)) | None => Ok(()),
    }
}

/// Row and column of `B7`, or of `7` alone, both counted from 1; `None` if they lie outside a sheet.
pub(super) fn position(text: &str) -> Option<(u32, u32)> {
    let digits = text.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = text.split_at_checked(digits)?;
    if letters.len() > 3 || digits.len() > 7 {
        return None;
    }
    let column = letters.bytes().try_fold(0_u32, |column, letter| {
        let value = u32::from(letter.to_ascii_uppercase()).checked_sub(64)?;
        (letter.is_ascii_alphabetic()).then(|| column * 26 + value)
    })?;
    let row: u32 = digits.parse().ok()?;
    ((1..=MAX_ROW).contains(&row) && column <= MAX_COLUMN).then_some((row, column))
}

/// Row and column of `B7`, both counted from 0.
pub(super) fn cell_position(text: &str) -> Option<At> {
    let (row, column) = position(text)?;
    Some((row.checked_sub(1)?, column.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_lie_in_a_sheet() {
        assert_eq!(position("A1"), Some((1, 1)));
        assert_eq!(position("XFD1048576"), Some((1_048_576, 16_384)));
        assert_eq!(position("12"), Some((12, 0)));
        for bad in [
            "",
            "A",
            "A0",
            "A1048577",
            "XFE1",
            "AAAA1",
            "A99999999999",
            "A1B",
            "Ａ1",
            "-1",
        ] {
            assert_eq!(position(bad), None, "{bad}");
        }
    }

    fn walked(xml: &str) -> Result<(), SheetError> {
        walk(
            "xl/part.xml",
            &mut Counted::new(xml.as_bytes(), u64::MAX),
            &mut Totals::default(),
        )
    }

    #[test]
    fn what_is_claimed_is_held_against_what_is_there() {
        for honest in [
            "<sst uniqueCount='1'><si><t>a</t></si></sst>",
            "<sst/>",
            "\u{89}PNG <<<",
            "<dimension ref='A1:B2'/><row r='1'><c r='A1'><v>1</v></c></row>",
            "<Relationship Type='http://x/worksheet' Target='worksheets/Sheet1.XML'/>",
            "<Relationship Type='http://x/image' Target='media/1.png'/>",
        ] {
            assert!(walked(honest).is_ok(), "{honest}");
        }
        for lie in [
            "<a><sst uniqueCount='70'/></a>",
            "<x:sst uniqueCount='-7'>",
            "<dimension ref='B2:A1'/>",
            "<dimension ref='A1:XFD9999999'/>",
            "<row r='4294967297'/>",
            "<c r='ZZZZZZZ1'/>",
        ] {
            assert!(matches!(walked(lie), Err(SheetError::FalseClaim)), "{lie}");
        }
        let twice = "<c r='A1' r='B1'/>";
        assert!(matches!(walked(twice), Err(SheetError::Damaged)));
    }

    #[test]
    fn markup_that_grows_in_a_readers_memory_is_refused() {
        let deep = "<a>".repeat(200);
        assert!(matches!(walked(&deep), Err(SheetError::TooDeep)));
        let laughs = "<!DOCTYPE x [<!ENTITY a 'ha'>]><x>&a;</x>";
        assert!(matches!(walked(laughs), Err(SheetError::Doctype)));
        // Many short pieces that a reader puts together into one text.
        let long = format!("<c r='A1' t='str'><v>{}</v></c>", "&amp;".repeat(200_000));
        assert!(matches!(walked(&long), Err(SheetError::LongCell)));
        let styles = "<xf/>".repeat(700_000);
        assert!(matches!(walked(&styles), Err(SheetError::Bomb)));
        let font = format!("<font><name val='{}'/></font>", "宋".repeat(3_000));
        assert!(matches!(walked(&font), Err(SheetError::Bomb)));
        let merged = "<mergeCell ref='A1:B2'/>".repeat(1_000_001);
        assert!(matches!(walked(&merged), Err(SheetError::Bomb)));
        let formulas = "<c><f>A1</f><v/></c>".repeat(1_000_001);
        assert!(matches!(walked(&formulas), Err(SheetError::NotComputed)));
        let many = "<si/>".repeat(2_000_001);
        assert!(matches!(walked(&many), Err(SheetError::TooMuchText)));
    }

    #[test]
    fn rows_are_counted_that_have_anything_in_them() {
        let rows = |n: usize| "<row><c><v>1</v></c><c><v>2</v></c></row><row/>".repeat(n);
        assert!(walked(&rows(1_000)).is_ok());
        assert!(matches!(
            walked(&rows(200_001)),
            Err(SheetError::TooManyRows)
        ));
    }
}
