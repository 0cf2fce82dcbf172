//! What a referral says.

use crate::domain::{Locality, RecordId, ResidentNumber, case_number::is_case_number};
use std::fmt;

/// A referral carries at most so many leads.
pub const LEADS_PER_REFERRAL: usize = 16;

/// A note is at most so many characters.
pub const NOTE_CHARS: usize = 2_000;

const TITLE_CHARS: usize = 100;
const MATTER_CHARS: usize = 4_000;
const SHORT_CHARS: usize = 100;

/// The raw text of a referral; empty means absent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ReferralFields {
    /// In one line.
    pub title: String,
    /// What is asked for, and why.
    pub matter: String,
    /// Case number of the originator: `A` and 22 digits.
    pub case_number: String,
    /// Name of the person concerned.
    pub subject_name: String,
    /// Their citizen number.
    pub subject_number: String,
    /// Code of the place that it points to.
    pub place_code: String,
    /// Substance, 毒品种类.
    pub substance: String,
    /// Leads that it carries, by id.
    pub lead_ids: Vec<String>,
}

impl fmt::Debug for ReferralFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All of it may be about somebody.
        f.write_str("ReferralFields(…)")
    }
}

/// What is wrong with a referral's text. Names the field, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentDefect {
    /// Absent.
    #[error("{0} is missing: state what is asked for, and why")]
    Missing(&'static str),
    /// Too long.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// Malformed.
    #[error("{0} is malformed")]
    Malformed(&'static str),
}

impl ReferralFields {
    /// The leads that it carries.
    ///
    /// # Errors
    /// Too many, or one that is no id.
    pub fn leads(&self) -> Result<Vec<RecordId>, ContentDefect> {
        if self.lead_ids.len() > LEADS_PER_REFERRAL {
            return Err(ContentDefect::TooLong("lead_ids"));
        }
        let ids = self.lead_ids.iter().map(|id| id.parse());
        ids.collect::<Result<_, _>>()
            .map_err(|_| ContentDefect::Malformed("lead_ids"))
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first defect.
    pub fn check(&self) -> Result<(), ContentDefect> {
        for (field, text, most) in [
            ("title", &self.title, TITLE_CHARS),
            ("matter", &self.matter, MATTER_CHARS),
            ("subject_name", &self.subject_name, SHORT_CHARS),
            ("substance", &self.substance, SHORT_CHARS),
        ] {
            if text.chars().count() > most {
                return Err(ContentDefect::TooLong(field));
            }
        }
        for (field, text) in [("title", &self.title), ("matter", &self.matter)] {
            if text.trim().is_empty() {
                return Err(ContentDefect::Missing(field));
            }
        }
        if !self.case_number.is_empty() && !is_case_number(&self.case_number) {
            return Err(ContentDefect::Malformed("case_number"));
        }
        if !self.subject_number.is_empty() && ResidentNumber::parse(&self.subject_number).is_err() {
            return Err(ContentDefect::Malformed("subject_number"));
        }
        if !self.place_code.is_empty() && self.place_code.parse::<Locality>().is_err() {
            return Err(ContentDefect::Malformed("place_code"));
        }
        self.leads().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> ReferralFields {
        ReferralFields {
            title: "协查".into(),
            matter: "核实住址".into(),
            ..ReferralFields::default()
        }
    }

    #[test]
    fn a_referral_says_what_it_asks_for() {
        assert_eq!(fields().check(), Ok(()));
        let bare = ReferralFields {
            subject_name: "钱癸子".into(),
            ..ReferralFields::default()
        };
        assert_eq!(bare.check(), Err(ContentDefect::Missing("title")));
    }

    #[test]
    fn each_defect_names_its_field() {
        let wrong = |change: fn(&mut ReferralFields)| {
            let mut fields = fields();
            change(&mut fields);
            fields.check().unwrap_err()
        };
        use ContentDefect::{Malformed, TooLong};
        assert_eq!(wrong(|f| f.title = "长".repeat(101)), TooLong("title"));
        assert_eq!(
            wrong(|f| f.case_number = "A1".into()),
            Malformed("case_number")
        );
        assert_eq!(
            wrong(|f| f.subject_number = "1".into()),
            Malformed("subject_number")
        );
        assert_eq!(
            wrong(|f| f.place_code = "4401".into()),
            Malformed("place_code")
        );
        assert_eq!(
            wrong(|f| f.lead_ids = vec!["x".into()]),
            Malformed("lead_ids")
        );
        assert_eq!(
            wrong(|f| f.lead_ids = vec![String::new(); 17]),
            TooLong("lead_ids")
        );
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", fields()), "ReferralFields(…)");
    }
}
