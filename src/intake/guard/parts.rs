//! Finds which part of a package is which: by its relationships and content types alone (ECMA-376 part 2), never by its
//! name. A target may be absolute or relative, with `.`, `..` and percent-encoding; names that differ only in case are
//! equal.
//!
//! What is found is written into a package in normal form, in UTF-8 and with the names that the workbook reader looks
//! for.

use super::{
    FileKind,
    package::damaged,
    utf8::{Archive, is_utf_16, text, write_as_utf_8},
    xml::attribute,
};
use crate::intake::SheetError;
use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesStart, Event},
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    io::{Cursor, Write},
};
use zip::{ZipWriter, write::SimpleFileOptions};

const CONTENT_TYPES: &str = "[content_types].xml";
const PACKAGE_RELS: &str = "_rels/.rels";
/// The main part's name in normal form.
const MAIN: &str = "xl/workbook.xml";
const MAIN_RELS: &str = "xl/_rels/workbook.xml.rels";
const STRINGS: &str = "xl/sharedStrings.xml";
const STYLES: &str = "xl/styles.xml";

/// The parts of a workbook that are read, by their number in the archive.
pub(super) struct Parts {
    main: usize,
    strings: Option<usize>,
    styles: Option<usize>,
    sheets: Vec<Sheet>,
}

/// A sheet that the workbook may name.
struct Sheet {
    /// The relationship's id, as written.
    id: String,
    /// `worksheet`, `chartsheet`, `dialogsheet`.
    kind: String,
    part: usize,
}

impl Parts {
    /// Whether a part goes into the normal form.
    pub(super) fn is_read(&self, part: usize) -> bool {
        self.named().any(|(_, of)| of == part)
    }

    /// Maps the ids of the sheets' relationships to their names in normal form.
    pub(super) fn sheets(&self) -> HashMap<String, String> {
        let sheets = self.sheets.iter();
        sheets
            .map(|sheet| (sheet.id.clone(), sheet_name(sheet.part)))
            .collect()
    }

    /// Names in normal form, each with its part. Shared strings come before the worksheets that refer to them.
    fn named(&self) -> impl Iterator<Item = (String, usize)> {
        let others = [(STRINGS, self.strings), (STYLES, self.styles)];
        let others = others
            .into_iter()
            .filter_map(|(name, part)| Some((name.to_owned(), part?)));
        let sheets: BTreeSet<usize> = self.sheets.iter().map(|sheet| sheet.part).collect();
        let sheets = sheets.into_iter().map(|part| (sheet_name(part), part));
        std::iter::once((MAIN.to_owned(), self.main))
            .chain(others)
            .chain(sheets)
    }

    /// The package in normal form. Parts are copied in compressed form, except those in UTF-16, which are rewritten in
    /// UTF-8 within a limit of bytes.
    pub(super) fn normal_form(
        &self,
        archive: &mut Archive<'_>,
        limit: u64,
    ) -> Result<Vec<u8>, SheetError> {
        let mut to = ZipWriter::new(Cursor::new(Vec::new()));
        let plain = SimpleFileOptions::default();
        let package = format!(
            "<Relationships><Relationship Id=\"r\" Type=\"x/relationships/officeDocument\" Target=\"{MAIN}\"/></Relationships>"
        );
        let mut rels = "<Relationships>".to_owned();
        for Sheet { id, kind, part } in &self.sheets {
            let name = sheet_name(*part);
            let written = write!(
                rels,
                "<Relationship Id=\"{id}\" Type=\"x/relationships/{kind}\" Target=\"/{name}\"/>"
            );
            written.map_err(|_| SheetError::Damaged)?;
        }
        rels.push_str("</Relationships>");
        for (name, text) in [(PACKAGE_RELS, package), (MAIN_RELS, rels)] {
            to.start_file(name, plain).map_err(damaged)?;
            to.write_all(text.as_bytes())
                .map_err(|_| SheetError::Damaged)?;
        }
        let mut left = limit;
        for (name, part) in self.named() {
            if is_utf_16(archive, part)? {
                to.start_file(&name, plain).map_err(damaged)?;
                left -= write_as_utf_8(archive, part, left, &mut to)?;
            } else {
                let part = archive.by_index_raw(part).map_err(damaged)?;
                to.raw_copy_file_rename(part, name).map_err(damaged)?;
            }
        }
        Ok(to.finish().map_err(damaged)?.into_inner())
    }
}

fn sheet_name(part: usize) -> String {
    format!("xl/worksheets/{part}.xml")
}

