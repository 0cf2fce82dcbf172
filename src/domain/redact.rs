//! Text that may hold a number which somebody typed in the wrong place.

/// Without runs of digits as long as a telephone's: a number typed in the wrong place is not repeated.
pub fn redacted(text: &str) -> String {
    const TELEPHONE: usize = 11;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        out.push_str(before);
        if digits.len() < TELEPHONE {
            out.push_str(digits);
            rest = after;
        } else {
            out.push('…');
            rest = after.strip_prefix(['X', 'x']).unwrap_or(after);
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_typed_in_the_wrong_place_are_not_repeated() {
        assert_eq!(
            redacted("unexpected '52222519001014247X' and 64"),
            "unexpected '…' and 64"
        );
        assert_eq!(redacted("2026-01 13800000000"), "2026-01 …");
        assert_eq!(redacted("甲1乙"), "甲1乙");
    }
}
