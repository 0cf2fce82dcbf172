//! What a cell displays compared with what it holds: its number format (ECMA-376 part 1, 18.8.31) may put a prefix
//! before a number, round it, hide it, or show a date without its year. Officers mean what they see.

use crate::domain::is_printable;
use calamine::Style;

/// Built-in date formats without a code in the file that show no year or no day in Chinese programs.
const PARTS_OF_DAYS: [u32; 15] = [27, 28, 29, 32, 33, 34, 35, 36, 50, 51, 52, 53, 54, 57, 58];

/// How the displayed value differs from the one held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rendering {
    Same,
    /// The same digits, with marks between them.
    Styled,
    Otherwise,
}

/// How the cells of one style are displayed.
#[derive(Debug)]
pub(super) struct NumberFormat {
    pub(super) is_struck: bool,
    sections: Vec<Section>,
    /// Whether dates are displayed incompletely.
    is_part_of_day: bool,
}

#[derive(Debug, Default)]
struct Section {
    tokens: Vec<Token>,
    has_condition: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// `0`, `#` or `?`.
    Digit(char),
    Point,
    Comma,
    /// Percent, an exponent, a fraction, other numerals: another number is displayed.
    Changed,
    /// `@`.
    Text,
    General,
    /// A part of a date or time, and how often its letter is repeated.
    Day(char, u8),
    Literal(char),
}

impl NumberFormat {
    pub(super) fn of(style: Option<&Style>) -> Self {
        let format = style.and_then(|style| style.number_format.as_ref());
        let code = format.map_or("General", |format| format.format_code.as_str());
        let sections = sections(code);
        let id = format.and_then(|format| format.format_id);
        let is_bare = code == "General" && id.is_some_and(|id| PARTS_OF_DAYS.contains(&id));
        Self {
            is_struck: style
                .and_then(|style| style.font.as_ref())
                .is_some_and(calamine::Font::has_strikethrough),
            is_part_of_day: is_bare || sections.first().is_some_and(Section::is_part_of_day),
            sections,
        }
    }

    /// How text is displayed.
    pub(super) fn text(&self) -> Rendering {
        let has_text = |section: &&Section| section.tokens.contains(&Token::Text);
        let section = match self.sections.as_slice() {
            [_, _, _, text, ..] => Some(text),
            sections => sections.last().filter(has_text),
        };
        let is_same =
            section.is_none_or(|section| {
                section.tokens.iter().all(|token| {
                    matches!(token, Token::Text | Token::General | Token::Literal(' '))
                }) && section
                    .tokens
                    .iter()
                    .filter(|token| **token != Token::Literal(' '))
                    .count()
                    == 1
            });
        if is_same {
            Rendering::Same
        } else {
            Rendering::Otherwise
        }
    }

    /// How a number is displayed.
    pub(super) fn number(&self, n: f64) -> Rendering {
        if self.sections.iter().any(|section| section.has_condition) {
            // The conditions are not evaluated: all sections must display the number.
            let worst = self.sections.iter().map(|section| section.number(n));
            return if worst.into_iter().all(|shown| shown != Rendering::Otherwise) {
                Rendering::Styled
            } else {
                Rendering::Otherwise
            };
        }
        let section = match self.sections.as_slice() {
            [] => return Rendering::Same,
            [_, negative, ..] if n < 0.0 => negative,
            [_, _, zero, ..] if n == 0.0 => zero,
            [first, ..] => first,
        };
        section.number(n)
    }

    /// How a date is displayed.
    pub(super) const fn day(&self) -> Rendering {
        if self.is_part_of_day {
            Rendering::Otherwise
        } else {
            Rendering::Same
        }
    }
}