/// Finds the parts of a workbook.
pub(super) fn find(archive: &mut Archive<'_>) -> Result<Parts, SheetError> {
    let names = Names::of(archive)?;
    let types = match names.index(CONTENT_TYPES) {
        Some(part) => Types::read(&text(archive, part)?)?,
        None => Types::default(),
    };
    let Some(package) = names.index(PACKAGE_RELS) else {
        return Err(no_workbook(&names));
    };
    let package = relationships(&text(archive, package)?, "")?;
    let main = names.only(&package, "officeDocument", &types, &MAIN_TYPES)?;
    let Some((main, main_name)) = main else {
        return Err(no_workbook(&names));
    };
    if let Some(kind) = other_kind(&types.of(&main_name), &main_name) {
        return Err(SheetError::WrongType(kind));
    }
    let (directory, file) = main_name.rsplit_once('/').unwrap_or(("", &main_name));
    let rels = resolved(directory, &format!("_rels/{file}.rels"))?;
    let rels = names.index(&rels).ok_or(SheetError::Damaged)?;
    let rels = relationships(&text(archive, rels)?, directory)?;
    let only = |kind: &str, content: &str| -> Result<Option<usize>, SheetError> {
        let found = names.only(&rels, kind, &types, &[content])?;
        Ok(found.map(|(part, _)| part))
    };
    let strings = only("sharedStrings", "spreadsheetml.sharedstrings+xml")?;
    let styles = only("styles", "spreadsheetml.styles+xml")?;
    let mut sheets: Vec<Sheet> = Vec::new();
    for relationship in &rels {
        let kind = relationship.kind();
        if !["worksheet", "chartsheet", "dialogsheet"].contains(&kind) {
            continue;
        }
        let part = names
            .index(&relationship.target()?)
            .ok_or(SheetError::Damaged)?;
        let id = &relationship.id;
        // Ids are compared as they are written.
        if id.contains(['"', '&', '<']) || sheets.iter().any(|sheet| sheet.id == *id) {
            return Err(SheetError::Damaged);
        }
        sheets.push(Sheet {
            id: id.clone(),
            kind: kind.to_owned(),
            part,
        });
    }
    let parts = Parts {
        main,
        strings,
        styles,
        sheets,
    };
    let mut seen = BTreeSet::new();
    // One part in two roles.
    if parts.named().any(|(_, part)| !seen.insert(part)) {
        return Err(SheetError::AmbiguousParts);
    }
    Ok(parts)
}

/// The endings of the content types of a workbook's main part, in lower case.
const MAIN_TYPES: [&str; 4] = [
    "spreadsheetml.sheet.main+xml",
    "spreadsheetml.template.main+xml",
    "ms-excel.sheet.macroenabled.main+xml",
    "ms-excel.template.macroenabled.main+xml",
];

/// What a package without a workbook is, judged by the names that other kinds give their parts.
fn no_workbook(names: &Names) -> SheetError {
    let kinds = [
        ("xl/workbook.bin", FileKind::BinaryWorkbook),
        ("word/document.xml", FileKind::Word),
        ("ppt/presentation.xml", FileKind::Slides),
        ("content.xml", FileKind::OpenDocument),
    ];
    if names.index(MAIN).is_some() {
        return SheetError::Damaged;
    }
    let kind = kinds
        .into_iter()
        .find(|(name, _)| names.index(name).is_some());
    SheetError::WrongType(kind.map_or(FileKind::Archive, |(_, kind)| kind))
}

/// The kind of a main part that is not a workbook in XML.
fn other_kind(content: &str, name: &str) -> Option<FileKind> {
    let kinds = [
        ("sheet.binary.", FileKind::BinaryWorkbook),
        ("wordprocessingml.", FileKind::Word),
        ("ms-word.", FileKind::Word),
        ("presentationml.", FileKind::Slides),
        ("ms-powerpoint.", FileKind::Slides),
    ];
    let kind = kinds.into_iter().find(|(of, _)| content.contains(of));
    kind.map(|(_, kind)| kind)
        .or_else(|| name.ends_with(".bin").then_some(FileKind::BinaryWorkbook))
}

/// The names of all parts, normalised for comparison.
struct Names(HashMap<String, usize>);

