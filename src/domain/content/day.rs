//! Days, as officers write them in sheets.

use crate::domain::{FindingCode, tidy};
use jiff::civil::Date;

/// The first day that is taken from whoever sends. Earlier ones are what spreadsheet programs make of `3.5` or of nothing.
pub(super) const FIRST_DAY: Date = jiff::civil::date(2000, 1, 1);

/// A day as officers write it: `2026-06-01`, `2026/6/1`, `2026.6.1`, `2026年6月1日`, `20260601`, `20260601143000`, in full-width digits too,
/// with or without a day of the week or a time after it, which is dropped.
///
/// # Errors
/// The day does not exist; or its year does not come first, so that `05/03/2026` may be in March or in May; or it is no
/// day at all, which is [`FindingCode::Unreadable`]. Or more is said after the day: a span, `前`, `左右`.
pub(super) fn read_date(text: &str) -> Result<Date, FindingCode> {
    let mut text: String = text.trim().chars().map(tidy::narrow).collect();
    let (day, rest) = if text.contains('年') {
        text.retain(|c| !c.is_whitespace());
        text.split_once(['日', '号'])
    } else {
        text.split_once(|c: char| c.is_whitespace() || c == 'T')
    }
    .unwrap_or((&text, ""));
    let day = day_of_stamp(day).unwrap_or(day);
    let parts: Vec<&str> = match (day.get(..4), day.get(4..6), day.get(6..8)) {
        (Some(year), Some(month), Some(last)) if day.len() == 8 && is_number(day) => {
            vec![year, month, last]
        }
        _ => day.split(['-', '/', '.', '年', '月']).collect(),
    };
    let [first, second, third] = parts.as_slice() else {
        return Err(FindingCode::Unreadable);
    };
    if !parts.iter().all(|part| is_number(part)) {
        return Err(FindingCode::Unreadable);
    }
    match (first.len(), second.len(), third.len()) {
        (4, 1 | 2, 1 | 2) => {}
        (1 | 2, 1 | 2, 1 | 2 | 4) => return Err(FindingCode::AmbiguousDate),
        _ => return Err(FindingCode::Unreadable),
    }
    let numbers = (first.parse(), second.parse(), third.parse());
    let (Ok(year), Ok(month), Ok(day)) = numbers else {
        return Err(FindingCode::Unreadable);
    };
    let date = Date::new(year, month, day).map_err(|_| FindingCode::NoSuchDay)?;
    // 至4月1日, 前, 左右: which day it was, only who wrote it knows.
    if !is_time(rest) {
        return Err(FindingCode::AmbiguousDate);
    }
    Ok(date)
}

/// The day of a time stamp without separators, 12 or 14 digits, as systems write it.
fn day_of_stamp(text: &str) -> Option<&str> {
    let (day, time) = text.split_at_checked(8).filter(|_| is_number(text))?;
    let two = |at: usize| time.get(at..at + 2).and_then(|two| two.parse::<u8>().ok());
    let is_time = match time.len() {
        4 => two(0)? < 24 && two(2)? < 60,
        6 => two(0)? < 24 && two(2)? < 60 && two(4)? < 60,
        _ => false,
    };
    is_time.then_some(day)
}

/// What may follow a day and says no more of it: a day of the week, a time.
fn is_time(rest: &str) -> bool {
    let mut rest = rest.trim();
    if let Some(day) = rest.strip_prefix("星期").or(rest.strip_prefix("周")) {
        let Some(after) = day.strip_prefix(['一', '二', '三', '四', '五', '六', '日', '天'])
        else {
            return false;
        };
        rest = after.trim_start();
    }
    let half = rest.strip_prefix("上午").or(rest.strip_prefix("下午"));
    let rest = half.unwrap_or(rest).trim_start();
    if rest.is_empty() {
        return half.is_none();
    }
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(rest.len() - after.len(), 1 | 2)
        && after.starts_with([':', '时', '点'])
        && after
            .chars()
            .all(|c| c.is_ascii_digit() || c.is_whitespace() || ":.时点分秒Z+AMPamp".contains(c))
}

/// ASCII digits; no sign.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{FindingCode, read_date};

    #[test]
    fn days_as_officers_write_them() {
        let day = jiff::civil::date(2026, 6, 1);
        for text in [
            "2026-06-01",
            "2026/6/1",
            "2026.06.1",
            "2026年6月1日",
            "2026 年 6 月 1 日 08:30",
            "2026年06月01日14时30分",
            "20260601",
            "20260601143000",
            "202606011430",
            "2026-06-01T23:59:59",
            "2026-06-01 08:30",
            "2026/6/1\u{3000}0:00:00",
            "２０２６－０６－０１",
            "２０２６．６．１",
            "2026-06-01T23:59:59.000+08:00",
            "2026年6月1日星期一",
            "2026/6/1 周一 下午 3:05",
            "2026-6-1 3:05 PM",
            "2026年6月1日8点",
        ] {
            assert_eq!(read_date(text), Ok(day), "{text}");
        }
    }

    #[test]
    fn what_is_no_day_says_why() {
        for text in [
            "05/03/2026",
            "5.3.2026",
            "31-12-2026",
            "26/3/5",
            "26年3月5日",
        ] {
            assert_eq!(read_date(text), Err(FindingCode::AmbiguousDate), "{text}");
        }
        // The first day of a span is not the day.
        for text in [
            "2026年3月5日至4月1日",
            "2026年3月5日前",
            "2026-03-05 至 2026-04-01",
            "2026-03-05 2026-04-01",
            "2026-03-05 左右",
            "2026年3月5日或6日",
            "2026-03-05 20260401",
        ] {
            assert_eq!(read_date(text), Err(FindingCode::AmbiguousDate), "{text}");
        }
        for text in ["2026-02-29", "2026年4月31日", "20261301", "2026/0/1"] {
            assert_eq!(read_date(text), Err(FindingCode::NoSuchDay), "{text}");
        }
        for text in [
            "",
            "46174",
            "20260601253000",
            "2026060114300",
            "2026-6",
            "+026-6-1",
            "去年",
            "2026-006-1",
            "2026-6-1-1",
            "2026年6月",
        ] {
            assert_eq!(read_date(text), Err(FindingCode::Unreadable), "{text}");
        }
    }
}
