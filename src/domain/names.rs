//! What is no name. Nobody's real name may be refused: names are in any script, of one word or many, with `·`, hyphens,
//! apostrophes and points; so only what is in no name at all is told here.

use super::{FindingCode, is_invisible, is_selector_of};

/// What officers write where they know nothing, alone or within some words.
const NONE: [&str; 18] = [
    "无",
    "空",
    "某",
    "无名",
    "无名氏",
    "未知",
    "待查",
    "待核",
    "待补",
    "暂无",
    "暂缺",
    "同上",
    "同前",
    "如上",
    "匿名",
    "none",
    "unknown",
    "null",
];
const UNKNOWN: [&str; 2] = ["不详", "不明"];
/// What stands between two names.
const BETWEEN: [char; 11] = ['、', ',', '，', ';', '；', '/', '／', '|', '｜', '＆', '&'];
/// Between a person's name and the parent's, in Malaysia and Singapore.
const CHILD_OF: [&str; 5] = ["a/l", "a/p", "s/o", "d/o", "w/o"];
/// Looks like nothing, or like space, and is in no name.
const FILLERS: [char; 9] = [
    '\u{ad}', '\u{34f}', '\u{61c}', '\u{115f}', '\u{1160}', '\u{180e}', '\u{2800}', '\u{3164}',
    '\u{ffa0}',
];
/// What systems put in place of a character that they do not have, and what hides one.
const LOST: [char; 9] = ['?', '？', '\u{fffd}', '□', '■', '*', '＊', '×', '○'];

/// Why a text, as it was typed, is no person's name, and which character is to blame where one is. An empty one is missing.
pub(super) fn fault(name: &str) -> Option<(FindingCode, Option<char>)> {
    let name = name.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c));
    if name.is_empty() {
        return None;
    }
    // Written in its place: what is nothing but marks is no name with an odd character.
    if says_nothing(name) {
        return Some((FindingCode::NotAName, None));
    }
    let before = std::iter::once(' ').chain(name.chars());
    let odd = before
        .zip(name.chars())
        .find(|(before, c)| is_odd(*c) && !is_selector_of(*before, *c));
    if let Some((_, odd)) = odd {
        return Some((FindingCode::OddCharacter, Some(odd)));
    }
    let is_between = |word: &str| {
        word.contains(BETWEEN) && !CHILD_OF.contains(&word.to_ascii_lowercase().as_str())
    };
    if name.split_whitespace().any(is_between) || is_list(name) {
        return Some((FindingCode::SeveralNames, None));
    }
    // A telephone or another number, of the column beside it.
    let is_number = !name.chars().any(char::is_alphabetic);
    // 张某, 李某某, 王XX: the name was left out.
    (is_number || name.ends_with('某') || is_masked(name)).then_some((FindingCode::NotAName, None))
}

/// True for ideographs with X for those that are not said.
fn is_masked(name: &str) -> bool {
    let said = name.trim_end_matches(['X', 'x', 'Ｘ', 'ｘ']);
    said != name
        && !said.is_empty()
        && said
            .chars()
            .all(|c| c >= '\u{3400}' && c.is_alphabetic() && !matches!(c, 'Ａ'..='ｚ'))
}

/// True for short names one below the other. A long one may be broken over lines.
fn is_list(name: &str) -> bool {
    let is_whole = |line: &str| {
        let line = line.trim();
        (2..=4).contains(&line.chars().count())
            && line.chars().all(|c| c >= '\u{3400}' && c.is_alphabetic())
    };
    name.contains('\n')
        && name
            .lines()
            .filter(|line| !line.trim().is_empty())
            .all(is_whole)
}

/// True for a text that only says that there is nothing to say: `-`, 无, 不详.
pub(super) fn says_nothing(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let bare: String = text.chars().filter(|c| is_word(*c)).collect();
    let length = bare.chars().count();
    length == 0
        || text == "n/a"
        || NONE.contains(&bare.as_str())
        || (length > 1 && bare.chars().all(|c| c == '某'))
        || (length <= 6 && UNKNOWN.iter().any(|word| bare.contains(word)))
}

/// True where a text has neither letter nor digit.
pub(super) fn is_mark(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(is_word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() && !FILLERS.contains(&c)
}

/// True for a character that is in no name: controls, fillers, tags, what other machines show otherwise, what stands for a
/// character that was lost.
fn is_odd(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        || FILLERS.contains(&c)
        || LOST.contains(&c)
        || is_private(c)
        || matches!(c, '\u{e0000}'..='\u{e0fff}')
        || matches!(c, '\u{fff0}'..='\u{ffff}' | '\u{1f000}'..='\u{1faff}' | '\u{2028}' | '\u{2029}')
}

/// True for characters of private use, which each system shows as something else, or as nothing.
const fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_names_are_names() {
        for name in [
            "钱癸子",
            "欧阳娜娜",
            "欧阳 娜娜",
            "阿不都热依木·阿布都拉",
            "买买提•吐尔逊",
            "古丽·阿依",
            "བཀྲ་ཤིས།",
            "ᠪᠠᠭᠠᠲᠤᠷ",
            "نۇرگۈل",
            "𠮷田",
            "㐂",
            "刘〇",
            "䶮",
            "𱁬",
            "Jean-Luc O’Neil",
            "D'Angelo",
            "阿不都热依木·\n阿布都拉",
            "",
            " ",
            "Nguyễn Văn A",
            "Мария",
            "José Mª García Jr.",
            "吴空明",
            "无极",
            "某珍",
            "葛\u{e0100}城",
            "张三（曾用名李四）",
            "Null Andersen",
            "不花",
            "Na",
            "Mohamed A/L Abdullah",
            "Ravi s/o Kumar",
            "ᠠᠮᠤᠭᠤᠯᠠᠩ\u{180e}ᠠ",
            "X Æ A-12",
            "Maxx",
        ] {
            assert_eq!(fault(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_told_by_its_cause() {
        use FindingCode::{NotAName, OddCharacter, SeveralNames};
        for (name, code) in [
            ("-", NotAName),
            ("—", NotAName),
            ("无", NotAName),
            ("不详", NotAName),
            ("（不详）", NotAName),
            ("姓名不详", NotAName),
            ("某某", NotAName),
            ("张某某", NotAName),
            ("N/A", NotAName),
            ("???", NotAName),
            ("\u{3164}", NotAName),
            ("张三、李四", SeveralNames),
            ("张三/李四", SeveralNames),
            ("张三\n李四", SeveralNames),
            ("13800000000", NotAName),
            ("522225190010142478", NotAName),
            ("王XX", NotAName),
            ("欧阳ｘ", NotAName),
            ("张三/李四 A/L", SeveralNames),
            ("张\u{180e}三", OddCharacter),
            ("a\u{e0100}", OddCharacter),
            ("张\u{3164}三", OddCharacter),
            ("张\u{e863}", OddCharacter),
            ("张?", OddCharacter),
            ("张*", OddCharacter),
            ("张××", OddCharacter),
            ("张\u{fffd}三", OddCharacter),
            ("张\u{1}三", OddCharacter),
            ("张😀", OddCharacter),
            ("张\u{e0041}", OddCharacter),
        ] {
            assert_eq!(fault(name).map(|(code, _)| code), Some(code), "{name:?}");
        }
    }
}