impl Names {
    fn of(archive: &Archive<'_>) -> Result<Self, SheetError> {
        let mut names = HashMap::new();
        for (name, part) in archive.file_names().zip(0..) {
            let name = name.map_err(damaged)?;
            if name.ends_with('/') {
                continue;
            }
            // It would be ambiguous which of the two counts.
            if names.insert(resolved("", &name)?, part).is_some() {
                return Err(SheetError::AmbiguousParts);
            }
        }
        Ok(Self(names))
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// The one part to which relationships of a kind lead. Some programs go by content types alone: if these name
    /// another part, the file is ambiguous.
    fn only(
        &self,
        relationships: &[Relationship],
        kind: &str,
        types: &Types,
        contents: &[&str],
    ) -> Result<Option<(usize, String)>, SheetError> {
        let mut found = BTreeSet::new();
        for relationship in relationships.iter().filter(|of| of.kind() == kind) {
            let name = relationship.target()?;
            let part = self.index(&name).ok_or(SheetError::Damaged)?;
            found.insert((part, name));
        }
        for name in types.parts(contents) {
            found.extend(self.index(name).map(|part| (part, name.clone())));
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (only, None) => Ok(only),
            (_, Some(_)) => Err(SheetError::AmbiguousParts),
        }
    }
}

/// `[Content_Types].xml`, in lower case.
#[derive(Default)]
struct Types {
    parts: HashMap<String, String>,
    extensions: HashMap<String, String>,
}

impl Types {
    fn read(text: &str) -> Result<Self, SheetError> {
        let mut types = Self::default();
        elements(text, &mut |element| {
            let content = said(element, "ContentType")?.unwrap_or_default();
            let content = content.trim().to_ascii_lowercase();
            match element.local_name().as_ref() {
                "Override" => {
                    let part = said(element, "PartName")?.unwrap_or_default();
                    types.parts.insert(resolved("", &part)?, content);
                }
                "Default" => {
                    let extension = said(element, "Extension")?.unwrap_or_default();
                    types
                        .extensions
                        .insert(extension.to_ascii_lowercase(), content);
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(types)
    }

    /// The content type of a part; empty if it has none.
    fn of(&self, part: &str) -> String {
        let extension = || {
            self.extensions
                .get(part.rsplit_once('.').unwrap_or_default().1)
        };
        let content = self.parts.get(part).or_else(extension);
        content.cloned().unwrap_or_default()
    }

    /// The parts that declare one of these content types.
    fn parts(&self, contents: &[&str]) -> impl Iterator<Item = &String> {
        let is_one = |content: &String| contents.iter().any(|of| content.ends_with(of));
        let parts = self.parts.iter();
        parts
            .filter(move |(_, content)| is_one(content))
            .map(|(part, _)| part)
    }
}

/// One line of a `.rels` part.
struct Relationship {
    id: String,
    of: String,
    /// The resolved target; `None` if it leads out of the package.
    leads_to: Option<String>,
}

impl Relationship {
    /// The last word of its type.
    fn kind(&self) -> &str {
        self.of.rsplit('/').next().unwrap_or_default()
    }

    fn target(&self) -> Result<String, SheetError> {
        self.leads_to.clone().ok_or(SheetError::Damaged)
    }
}

/// The relationships of a part in a directory.
fn relationships(text: &str, directory: &str) -> Result<Vec<Relationship>, SheetError> {
    let mut all = Vec::new();
    elements(text, &mut |element| {
        if element.local_name().as_ref() != "Relationship" {
            return Ok(());
        }
        let target = said(element, "Target")?.unwrap_or_default();
        let is_external = said(element, "TargetMode")?.is_some_and(|mode| mode == "External");
        all.push(Relationship {
            id: attribute(element, "Id")?.unwrap_or_default(),
            of: said(element, "Type")?.unwrap_or_default(),
            leads_to: if is_external {
                None
            } else {
                Some(resolved(directory, &target)?)
            },
        });
        Ok(())
    })?;
    Ok(all)
}

/// The name of the part to which a target leads from a directory (RFC 3986 section 5), normalised for comparison:
/// without percent-encoding and case.
fn resolved(directory: &str, target: &str) -> Result<String, SheetError> {
    let target = target.replace('\\', "/");
    let target = decoded(&target)?;
    let from = if target.starts_with('/') {
        ""
    } else {
        directory
    };
    let mut path: Vec<&str> = Vec::new();
    for step in from.split('/').chain(target.split('/')) {
        match step {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            step => path.push(step),
        }
    }
    Ok(path.join("/").to_ascii_lowercase())
}

fn decoded(text: &str) -> Result<String, SheetError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after
            .get(..2)
            .filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match byte {
            // The name of a part has none of these (ECMA-376 part 2, 6.2.2.2).
            Some(b'/' | b'\\' | 0) => return Err(SheetError::Damaged),
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| SheetError::Damaged)
}

/// An attribute's value, unescaped.
fn said(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, SheetError> {
    let Some(value) = attribute(element, name)? else {
        return Ok(None);
    };
    let value = unescape(&value).map_err(|_| SheetError::Damaged)?;
    Ok(Some(value.into_owned()))
}

/// Calls back for each element of a part.
fn elements(
    text: &str,
    each: &mut dyn FnMut(&BytesStart<'_>) -> Result<(), SheetError>,
) -> Result<(), SheetError> {
    let mut xml = Reader::from_str(text);
    loop {
        match xml.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => each(&element)?,
            Ok(Event::DocType(_)) => return Err(SheetError::Doctype),
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => {}
            Err(_) => return Err(SheetError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_lead_where_others_follow_them() {
        for (directory, target, name) in [
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "./worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "../xl/./a/../Sheet%31.XML", "xl/sheet1.xml"),
            (
                "xl",
                "/xl/worksheets/sheet1.xml",
                "xl/worksheets/sheet1.xml",
            ),
            ("xl", "../../../a.xml", "a.xml"),
            ("", "xl\\Workbook.xml", "xl/workbook.xml"),
            ("xl", "%E8%A1%A8.xml", "xl/表.xml"),
            ("xl", "50%.xml", "xl/50%.xml"),
        ] {
            assert_eq!(resolved(directory, target).unwrap(), name, "{target}");
        }
        for bad in ["a%2fb.xml", "%00", "%ff.xml"] {
            assert!(resolved("xl", bad).is_err(), "{bad}");
        }
    }
}