impl Section {
    fn number(&self, n: f64) -> Rendering {
        let (mut digits, mut zeros, mut decimals) = (0_usize, 0_usize, 0_usize);
        let (mut is_point, mut is_general, mut is_styled, mut is_scaled) =
            (false, false, false, false);
        for token in &self.tokens {
            match token {
                Token::Digit(_) if is_point => decimals += 1,
                Token::Digit(c) => {
                    digits += 1;
                    zeros += usize::from(*c == '0');
                    is_scaled = false;
                }
                Token::Point => is_point = true,
                Token::Comma => {
                    is_styled = true;
                    // After the last digit it divides by a thousand.
                    is_scaled = true;
                }
                Token::General | Token::Text => is_general = true,
                Token::Changed | Token::Day(..) => return Rendering::Otherwise,
                Token::Literal(' ') => {}
                // U+202E reverses the digits.
                Token::Literal(c) if c.is_alphanumeric() || !is_printable(*c) => {
                    return Rendering::Otherwise;
                }
                Token::Literal(_) => is_styled = true,
            }
        }
        let held = n.abs().to_string();
        let (whole, part) = held.split_once('.').unwrap_or((&held, ""));
        let is_same = is_general && digits + decimals == 0
            || digits + decimals > 0
                && !is_scaled
                && zeros <= whole.len()
                && part.len() <= decimals
                && (n != 0.0 || zeros > 0);
        match (
            is_same,
            is_styled || (decimals > 0 && part.len() < decimals),
        ) {
            (false, _) => Rendering::Otherwise,
            (true, true) => Rendering::Styled,
            (true, false) => Rendering::Same,
        }
    }

    /// Whether it shows dates without a year, a month or a day of the month; false if it shows no dates.
    fn is_part_of_day(&self) -> bool {
        let has = |letters: &[char], most: u8| {
            let mut tokens = self.tokens.iter();
            tokens
                .any(|token| matches!(token, Token::Day(c, n) if letters.contains(c) && *n <= most))
        };
        let shows_time = self
            .tokens
            .iter()
            .any(|token| matches!(token, Token::Day(..)));
        // Three or four letters are the day of the week.
        shows_time && !(has(&['y', 'e'], u8::MAX) && has(&['m'], u8::MAX) && has(&['d'], 2))
    }
}

/// Splits a format into sections.
fn sections(code: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == ';' {
            sections.push(Section::default());
            rest = after;
            continue;
        }
        let Some(section) = sections.last_mut() else {
            break;
        };
        rest = section.take(c, rest, after);
    }
    sections
}

impl Section {
    /// Consumes one token, and returns what follows it.
    fn take<'a>(&mut self, c: char, rest: &'a str, after: &'a str) -> &'a str {
        const NAMES: [(&str, Token); 8] = [
            ("General", Token::General),
            ("G/通用格式", Token::General),
            ("AM/PM", Token::Day('a', 1)),
            ("A/P", Token::Day('a', 1)),
            ("上午/下午", Token::Day('a', 1)),
            ("E+", Token::Changed),
            ("E-", Token::Changed),
            ("e+", Token::Changed),
        ];
        let begins = |name: &str| {
            rest.get(..name.len())
                .filter(|start| start.eq_ignore_ascii_case(name))
        };
        if let Some((name, token)) = NAMES.iter().find(|(name, _)| begins(name).is_some()) {
            self.tokens.push(*token);
            return rest.get(name.len()..).unwrap_or_default();
        }
        let mut next = after.chars();
        match c {
            '"' => {
                let (quoted, behind) = after.split_once('"').unwrap_or((after, ""));
                self.tokens.extend(quoted.chars().map(Token::Literal));
                return behind;
            }
            '[' => {
                let (within, behind) = after.split_once(']').unwrap_or((after, ""));
                self.bracket(within);
                return behind;
            }
            '\\' | '_' | '*' => {
                let literal = next.next().filter(|_| c != '_').unwrap_or(' ');
                self.tokens.push(Token::Literal(literal));
                return next.as_str();
            }
            '0' | '#' | '?' => self.tokens.push(Token::Digit(c)),
            '.' => self.tokens.push(Token::Point),
            ',' => self.tokens.push(Token::Comma),
            '%' => self.tokens.push(Token::Changed),
            '/' if self
                .tokens
                .iter()
                .any(|token| matches!(token, Token::Digit(_))) =>
            {
                self.tokens.push(Token::Changed);
            }
            '@' => self.tokens.push(Token::Text),
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' | 'e' | 'b' | 'B' | 'g'
            | 'a' => {
                let letter = c.to_ascii_lowercase();
                match self.tokens.last_mut() {
                    Some(Token::Day(of, times)) if *of == letter => {
                        *times = times.saturating_add(1)
                    }
                    _ => self.tokens.push(Token::Day(letter, 1)),
                }
            }
            c => self.tokens.push(Token::Literal(c)),
        }
        after
    }

