//! Leads about people who were never born: all in 1900 to 1909.

use yichuan::{domain::LeadFields, rpc::pb};

/// A citizen number with its check character (GB 11643) of somebody born on day `n` of 1900 to 1909.
pub(crate) fn resident_number(n: usize) -> String {
    let (year, month, day) = (1900 + n % 10, 1 + n / 10 % 12, 1 + n / 120 % 28);
    // Odd sequence numbers are men's.
    let sequence = 1 + 2 * (n / 3360 % 499);
    let digits = format!("520624{year}{month:02}{day:02}{sequence:03}");
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    let check = char::from(b"10X98765432"[usize::try_from(sum % 11).unwrap()]);
    format!("{digits}{check}")
}

/// The `n`th lead to this destination. No two are about the same number or person.
pub(crate) fn lead(n: usize, destination: &str) -> pb::Lead {
    pb::Lead::from(&fields(n, destination))
}

/// Its fields.
pub(crate) fn fields(n: usize, destination: &str) -> LeadFields {
    LeadFields {
        number: format!("SN-2026-{n:06}"),
        name: format!("测试{n:06}"),
        sex: "M".into(),
        resident_number: resident_number(n),
        registered_code: "520624".into(),
        destination_code: destination.into(),
        substance: "冰毒".into(),
        conduct: "涉嫌外流贩毒".into(),
        facts: format!("第{n}号线索：多次往返，随身携带可疑物品，同行人员已供述。"),
        collection_method: "走访".into(),
        collected_on: "2024-05-06".into(),
        grade_scheme: "admiralty".into(),
        source_grade: "B".into(),
        information_grade: "2".into(),
        urgency: "normal".into(),
        handling: "H0".into(),
        ..Default::default()
    }
}
