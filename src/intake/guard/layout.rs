//! What a worksheet has besides the values of its cells, which the workbook reader does not report: noted while its
//! markup is walked.

use super::xml::{attribute, cell_position, position};
use crate::intake::SheetError;
use quick_xml::events::BytesStart;
use std::collections::{HashMap, HashSet};

/// The most positions noted for all worksheets together: 16 MB.
const MAX_NOTED: usize = 1_000_000;
/// The errors that the workbook reader knows.
const KNOWN_ERRORS: [&str; 7] = [
    "#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!",
];

/// Row and column, both from 0, as the workbook reader counts.
pub(in crate::intake) type At = (u32, u32);

/// What a worksheet has besides its values.
#[derive(Debug, Default)]
pub(in crate::intake) struct Layout {
    /// Cells with an error that the workbook reader does not know, at which it stops.
    pub(in crate::intake) unknown_errors: Vec<At>,
    /// Cells with a formula that was never computed.
    pub(in crate::intake) uncomputed: Vec<At>,
    /// Cells with a picture, or another value of a kind of its own.
    pub(in crate::intake) pictures: Vec<At>,
    /// Cells with struck-through text.
    pub(in crate::intake) struck: Vec<At>,
    /// Rows that are not empty and not displayed.
    pub(in crate::intake) hidden_rows: Vec<u32>,
    /// Merged ranges, each by its first and last cell.
    pub(in crate::intake) merged: Vec<[At; 2]>,
}

impl Layout {
    fn noted(&self) -> usize {
        self.unknown_errors.len()
            + self.uncomputed.len()
            + self.pictures.len()
            + self.struck.len()
            + self.hidden_rows.len()
            + self.merged.len()
    }
}

/// Follows the cells of one part.
#[derive(Default)]
pub(super) struct Cells {
    layout: Layout,
    room: usize,
    next: At,
    is_row_hidden: bool,
    is_row_noted: bool,
    /// The reader loses track of columns at a cell where it stops.
    is_row_unsure: bool,
    cell: Option<Open>,
}

/// A cell whose end has not been reached.
struct Open {
    at: At,
    kind: Kind,
    has_formula: bool,
    has_value: bool,
    is_in_value: bool,
    /// `Some` within `<v>`: how many pieces of text there were.
    pieces: Option<u32>,
    has_v: bool,
    has_is: bool,
    is_unknown_error: bool,
    is_picture: bool,
    is_struck: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Text,
    Shared,
    Other,
}