    /// A colour, a condition, a currency with its language, a time beyond a day, other numerals.
    fn bracket(&mut self, within: &str) {
        let lower = within.to_ascii_lowercase();
        if lower.starts_with(['<', '>', '=']) {
            self.has_condition = true;
        } else if let Some(currency) = within.strip_prefix('$') {
            let sign = currency.split('-').next().unwrap_or_default();
            self.tokens.extend(sign.chars().map(Token::Literal));
        } else if lower.starts_with("dbnum") || lower.starts_with("natnum") {
            self.tokens.push(Token::Changed);
        } else if lower.chars().all(|c| matches!(c, 'h' | 'm' | 's')) {
            self.tokens.push(Token::Day('h', 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_code(code: &str) -> NumberFormat {
        let sections = sections(code);
        NumberFormat {
            is_struck: false,
            is_part_of_day: sections[0].is_part_of_day(),
            sections,
        }
    }

    #[test]
    fn a_number_is_shown_as_it_is_or_not() {
        use Rendering::{Otherwise, Same, Styled};
        for (code, n, shown) in [
            ("General", 1.0, Same),
            ("@", 1.0, Same),
            ("0", 13_800_000_000.0, Same),
            ("0_ ", 7.0, Same),
            ("0_);[Red]\\(0\\)", 7.0, Same),
            ("#", 440_232.0, Same),
            ("[$-804]0", 5.0, Same),
            ("#,##0", 440_232.0, Styled),
            ("0.00", 2.0, Styled),
            ("000-0000-0000", 13_800_000_000.0, Styled),
            ("\"SN2026\"00000", 1.0, Otherwise),
            ("\\S\\N0", 1.0, Otherwise),
            ("\"\u{202e}\"0", 12.0, Otherwise),
            ("00000", 1.0, Otherwise),
            ("00000", 12_345.0, Same),
            ("0\"号\"", 1.0, Otherwise),
            ("0", 1.5, Otherwise),
            ("0,", 12_000.0, Otherwise),
            ("0%", 1.0, Otherwise),
            ("0.00E+00", 1.0, Otherwise),
            ("# ?/?", 1.5, Otherwise),
            (";;;", 1.0, Otherwise),
            ("#", 0.0, Otherwise),
            ("[=1]\"男\";[=2]\"女\"", 1.0, Otherwise),
            ("[>9]0;0", 1.0, Styled),
            ("[DBNum1]0", 1.0, Otherwise),
            ("\"贵\"@", 1.0, Otherwise),
            ("[h]:mm", 1.0, Otherwise),
        ] {
            assert_eq!(of_code(code).number(n), shown, "{code} {n}");
        }
    }

    #[test]
    fn text_is_shown_as_it_is_or_not() {
        for (code, shown) in [
            ("General", Rendering::Same),
            ("@", Rendering::Same),
            ("0.00", Rendering::Same),
            ("0;;;@", Rendering::Same),
            ("_(* #,##0_);_(* (#,##0);_(* \"-\"_);_(@_)", Rendering::Same),
            ("\"SN\"@", Rendering::Otherwise),
            (";;;", Rendering::Otherwise),
            ("0;0;0;\"不详\"", Rendering::Otherwise),
        ] {
            assert_eq!(of_code(code).text(), shown, "{code}");
        }
    }

    #[test]
    fn a_day_is_shown_whole_or_not() {
        for whole in [
            "yyyy-mm-dd",
            "m/d/yy h:mm",
            "yyyy\"年\"m\"月\"d\"日\";@",
            "[$-804]yyyy/m/d aaaa",
            "e.m.d",
            "General",
        ] {
            assert_eq!(of_code(whole).day(), Rendering::Same, "{whole}");
        }
        for part in ["yyyy\"年\"m\"月\"", "m-d", "h:mm", "mmm-yy", "yyyy/m dddd"] {
            assert_eq!(of_code(part).day(), Rendering::Otherwise, "{part}");
        }
    }
}
