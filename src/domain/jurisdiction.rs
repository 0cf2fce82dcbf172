//! Jurisdictions and the localities below them: GB/T 2260 codes of six digits, nine for a township, twelve for a
//! community.

use std::{fmt, str::FromStr};

/// Not a division code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCode {
    /// A jurisdiction has six digits, the first two from 11 to 82.
    #[error("not a jurisdiction code: expected six digits such as 520624")]
    Jurisdiction,
    /// A locality has six, nine or twelve digits.
    #[error("not a division code: expected 6, 9 or 12 digits such as 520624 or 520624101")]
    Locality,
}

/// A jurisdiction, 辖区: a county, prefecture or province with a six-digit code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jurisdiction([u8; 6]);

impl Jurisdiction {
    /// The six digits.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The six digits as bytes, as they stand in keys.
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }

    /// SPIFFE trust domain of the jurisdiction's node: `520624.yichuan`.
    pub fn trust_domain(&self) -> String {
        format!("{self}.yichuan")
    }

    /// From most to least specific: the jurisdiction itself, its prefecture, its province. A dispatch goes to the first
    /// that has a node.
    pub fn ancestry(self) -> impl Iterator<Item = Self> {
        let [a, b, c, d, _, _] = self.0;
        let prefecture = Self([a, b, c, d, b'0', b'0']);
        let province = Self([a, b, b'0', b'0', b'0', b'0']);
        let mut last = None;
        [self, prefecture, province]
            .into_iter()
            .filter(move |code| last.replace(*code) != Some(*code))
    }

    /// True for a code of province level: `440000`.
    pub fn is_province(&self) -> bool {
        self.0.ends_with(b"0000")
    }

    /// True for a code of prefecture level: `440100`.
    pub fn is_prefecture(&self) -> bool {
        self.0.ends_with(b"00") && !self.is_province()
    }
}

impl FromStr for Jurisdiction {
    type Err = MalformedCode;

    fn from_str(text: &str) -> Result<Self, MalformedCode> {
        let digits: [u8; 6] = text
            .as_bytes()
            .try_into()
            .map_err(|_| MalformedCode::Jurisdiction)?;
        let province = match digits {
            [a @ b'1'..=b'8', b @ b'0'..=b'9', ..] => (a - b'0') * 10 + (b - b'0'),
            _ => return Err(MalformedCode::Jurisdiction),
        };
        if !digits.iter().all(u8::is_ascii_digit) || !(11..=82).contains(&province) {
            return Err(MalformedCode::Jurisdiction);
        }
        Ok(Self(digits))
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place: a jurisdiction, or a township or community in one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality(String);

impl Locality {
    /// All of its digits: 6, 9 or 12.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The jurisdiction that it lies in.
    pub fn jurisdiction(&self) -> Jurisdiction {
        let mut code = [b'0'; 6];
        for (to, from) in code.iter_mut().zip(self.0.bytes()) {
            *to = from;
        }
        Jurisdiction(code)
    }
}

impl FromStr for Locality {
    type Err = MalformedCode;

    fn from_str(text: &str) -> Result<Self, MalformedCode> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        match (digits, text.len(), text.get(..6)) {
            (true, 6 | 9 | 12, Some(jurisdiction)) => {
                jurisdiction
                    .parse::<Jurisdiction>()
                    .map_err(|_| MalformedCode::Locality)?;
                Ok(Self(text.to_owned()))
            }
            _ => Err(MalformedCode::Locality),
        }
    }
}

impl fmt::Debug for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_goes_up_from_county_to_province() {
        let up = |code: &str| {
            code.parse::<Jurisdiction>()
                .unwrap()
                .ancestry()
                .map(|j| j.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(up("440232"), ["440232", "440200", "440000"]);
        assert_eq!(up("440200"), ["440200", "440000"]);
        assert_eq!(up("440000"), ["440000"]);
    }

    #[test]
    fn malformed_codes_are_refused() {
        for bad in [
            "",
            "4401",
            "44010",
            "44010a",
            "4401000",
            "000000",
            "990000",
            "４４０１００",
        ] {
            assert_eq!(
                bad.parse::<Jurisdiction>(),
                Err(MalformedCode::Jurisdiction),
                "{bad}"
            );
        }
        for bad in ["4401", "44010000", "5206241111", "990000111", "52062411a"] {
            assert_eq!(
                bad.parse::<Locality>(),
                Err(MalformedCode::Locality),
                "{bad}"
            );
        }
        let township: Locality = "520624111".parse().unwrap();
        assert_eq!(township.jurisdiction().as_str(), "520624");
    }
}