impl Cells {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            ..Self::default()
        }
    }

    pub(super) fn start(&mut self, element: &BytesStart<'_>) -> Result<(), SheetError> {
        if self.is_in_v() {
            return Err(SheetError::Damaged);
        }
        match element.local_name().as_ref() {
            "row" => {
                if let Some((row, _)) = attribute(element, "r")?.as_deref().and_then(position) {
                    self.next.0 = row.saturating_sub(1);
                }
                let hidden = attribute(element, "hidden")?;
                let height = attribute(element, "ht")?.and_then(|said| said.trim().parse().ok());
                self.is_row_hidden = hidden.is_some_and(|said| said == "1" || said == "true")
                    || height.is_some_and(|points: f64| points <= 0.0);
                self.is_row_noted = false;
                self.is_row_unsure = false;
            }
            "c" => self.cell(element)?,
            "f" => {
                if let Some(cell) = &mut self.cell {
                    cell.has_formula = true;
                }
            }
            name @ ("v" | "is") => {
                let row = self.next.0;
                if self.is_row_hidden && !self.is_row_noted {
                    self.is_row_noted = true;
                    self.layout.hidden_rows.push(row);
                    self.room_left(SheetError::Bomb)?;
                }
                if let Some(cell) = &mut self.cell {
                    let (is_again, pieces) = match name {
                        "v" => (std::mem::replace(&mut cell.has_v, true), Some(0)),
                        _ => (std::mem::replace(&mut cell.has_is, true), None),
                    };
                    // It would be ambiguous which of two numbers counts.
                    if is_again {
                        return Err(SheetError::Damaged);
                    }
                    cell.pieces = pieces;
                    // An empty text is the result of a formula; an empty number is none.
                    cell.has_value |= cell.kind == Kind::Text;
                    cell.is_in_value = true;
                }
            }
            "strike" if is_on(element)? => {
                if let Some(cell) = &mut self.cell {
                    cell.is_struck = true;
                }
            }
            "mergeCell" => {
                let range = attribute(element, "ref")?.unwrap_or_default();
                let mut corners = range.split(':').map(cell_position);
                if let (Some(Some(from)), Some(Some(to)), None) =
                    (corners.next(), corners.next(), corners.next())
                {
                    self.layout.merged.push([from, to]);
                    self.room_left(SheetError::Bomb)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn cell(&mut self, element: &BytesStart<'_>) -> Result<(), SheetError> {
        let said = attribute(element, "r")?;
        if said.is_none() && self.is_row_unsure {
            return Err(SheetError::ErrorCell);
        }
        if let Some(at) = said.as_deref().and_then(cell_position) {
            self.next = at;
        }
        // The reader takes the first style if it cannot parse the number.
        if attribute(element, "s")?.is_some_and(|style| style.parse::<u32>().is_err()) {
            return Err(SheetError::Damaged);
        }
        let kind = match attribute(element, "t")?.as_deref() {
            Some("e") => Kind::Error,
            Some("str") => Kind::Text,
            Some("s") => Kind::Shared,
            Some(_) | None => Kind::Other,
        };
        self.cell = Some(Open {
            at: self.next,
            kind,
            has_formula: false,
            has_value: false,
            is_in_value: false,
            pieces: None,
            has_v: false,
            has_is: false,
            is_unknown_error: false,
            // Excel keeps a picture in a cell as an error with a rich value.
            is_picture: kind == Kind::Error && attribute(element, "vm")?.is_some(),
            is_struck: false,
        });
        self.next.1 = self.next.1.saturating_add(1);
        Ok(())
    }

    /// Text of a value: the reader uses the first piece.
    pub(super) fn text(&mut self, text: &str, struck: &HashSet<u64>) -> Result<(), SheetError> {
        self.piece(false)?;
        let Some(cell) = self.cell.as_mut().filter(|cell| cell.is_in_value) else {
            return Ok(());
        };
        // The reader takes the first string if it cannot parse the number.
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if cell.kind == Kind::Shared && cell.pieces.is_some() && !is_number(text.trim_ascii()) {
            return Err(SheetError::Damaged);
        }
        cell.has_value |= !text.is_empty();
        cell.is_struck |= cell.kind == Kind::Shared
            && text
                .trim()
                .parse()
                .is_ok_and(|nth: u64| struck.contains(&nth));
        cell.is_unknown_error |= cell.kind == Kind::Error && !KNOWN_ERRORS.contains(&text);
        cell.is_in_value = false;
        Ok(())
    }

    /// A piece of a value. The reader uses only the first one, or skips it, where other programs concatenate them: so
    /// `<v>` may have only one, in plain text. The text result of a formula may contain entities.
    pub(super) fn piece(&mut self, is_odd: bool) -> Result<(), SheetError> {
        let Some(cell) = &mut self.cell else {
            return Ok(());
        };
        let Some(pieces) = &mut cell.pieces else {
            return Ok(());
        };
        *pieces += 1;
        if is_odd || (*pieces > 1 && cell.kind != Kind::Text) {
            Err(SheetError::Damaged)
        } else {
            Ok(())
        }
    }

    fn is_in_v(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.pieces.is_some())
    }

    pub(super) fn end(&mut self, name: &str) -> Result<(), SheetError> {
        match name {
            "row" => {
                self.next = (self.next.0.saturating_add(1), 0);
            }
            "v" | "is" => {
                if let Some(cell) = &mut self.cell {
                    cell.is_in_value = false;
                    cell.pieces = None;
                }
            }
            "c" => {
                let Some(cell) = self.cell.take() else {
                    return Ok(());
                };
                if cell.is_picture {
                    self.layout.pictures.push(cell.at);
                    self.room_left(SheetError::Bomb)?;
                }
                if cell.is_struck {
                    self.layout.struck.push(cell.at);
                    self.room_left(SheetError::Bomb)?;
                }
                if cell.is_unknown_error {
                    self.is_row_unsure = true;
                    self.layout.unknown_errors.push(cell.at);
                    self.room_left(SheetError::ErrorCell)?;
                } else if cell.has_formula && !cell.has_value {
                    self.layout.uncomputed.push(cell.at);
                    self.room_left(SheetError::NotComputed)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn room_left(&mut self, otherwise: SheetError) -> Result<(), SheetError> {
        self.room = self.room.checked_sub(1).ok_or(otherwise)?;
        Ok(())
    }

    pub(super) fn into_layout(self) -> Layout {
        self.layout
    }
}

/// Whether a text property is on: it has no value then.
pub(super) fn is_on(element: &BytesStart<'_>) -> Result<bool, SheetError> {
    let said = attribute(element, "val")?;
    Ok(!matches!(said.as_deref(), Some("0" | "false" | "off")))
}

/// The layouts of a workbook's parts, and which part is which worksheet.
pub(super) struct Index {
    room: usize,
    parts: HashMap<String, Layout>,
    /// Worksheets in the workbook's order, by the ids of their relationships.
    sheets: Vec<String>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            room: MAX_NOTED,
            parts: HashMap::new(),
            sheets: Vec::new(),
        }
    }
}

impl Index {
    /// How many positions may still be noted.
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    pub(super) fn part(&mut self, name: &str, layout: Layout) {
        let noted = layout.noted();
        if noted > 0 {
            self.room = self.room.saturating_sub(noted);
            self.parts.insert(name.to_owned(), layout);
        }
    }

    /// Notes a worksheet that the workbook names.
    pub(super) fn sheet(&mut self, element: &BytesStart<'_>) -> Result<(), SheetError> {
        let mut id = String::new();
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| SheetError::Damaged)?;
            if attribute.key.local_name().as_ref() == "id" {
                // Programs go by the namespace, the reader by the last attribute of this name.
                if !id.is_empty() {
                    return Err(SheetError::AmbiguousParts);
                }
                id = attribute.value.into_owned();
            }
        }
        self.sheets.push(id);
        Ok(())
    }

    /// The layouts of the worksheets, in the order in which the workbook names them; `targets` maps the ids of their
    /// relationships to their parts.
    pub(super) fn into_layouts(
        mut self,
        targets: &HashMap<String, String>,
    ) -> Result<Vec<Layout>, SheetError> {
        let mut seen = HashSet::new();
        let mut layouts = Vec::new();
        for id in &self.sheets {
            let part = targets.get(id).ok_or(SheetError::Damaged)?;
            // One part under two names: it would be unclear to which one its notes belong.
            if !seen.insert(part) {
                return Err(SheetError::AmbiguousParts);
            }
            layouts.push(self.parts.remove(part).unwrap_or_default());
        }
        Ok(layouts)
    }
}
