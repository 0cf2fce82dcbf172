//! What a worksheet has beside the values of its cells, which the workbook reader does not tell: noted while its markup is
//! walked.

use super::xml::{attribute, cell_position, position};
use crate::intake::SheetError;
use quick_xml::events::BytesStart;
use std::collections::HashMap;

/// The most that is noted of all worksheets together: 16 MB.
const MAX_NOTED: usize = 1_000_000;
/// The errors that the workbook reader knows.
const KNOWN_ERRORS: [&str; 7] = [
    "#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!",
];

/// Row and column, both from 0, as the workbook reader counts.
pub(in crate::intake) type At = (u32, u32);

/// What a worksheet has beside its values.
#[derive(Debug, Default)]
pub(in crate::intake) struct Layout {
    /// Cells with an error that the workbook reader does not know, at which it stops.
    pub(in crate::intake) unknown_errors: Vec<At>,
    /// Cells with a formula that was never computed.
    pub(in crate::intake) uncomputed: Vec<At>,
    /// Rows with something in them that are not shown.
    pub(in crate::intake) hidden_rows: Vec<u32>,
    /// Ranges of cells that are merged, each by its first and last.
    pub(in crate::intake) merged: Vec<[At; 2]>,
}

impl Layout {
    fn noted(&self) -> usize {
        self.unknown_errors.len()
            + self.uncomputed.len()
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
    /// The reader loses count of columns at a cell where it stops.
    is_row_unsure: bool,
    cell: Option<Open>,
}

/// A cell whose end has not come yet.
struct Open {
    at: At,
    kind: Kind,
    has_formula: bool,
    has_value: bool,
    is_in_value: bool,
    is_unknown_error: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Text,
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
        match element.local_name().as_ref() {
            "row" => {
                if let Some((row, _)) = attribute(element, "r")?.as_deref().and_then(position) {
                    self.next.0 = row.saturating_sub(1);
                }
                let hidden = attribute(element, "hidden")?;
                self.is_row_hidden = hidden.is_some_and(|said| said == "1" || said == "true");
                self.is_row_noted = false;
                self.is_row_unsure = false;
            }
            "c" => self.cell(element)?,
            "f" => {
                if let Some(cell) = &mut self.cell {
                    cell.has_formula = true;
                }
            }
            "v" | "is" => {
                let row = self.next.0;
                if self.is_row_hidden && !self.is_row_noted {
                    self.is_row_noted = true;
                    self.layout.hidden_rows.push(row);
                    self.room_left(SheetError::Bomb)?;
                }
                if let Some(cell) = &mut self.cell {
                    // An empty text is what a formula came to; an empty number is none.
                    cell.has_value |= cell.kind == Kind::Text;
                    cell.is_in_value = true;
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
        let kind = match attribute(element, "t")?.as_deref() {
            Some("e") => Kind::Error,
            Some("str") => Kind::Text,
            Some(_) | None => Kind::Other,
        };
        self.cell = Some(Open {
            at: self.next,
            kind,
            has_formula: false,
            has_value: false,
            is_in_value: false,
            is_unknown_error: false,
        });
        self.next.1 = self.next.1.saturating_add(1);
        Ok(())
    }

    /// Text of a value: the reader goes by the first piece.
    pub(super) fn text(&mut self, text: &str) {
        let Some(cell) = self.cell.as_mut().filter(|cell| cell.is_in_value) else {
            return;
        };
        cell.has_value |= !text.is_empty();
        cell.is_unknown_error |= cell.kind == Kind::Error && !KNOWN_ERRORS.contains(&text);
        cell.is_in_value = false;
    }

    pub(super) fn end(&mut self, name: &str) -> Result<(), SheetError> {
        match name {
            "row" => {
                self.next = (self.next.0.saturating_add(1), 0);
            }
            "v" | "is" => {
                if let Some(cell) = &mut self.cell {
                    cell.is_in_value = false;
                }
            }
            "c" => {
                let Some(cell) = self.cell.take() else {
                    return Ok(());
                };
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

/// The layouts of a workbook's parts, and which part is which worksheet.
pub(super) struct Index {
    room: usize,
    parts: HashMap<String, Layout>,
    /// Worksheets in the workbook's order, by the ids of their relationships.
    sheets: Vec<String>,
    /// From id to part.
    targets: HashMap<String, String>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            room: MAX_NOTED,
            parts: HashMap::new(),
            sheets: Vec::new(),
            targets: HashMap::new(),
        }
    }
}

impl Index {
    /// What there is room for yet.
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    pub(super) fn part(&mut self, name: &str, layout: Layout) {
        let noted = layout.noted();
        if noted > 0 {
            self.room = self.room.saturating_sub(noted);
            self.parts.insert(plain(name), layout);
        }
    }

    /// A worksheet that the workbook names.
    pub(super) fn sheet(&mut self, element: &BytesStart<'_>) -> Result<(), SheetError> {
        let mut id = String::new();
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| SheetError::Damaged)?;
            if attribute.key.local_name().as_ref() == "id" {
                id = attribute.value.into_owned();
            }
        }
        self.sheets.push(id);
        Ok(())
    }

    /// Where a relationship of the workbook leads.
    pub(super) fn relationship(
        &mut self,
        part: &str,
        element: &BytesStart<'_>,
    ) -> Result<(), SheetError> {
        let part = plain(part);
        let Some(directory) = part.strip_suffix("_rels/workbook.xml.rels") else {
            return Ok(());
        };
        let kind = attribute(element, "Type")?.unwrap_or_default();
        if !kind.ends_with("/worksheet") {
            return Ok(());
        }
        let (id, target) = (attribute(element, "Id")?, attribute(element, "Target")?);
        if let (Some(id), Some(target)) = (id, target) {
            let target = match target.strip_prefix('/') {
                Some(whole) => plain(whole),
                None => plain(&format!("{directory}{target}")),
            };
            self.targets.insert(id, target);
        }
        Ok(())
    }

    /// The layouts of the worksheets, in the order in which the workbook names them.
    pub(super) fn into_layouts(mut self) -> Vec<Layout> {
        let part = |id: &String| {
            self.targets
                .get(id)
                .and_then(|part| self.parts.remove(part))
        };
        self.sheets
            .iter()
            .map(part)
            .map(Option::unwrap_or_default)
            .collect()
    }
}

/// A part's name as the workbook reader compares it.
fn plain(name: &str) -> String {
    name.replace('\\', "/").to_ascii_lowercase()
}
