//! Case numbers, 案件编号.

/// True for `A` and 22 digits.
pub(super) fn is_case_number(text: &str) -> bool {
    text.strip_prefix('A')
        .is_some_and(|digits| digits.len() == 22 && digits.bytes().all(|b| b.is_ascii_digit()))
}
