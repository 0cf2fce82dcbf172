//! The grounds of a call: its purpose and its basis. Every caller states both.

use crate::domain::{Jurisdiction, RecordId, keyed};
use std::{fmt, str::FromStr};

keyed! {
    /// Why a caller reads or writes, 用途.
    pub enum Purpose {
        /// Checks leads.
        Screening = "screening" ("线索核查"),
        /// Investigates a case.
        Case = "case" ("案件侦办"),
        /// Helps a partner with its case.
        Assistance = "assistance" ("协查办理"),
        /// Supervises what others do.
        Supervision = "supervision" ("督查"),
        /// Audits the log.
        Audit = "audit" ("审计"),
    }
}

/// A purpose or basis that is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroundsDefect {
    /// No purpose, or an unknown one.
    #[error("state a purpose: screening, case, assistance, supervision or audit")]
    Purpose,
    /// No basis, or a malformed one.
    #[error(
        "state a basis: case:A and 22 digits, lead:<uuid>, referral:<uuid>, or \
         campaign:<code>-<year>-<number>, such as campaign:520624-2026-01"
    )]
    Basis,
}

/// The basis of a call, 依据. Each has exactly one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// A case number: `A`, twelve digits of the unit, year, month, four digits.
    Case(String),
    /// A lead.
    Lead(RecordId),
    /// A referral.
    Referral(RecordId),
    /// A screening campaign of a jurisdiction: year and number.
    Campaign {
        /// The jurisdiction that runs the campaign.
        jurisdiction: Jurisdiction,
        /// 2000 to 2099.
        year: u16,
        /// 1 to 999.
        number: u16,
    },
}

impl FromStr for Basis {
    type Err = GroundsDefect;

    fn from_str(text: &str) -> Result<Self, GroundsDefect> {
        let defect = || GroundsDefect::Basis;
        let (kind, rest) = text.split_once(':').ok_or_else(defect)?;
        let basis = match kind {
            "case" => {
                let digits = rest.strip_prefix('A').ok_or_else(defect)?;
                let month = digits.get(16..18).and_then(|m| m.parse::<u8>().ok());
                let well_formed = digits.len() == 22
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && digits
                        .get(..6)
                        .is_some_and(|code| code.parse::<Jurisdiction>().is_ok())
                    && matches!(month, Some(1..=12));
                well_formed
                    .then(|| Self::Case(rest.to_owned()))
                    .ok_or_else(defect)?
            }
            "lead" => Self::Lead(rest.parse().map_err(|_| defect())?),
            "referral" => Self::Referral(rest.parse().map_err(|_| defect())?),
            "campaign" => {
                let mut parts = rest.splitn(3, '-');
                let mut part = || parts.next().ok_or_else(defect);
                let jurisdiction = part()?.parse().map_err(|_| defect())?;
                let year = part()?.parse().map_err(|_| defect())?;
                let number = part()?.parse().map_err(|_| defect())?;
                if !(2000..=2099).contains(&year) || !(1..=999).contains(&number) {
                    return Err(defect());
                }
                Self::Campaign {
                    jurisdiction,
                    year,
                    number,
                }
            }
            _ => return Err(defect()),
        };
        // One spelling: what is logged is what was typed.
        if basis.to_string() == text {
            Ok(basis)
        } else {
            Err(defect())
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case(number) => write!(f, "case:{number}"),
            Self::Lead(id) => write!(f, "lead:{id}"),
            Self::Referral(id) => write!(f, "referral:{id}"),
            Self::Campaign {
                jurisdiction,
                year,
                number,
            } => {
                write!(f, "campaign:{jurisdiction}-{year}-{number:02}")
            }
        }
    }
}

/// The purpose and basis of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// The purpose.
    pub purpose: Purpose,
    /// The basis.
    pub basis: Basis,
}

impl Grounds {
    /// Parses both.
    ///
    /// # Errors
    /// A purpose or basis that is missing or malformed.
    pub fn parse(purpose: &str, basis: &str) -> Result<Self, GroundsDefect> {
        Ok(Self {
            purpose: purpose.parse().map_err(|_| GroundsDefect::Purpose)?,
            basis: basis.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_have_one_spelling() {
        for good in [
            "case:A5206240000002026110001",
            "lead:0198c6de-7f3a-7cc0-b0f3-0123456789ab",
            "referral:0198c6de-7f3a-7cc0-b0f3-0123456789ab",
            "campaign:520624-2026-01",
            "campaign:520624-2026-123",
        ] {
            assert_eq!(
                good.parse::<Basis>().map(|b| b.to_string()).as_deref(),
                Ok(good)
            );
        }
        for bad in [
            "",
            "because",
            "case:A52062400000020261100",
            "case:A5206240000002026130001",
            "case:A9906240000002026110001",
            "case:B5206240000002026110001",
            "lead:0198C6DE-7F3A-7CC0-B0F3-0123456789AB",
            "lead:1",
            "campaign:520624-2026-1",
            "campaign:520624-2026-0",
            "campaign:520624-1999-01",
            "campaign:520624-2026-01 ",
        ] {
            assert_eq!(bad.parse::<Basis>(), Err(GroundsDefect::Basis), "{bad}");
        }
        let unstated = Grounds::parse("", "case:A5206240000002026110001");
        assert_eq!(unstated.unwrap_err(), GroundsDefect::Purpose);
    }
}
