//! Citizen identification numbers, 公民身份号码: GB 11643-1999.

use super::{FindingCode, keyed};
use jiff::civil::Date;
use std::fmt;

/// Weights of the first 17 characters, 2^(17-i) mod 11: GB 11643, ISO 7064 MOD 11-2.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// The check character for each remainder of the weighted sum.
const CHECK: [u8; 11] = *b"10X98765432";

/// So many characters a number has.
const DIGITS: usize = 18;
/// With so many wrong characters it is no number at all.
const MOST_WRONG: usize = 3;
/// What is typed, or read from a picture, in place of X and of digits, and looks like it.
const LOOK_ALIKE: [char; 40] = [
    '×', 'Х', 'х', 'Χ', 'χ', 'Ⅹ', 'ⅹ', '✕', '✖', '╳', '⨯', '㐅', 'ꓫ', '*', '＊', 'O', 'o', 'О',
    'о', 'Ο', 'ο', '〇', '○', 'Q', 'D', 'l', 'L', 'I', 'i', '|', '丨', 'І', 'Ⅰ', 'Z', 'S', 'B',
    'З', 'б', 'ǀ', '一',
];

keyed! {
    /// Sex, 性别, as identity documents state it.
    pub enum Sex {
        /// 女.
        Female = "F",
        /// 男.
        Male = "M",
    }
}

impl Sex {
    /// From a cell: 男, 女, `M`, `F`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "男" | "M" | "m" => Some(Self::Male),
            "女" | "F" | "f" => Some(Self::Female),
            _ => None,
        }
    }
}

/// A citizen number whose check character fits and whose date of birth exists.
///
/// Its first six digits are where it was issued, by the codes of that day: not today's jurisdiction, and often a code that
/// no table of today knows. They are not checked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResidentNumber {
    text: [u8; 18],
    born: Date,
}

impl ResidentNumber {
    /// From 18 characters, the last a digit or `X`, already tidied.
    ///
    /// # Errors
    /// The finding's code: 15 digits, another length, a character that cannot stand there, a check character that does not
    /// fit, or a date of birth that does not exist.
    pub fn parse(text: &str) -> Result<Self, FindingCode> {
        if text.len() == 15 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(FindingCode::Legacy15Digit);
        }
        if text.chars().count() != DIGITS {
            return Err(FindingCode::BadLength);
        }
        if let Some((code, _)) = Self::wrong_character(text) {
            return Err(code);
        }
        let text: [u8; 18] = text
            .as_bytes()
            .try_into()
            .map_err(|_| FindingCode::BadLength)?;
        let [digits @ .., check] = text;
        if check_character(&digits) != check {
            return Err(FindingCode::BadCheckDigit);
        }
        let born = birth_date(&digits).ok_or(FindingCode::BadBirthDate)?;
        Ok(Self { text, born })
    }

    /// What is wrong with the characters of a text of the right length, and the first that can stand in no number, or not
    /// where it does. Where most of them are wrong it is another text altogether, and none is named.
    pub(super) fn wrong_character(text: &str) -> Option<(FindingCode, Option<char>)> {
        let is_right =
            |c: char, nth: usize| c.is_ascii_digit() || (matches!(c, 'X' | 'x') && nth == DIGITS);
        let mut wrong = text.chars().zip(1..).filter(|(c, nth)| !is_right(*c, *nth));
        let (first, _) = wrong.next()?;
        let code = if LOOK_ALIKE.contains(&first) {
            FindingCode::LookAlike
        } else {
            FindingCode::OddCharacter
        };
        Some((code, Some(first).filter(|_| wrong.count() < MOST_WRONG)))
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits and `X` get in.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Date of birth, not before 1900.
    pub const fn born(&self) -> Date {
        self.born
    }

    /// What the 17th digit says: odd is male.
    pub const fn sex(&self) -> Sex {
        let [.., digit, _] = self.text;
        if digit % 2 == 1 {
            Sex::Male
        } else {
            Sex::Female
        }
    }
}

/// The check character that belongs to 17 ASCII digits.
fn check_character(digits: &[u8; 17]) -> u8 {
    let sum: u32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    CHECK
        .iter()
        .copied()
        .zip(0..)
        .find_map(|(check, remainder)| (sum % 11 == remainder).then_some(check))
        .unwrap_or_default()
}

