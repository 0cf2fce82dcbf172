//! Finding what is about a person in bytes that should hold nothing of the kind.

use aho_corasick::AhoCorasick;
use aws_lc_rs::digest;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

/// Shorter values, and shorter encodings, would be found by chance.
const SHORTEST: usize = 6;
const SHORTEST_BASE64: usize = 10;

/// What nobody but an officer who opens a record may see, in every form that a careless line of code gives it.
pub(crate) struct Secrets {
    /// What each value is, such as `phone of lead 3`.
    labels: Vec<String>,
    /// Label and form of each pattern.
    patterns: Vec<(usize, &'static str)>,
    search: AhoCorasick,
}

/// A secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leak {
    pub(crate) what: String,
    pub(crate) form: &'static str,
    around: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, in {:?}", self.what, self.form, self.around)
    }
}

impl Secrets {
    /// Of these values by their labels.
    pub(crate) fn new(values: &BTreeMap<String, String>) -> Self {
        let (mut labels, mut patterns, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (label, value) in values {
            assert!(
                value.len() >= SHORTEST,
                "{label} is too short to search for"
            );
            for (form, text) in forms(value) {
                patterns.push((labels.len(), form));
                texts.push(text);
            }
            labels.push(label.clone());
        }
        let search = AhoCorasick::new(texts).unwrap();
        Self {
            labels,
            patterns,
            search,
        }
    }

    /// Secrets in these bytes, each with what stands around it.
    pub(crate) fn leaks(&self, bytes: &[u8]) -> Vec<Leak> {
        let mut leaks = BTreeMap::new();
        for found in self.search.find_overlapping_iter(bytes) {
            let (label, form) = self.patterns[found.pattern().as_usize()];
            let from = found.start().saturating_sub(200);
            let to = (found.end() + 100).min(bytes.len());
            leaks.entry((label, form)).or_insert_with(|| Leak {
                what: self.labels[label].clone(),
                form,
                around: String::from_utf8_lossy(&bytes[from..to]).into_owned(),
            });
        }
        leaks.into_values().collect()
    }
}

/// A value as it would look in a log line, a message or a file.
pub(crate) fn forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = value.as_bytes();
    let mut forms: Vec<(&'static str, Vec<u8>)> = vec![("plain", bytes.to_vec())];
    if value.chars().any(|c| c.is_ascii_uppercase()) {
        forms.push(("lower case", value.to_ascii_lowercase().into_bytes()));
    }
    if !value.is_ascii() {
        forms.push(("\\x escapes", escaped(bytes, |b| format!("\\x{b:02x}"))));
        forms.push(("\\x ESCAPES", escaped(bytes, |b| format!("\\x{b:02X}"))));
        forms.push(("percent", escaped(bytes, |b| format!("%{b:02X}"))));
        forms.push(("octal escapes", escaped(bytes, |b| format!("\\{b:03o}"))));
        let (mut json, mut rust) = (String::new(), String::new());
        for unit in value.encode_utf16() {
            write!(json, "\\u{unit:04x}").unwrap();
            write!(rust, "\\u{{{unit:x}}}").unwrap();
        }
        forms.push(("JSON escapes", json.into_bytes()));
        forms.push(("Rust escapes", rust.into_bytes()));
    }
    // A name of two characters has four bytes in UTF-16, which turn up by chance in some dozens of megabytes of ciphertext.
    let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    if wide.len() >= SHORTEST {
        forms.push(("UTF-16", wide));
    }
    forms.extend(encodings(
        bytes,
        ["hex", "HEX", "hex list", "list", "base64"],
    ));
    let hash = digest::digest(&digest::SHA256, bytes);
    forms.push(("SHA-256", hash.as_ref().to_vec()));
    forms.extend(encodings(
        hash.as_ref(),
        [
            "SHA-256 in hex",
            "SHA-256 in HEX",
            "SHA-256 as a hex list",
            "SHA-256 as a list",
            "SHA-256 in base64",
        ],
    ));
    forms
}

fn escaped(bytes: &[u8], escape: impl Fn(u8) -> String) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        byte => escape(*byte),
    };
    bytes.iter().map(escape).collect::<String>().into_bytes()
}

fn encodings(bytes: &[u8], names: [&'static str; 5]) -> Vec<(&'static str, Vec<u8>)> {
    let [lower, upper, hex_list, list, base64] = names;
    let join = |format: fn(&u8) -> String| {
        let parts: Vec<_> = bytes.iter().map(format).collect();
        parts.join(", ").into_bytes()
    };
    let mut forms = vec![
        (lower, hex::encode(bytes).into_bytes()),
        (upper, hex::encode_upper(bytes).into_bytes()),
        (hex_list, join(|byte| format!("{byte:x}"))),
        (list, join(ToString::to_string)),
    ];
    // Its middle looks alike wherever it begins in a longer text, but for where the three bytes of a group begin.
    for skipped in 0..3 {
        let whole = (bytes.len() - skipped) / 3 * 3;
        let middle = &bytes[skipped..skipped + whole];
        for text in [STANDARD.encode(middle), URL_SAFE.encode(middle)] {
            if text.len() >= SHORTEST_BASE64 {
                forms.push((base64, text.into_bytes()));
            }
        }
    }
    forms.dedup();
    forms
}
