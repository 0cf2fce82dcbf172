//! What may be changed in a cell without changing what it says: surrounding space, invisible characters, and in codes the
//! full-width forms that Chinese input methods leave.

/// Text for people: trimmed, line ends as `\n`, other control characters as a space, and without the invisible characters
/// that reorder or hide text on a screen.
pub(super) fn text(raw: &str) -> String {
    let visible: String = raw
        .replace("\r\n", "\n")
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect();
    visible.trim().to_owned()
}

/// A code: no space at all, and full-width forms (U+FF01 to U+FF5E) as ASCII.
pub(super) fn code(raw: &str) -> String {
    raw.chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(*c))
        .map(narrow)
        .collect()
}

/// The ASCII character of a full-width form; any other as it is.
pub(super) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(c) - 0xff01 + u32::from('!')).unwrap_or(c)
        }
        _ => c,
    }
}

/// True for zero-width and bidirectional controls, and for the byte order mark.
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_keeps_its_words_and_lines() {
        assert_eq!(
            super::text("\u{3000}a\u{202e}b\r\nc\td \u{feff}"),
            "ab\nc d"
        );
        assert_eq!(super::text(" \u{200b}\t "), "");
    }

    #[test]
    fn codes_lose_all_space_and_width() {
        assert_eq!(
            super::code(" 5222 25\u{3000}１９０ｘ\u{feff}"),
            "522225190x"
        );
    }
}