fn birth_date(digits: &[u8; 17]) -> Option<Date> {
    let number = |range: std::ops::Range<usize>| -> Option<i16> {
        digits.get(range)?.iter().try_fold(0_i16, |n, d| {
            n.checked_mul(10)?.checked_add(i16::from(d - b'0'))
        })
    };
    let year = number(6..10)?;
    let month = i8::try_from(number(10..12)?).ok()?;
    let day = i8::try_from(number(12..14)?).ok()?;
    let born = Date::new(year, month, day).ok()?;
    (year >= 1900).then_some(born)
}

/// Masked: the number is nobody's business in a log.
impl fmt::Debug for ResidentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResidentNumber(******************)")
    }
}

/// Masked, as [`Debug`]; [`ResidentNumber::as_str`] is the deliberate way.
impl fmt::Display for ResidentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("******************")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(first_17: &str) -> String {
        let check = check_character(first_17.as_bytes().try_into().unwrap());
        format!("{first_17}{}", char::from(check))
    }

    #[test]
    fn what_a_number_says() {
        let n = ResidentNumber::parse("52222519040926870X").unwrap();
        assert_eq!(n.born(), jiff::civil::date(1904, 9, 26));
        assert_eq!(n.sex(), Sex::Female);
        assert_eq!(n.as_str(), "52222519040926870X");
        assert!(!format!("{n:?}{n}").contains("5222"));
    }

    #[test]
    fn each_defect_has_its_code() {
        use FindingCode::{
            BadBirthDate, BadCheckDigit, BadLength, Legacy15Digit, LookAlike, OddCharacter,
        };
        for (text, code) in [
            ("522225010621022", Legacy15Digit),
            ("", BadLength),
            ("5222251904092687", BadLength),
            ("52222519040926870x", BadCheckDigit),
            ("52222519040926870×", LookAlike),
            ("522225190409268701", BadCheckDigit),
            ("X2222519040926870X", OddCharacter),
            ("52222519040926870甲", OddCharacter),
            (&number("52222519043126870"), BadBirthDate),
            (&number("52222519050229123"), BadBirthDate),
            (&number("52222518991231123"), BadBirthDate),
            (&number("52222519040026870"), BadBirthDate),
        ] {
            assert_eq!(ResidentNumber::parse(text), Err(code), "{text}");
        }
    }

    proptest! {
        /// What the check character is for: every single wrong digit, and every swap of two neighbours, is found.
        #[test]
        fn slips_of_the_pen_are_found(
            day in 0_u16..3650, region in 110_000_u32..830_000, sequence in 1_u16..1000,
            at in 0_usize..17, digit in b'0'..=b'9',
        ) {
            let born = jiff::civil::date(1900, 1, 1)
                .checked_add(jiff::Span::new().days(i64::from(day)))
                .unwrap();
            let right = number(&format!("{region:06}{}{sequence:03}", born.strftime("%Y%m%d")));
            let parsed = ResidentNumber::parse(&right).unwrap();
            prop_assert_eq!(parsed.born(), born);
            prop_assert_eq!(parsed.as_str(), right.as_str());
            prop_assert_eq!(parsed.sex() == Sex::Male, sequence % 2 == 1);

            let mut wrong = right.clone().into_bytes();
            wrong[at] = digit;
            if wrong != right.as_bytes() {
                let wrong = String::from_utf8(wrong).unwrap();
                prop_assert_eq!(ResidentNumber::parse(&wrong), Err(FindingCode::BadCheckDigit));
            }
            let mut swapped = right.clone().into_bytes();
            swapped.swap(at, at + 1);
            if swapped != right.as_bytes() {
                let swapped = String::from_utf8(swapped).unwrap();
                // X is told where it does not end the number.
                let code = match swapped.find('X') {
                    Some(0..17) => FindingCode::OddCharacter,
                    _ => FindingCode::BadCheckDigit,
                };
                prop_assert_eq!(ResidentNumber::parse(&swapped), Err(code));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let parsed = ResidentNumber::parse(&text);
            prop_assert!(parsed.is_err() || text.len() == 18);
        }
    }
}
