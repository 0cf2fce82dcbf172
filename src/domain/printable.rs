//! What of other people's text may reach a screen: nothing that moves a cursor, changes colours, reorders, or hides.

/// True for a character that shows as itself. Controls, format characters (bidirectional, zero-width, tags), separators
/// of lines and paragraphs, variation selectors, fillers, private use and what Unicode has not assigned do not.
pub fn is_printable(c: char) -> bool {
    match c {
        // ASCII, two blanks that Chinese text is set with, and the ideographs of most of it.
        ' '..='~' | '\u{a0}' | '\u{3000}' | '\u{4e00}'..='\u{9fff}' => true,
        c => !is_blank(c) && is_in_table(c),
    }
}

/// True for a selector where it belongs: directly behind the one ideograph or Mongolian letter whose form it chooses, as
/// names have it. There it shows nothing of its own, and cannot be heaped up.
pub fn is_selector_of(before: char, c: char) -> bool {
    match c {
        '\u{e0100}'..='\u{e01ef}' | '\u{fe00}'..='\u{fe02}' => {
            matches!(before, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3fffd}')
                && is_printable(before)
        }
        // The last of them also parts a vowel from its word.
        '\u{180b}'..='\u{180f}' => matches!(before, '\u{1820}'..='\u{1878}'),
        _ => false,
    }
}

/// The text with an escape, such as `\u{202e}` or `\n`, for each character that is not printable.
pub fn printable(text: &str) -> String {
    escaped(text, is_printable)
}

/// As [`printable`], with line ends as they are.
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| c == '\n' || is_printable(c))
}

fn escaped(text: &str, fits: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        if fits(c) || is_selector_of(before, c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
        before = c;
    }
    out
}

/// What Unicode counts as letters, marks or symbols and fonts show as nothing (Default_Ignorable_Code_Point of
/// DerivedCoreProperties), and the empty Braille pattern.
const fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The standard library keeps the table of what is assigned and printable, and shows it by what it escapes.
fn is_in_table(c: char) -> bool {
    // After another character: marks that combine are escaped only where a text begins with them.
    let mut bytes = [b'x'; 5];
    let [_, rest @ ..] = &mut bytes;
    let length = c.encode_utf8(rest).len();
    let text = bytes.get(..=length).unwrap_or_default();
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_what_hides_reorders_or_moves_the_cursor_is_not_printable() {
        let hostile = [
            0x00..=0x1f,
            0x7f..=0x9f,
            0xad..=0xad,
            0x34f..=0x34f,
            0x61c..=0x61c,
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            0x200b..=0x200f,
            0x2028..=0x202e,
            0x2060..=0x206f,
            0x2800..=0x2800,
            0x3164..=0x3164,
            0xe000..=0xf8ff,
            0xfe00..=0xfe0f,
            0xfeff..=0xfeff,
            0xffa0..=0xffa0,
            0xfff0..=0xfffb,
            0xffff..=0xffff,
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0x3fffe..=0x3ffff,
            0xe0000..=0xe0fff,
            0xf0000..=0x10_ffff,
        ];
        for code in hostile.into_iter().flatten() {
            let c = char::from_u32(code).unwrap();
            assert!(!is_printable(c), "U+{code:04X}");
        }
    }

    #[test]
    fn names_of_all_peoples_and_signs_are_printable() {
        for text in [
            "思南县公安局，“线索”一、二…·㐀𠀀𰻞ＡＢ\u{3000}\u{a0}",
            "བཀྲ་ཤིས་བདེ་ལེགས",
            "ئۇيغۇر",
            "ᠮᠣᠩᠭᠣᠯ",
            "ꆈꌠ",
            "한국어 e\u{301}éß€→✓😀",
        ] {
            assert_eq!(printable(text), text);
        }
        assert!(('\u{4e00}'..='\u{9fff}').all(is_in_table));
    }

    #[test]
    fn regression_the_forms_of_characters_in_names_are_legible() {
        for name in [
            "葛\u{e0100}城",
            "辻\u{e0101}",
            "\u{20bb7}\u{e0100}",
            "ᠠᠮᠤᠭᠤᠯᠠᠩ\u{180e}ᠠ",
        ] {
            assert_eq!(printable(name), name);
        }
        assert_eq!(
            printable("葛\u{e0100}\u{e0100}a\u{e0100}\u{e0041}"),
            "葛\u{e0100}\\u{e0100}a\\u{e0100}\\u{e0041}"
        );
    }

    #[test]
    fn what_is_not_printable_is_seen() {
        assert_eq!(
            printable("甲\u{1b}[31m\u{202e}乙\r\n丙"),
            r"甲\u{1b}[31m\u{202e}乙\r\n丙"
        );
        assert_eq!(printable_lines("甲\r\n乙\u{e0041}"), "甲\\r\n乙\\u{e0041}");
    }
}
