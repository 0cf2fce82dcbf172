//! Source and information grades, each in its own scheme. Nothing here converts between schemes: what one service calls
//! reliable is no statement in another's words.

use super::{Column, Finding, FindingCode, keyed};

keyed! {
    /// A scheme of source and information grades.
    pub enum GradeScheme {
        /// The Admiralty code, taken unless the sheet says otherwise: source A to F, information 1 to 6.
        Admiralty = "admiralty",
        /// Europol 4×4: source A, B, C, X, information 1 to 4.
        Europol4x4 = "europol-4x4",
        /// UK 3×5×2: source 1 to 3, information A to E. (Its third figure is the handling code, which has its own column.)
        Uk3x5x2 = "uk-3x5x2",
    }
}

impl GradeScheme {
    /// Its source grades, one character each.
    pub const fn source_grades(self) -> &'static str {
        match self {
            Self::Admiralty => "ABCDEF",
            Self::Europol4x4 => "ABCX",
            Self::Uk3x5x2 => "123",
        }
    }

    /// Its information grades, one character each.
    pub const fn information_grades(self) -> &'static str {
        match self {
            Self::Admiralty => "123456",
            Self::Europol4x4 => "1234",
            Self::Uk3x5x2 => "ABCDE",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Admiralty);
        }
        text.to_ascii_lowercase().replace('×', "x").parse().ok()
    }

    /// The scheme of both grades, from the three columns, tidied; an empty one is the Admiralty's. Where a grade is empty,
    /// no more is found here than that there is no grading.
    ///
    /// # Errors
    /// [`FindingCode::UnknownGrade`] on each column that is not of the scheme; on the scheme alone where that is unknown.
    pub fn of_grades(scheme: &str, source: &str, information: &str) -> Result<Self, Vec<Finding>> {
        let unknown = |column| Finding::new(column, FindingCode::UnknownGrade);
        let Some(scheme) = Self::parse(scheme) else {
            return Err(vec![unknown(Column::GradeScheme)]);
        };
        let source_grade = only_char(source).filter(|g| scheme.source_grades().contains(*g));
        let information_grade =
            only_char(information).filter(|g| scheme.information_grades().contains(*g));
        match (source_grade, information_grade) {
            (Some(_), Some(_)) => Ok(scheme),
            (source_grade, information_grade) => {
                let mut findings = Vec::new();
                if source_grade.is_none() && !source.is_empty() {
                    findings.push(unknown(Column::SourceGrade));
                }
                if information_grade.is_none() && !information.is_empty() {
                    findings.push(unknown(Column::InformationGrade));
                }
                Err(findings)
            }
        }
    }
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grade_belongs_to_its_scheme() {
        let columns = |scheme, source, information| {
            GradeScheme::of_grades(scheme, source, information)
                .map_err(|f| f.iter().filter_map(|f| f.column).collect::<Vec<_>>())
        };
        use Column::{GradeScheme as Scheme, InformationGrade as Info, SourceGrade as Source};
        assert_eq!(columns("", "F", "6"), Ok(GradeScheme::Admiralty));
        assert_eq!(
            columns("Europol-4×4", "X", "4"),
            Ok(GradeScheme::Europol4x4)
        );
        assert_eq!(columns("uk-3x5x2", "3", "E"), Ok(GradeScheme::Uk3x5x2));
        assert_eq!(columns("", "X", "6"), Err(vec![Source]));
        assert_eq!(columns("europol-4x4", "D", "5"), Err(vec![Source, Info]));
        assert_eq!(columns("uk-3x5x2", "A", "1"), Err(vec![Source, Info]));
        assert_eq!(columns("nato", "A", "1"), Err(vec![Scheme]));
        assert_eq!(columns("", "AB", "1"), Err(vec![Source]));
        assert_eq!(columns("", "", "1"), Err(vec![]));
    }
}
