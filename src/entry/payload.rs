//! The content of a dispatch: the only place with data about persons.

use super::{EntryDefect, bounds, pb, wire};
use crate::{
    domain::{
        ArrestNoticeColumn, ArrestNoticeFields, AssessmentOutcome, Column, Family, LeadFields,
        RecordColumn, content::referral::ReferralFields,
    },
    seal::{self, Commitment},
};
use prost::Message as _;
use std::fmt;
use zeroize::Zeroizing;

/// An action on a lead, in words.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct LeadAnswer {
    /// With an assessment.
    pub outcome: Option<AssessmentOutcome>,
    /// In words.
    pub note: String,
}

impl fmt::Debug for LeadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A note is free text and may contain a name.
        f.debug_struct("LeadAnswer")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// The content of a dispatch.
#[derive(Clone, Debug)]
pub enum Content {
    /// Of `lead`.
    Lead(Box<LeadFields>),
    /// Of every answer to a lead.
    LeadAnswer(LeadAnswer),
    /// Of steps that open or restate a referral.
    Referral(Box<ReferralFields>),
    /// Of every other step of a referral.
    ReferralNote(Note),
    /// Of `caught`.
    ArrestNotice(Box<ArrestNoticeFields>),
}

impl From<LeadFields> for Content {
    fn from(fields: LeadFields) -> Self {
        Self::Lead(Box::new(fields))
    }
}

impl From<ArrestNoticeFields> for Content {
    fn from(fields: ArrestNoticeFields) -> Self {
        Self::ArrestNotice(Box::new(fields))
    }
}

/// The columns of a sheet whose rows are records.
pub trait SheetRow:
    RecordColumn<Fields: Into<Content> + Send + Sync, Details: Send> + Send + Sync
{
}

impl<C> SheetRow for C where
    C: RecordColumn<Fields: Into<Content> + Send + Sync, Details: Send> + Send + Sync
{
}

/// What is done with a row of a sheet, whatever its columns.
pub trait RowVisitor<'a> {
    /// What comes of it.
    type Output;

    /// Takes a row's fields.
    fn visit<C: SheetRow>(self, fields: &'a C::Fields) -> Self::Output;
}

impl Content {
    /// Hands on the fields of a row of a sheet. Nothing where the content is none.
    pub fn visit_row<'a, V: RowVisitor<'a>>(&'a self, visitor: V) -> Option<V::Output> {
        match self {
            Self::Lead(fields) => Some(visitor.visit::<Column>(fields)),
            Self::ArrestNotice(fields) => Some(visitor.visit::<ArrestNoticeColumn>(fields)),
            Self::Referral(_) | Self::LeadAnswer(_) | Self::ReferralNote(_) => None,
        }
    }
}

/// Free text, which may contain a name.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Note(pub String);

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Note(…)")
    }
}

macro_rules! kinds {
    ($($wire:ident: $kind:ident, $get:ident;)+) => {
        $(impl From<pb::$wire> for pb::PayloadContent {
            fn from(content: pb::$wire) -> Self {
                let kind = Some(pb::payload_content::Kind::$kind(content));
                Self { kind }
            }
        })+

        impl pb::PayloadContent {
            /// The family of records that rows like this open; nothing for what comes in no sheet.
            pub(crate) const fn row_family(&self) -> Option<Family> {
                use pb::payload_content::Kind;
                match &self.kind {
                    Some(Kind::Lead(_)) => Some(Family::Lead),
                    Some(Kind::Caught(_)) => Some(Family::ArrestNotice),
                    Some(Kind::LeadAnswer(_) | Kind::Referral(_) | Kind::ReferralNote(_)) | None => None,
                }
            }

            $(
                #[doc = concat!("As a `", stringify!($wire), "`, if it is one.")]
                pub fn $get(self) -> Option<pb::$wire> {
                    if let Some(pb::payload_content::Kind::$kind(content)) = self.kind {
                        Some(content)
                    } else {
                        None
                    }
                }
            )+
        }
    };
}

kinds! {
    Lead: Lead, lead;
    Referral: Referral, referral;
    CaughtNotice: Caught, notice;
}

/// What is encrypted: the content's bytes, and the key of the commitment to them.
pub struct Plaintext {
    commitment_key: Zeroizing<[u8; 32]>,
    content: Zeroizing<Vec<u8>>,
}

impl Plaintext {
    /// Encodes the content once; the commitment is to these bytes.
    ///
    /// # Errors
    /// The random source failed.
    pub fn new(content: &Content) -> Result<Self, seal::NoRandomness> {
        Ok(Self {
            commitment_key: Zeroizing::new(seal::random_key()?),
            content: Zeroizing::new(content.to_wire().encode_to_vec()),
        })
    }

    /// The commitment in the log entry.
    pub fn commitment(&self) -> Commitment {
        seal::commitment(&self.commitment_key, &self.content)
    }

    /// The bytes to encrypt.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let payload = pb::Payload {
            commitment_key: self.commitment_key.to_vec().into(),
            content: self.content.to_vec().into(),
        };
        Zeroizing::new(payload.encode_to_vec())
    }

    /// Parses decrypted bytes.
    ///
    /// # Errors
    /// Not a payload.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryDefect> {
        let payload = bounds::decode::<pb::Payload>(bytes)?;
        Ok(Self {
            commitment_key: Zeroizing::new(wire::array(&payload.commitment_key, "commitment_key")?),
            content: Zeroizing::new(payload.content.to_vec()),
        })
    }

    /// Decodes the content.
    ///
    /// # Errors
    /// This program does not know the content.
    pub fn content(&self) -> Result<Content, EntryDefect> {
        let content = bounds::decode::<pb::PayloadContent>(self.content.as_slice())?;
        Content::from_wire(content)
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes)", self.content.len())
    }
}

impl Content {
    /// What an action says: what an assessment found, and its note. Nothing, where it says the record.
    pub(crate) fn spoken(self) -> (Option<AssessmentOutcome>, String) {
        match self {
            Self::LeadAnswer(answer) => (answer.outcome, answer.note),
            Self::ReferralNote(note) => (None, note.0),
            Self::Lead(_) | Self::Referral(_) | Self::ArrestNotice(_) => (None, String::new()),
        }
    }

    /// As it travels.
    pub(crate) fn to_wire(&self) -> pb::PayloadContent {
        use pb::payload_content::Kind;
        let kind = match self {
            Self::Lead(fields) => Kind::Lead(fields.as_ref().into()),
            Self::LeadAnswer(answer) => Kind::LeadAnswer(pb::LeadAnswer {
                outcome: answer.outcome.map_or(0, wire::outcome_to_wire),
                note: answer.note.clone(),
            }),
            Self::Referral(fields) => Kind::Referral(fields.as_ref().into()),
            Self::ReferralNote(note) => Kind::ReferralNote(pb::ReferralNote {
                note: note.0.clone(),
            }),
            Self::ArrestNotice(fields) => Kind::Caught(fields.as_ref().into()),
        };
        pb::PayloadContent { kind: Some(kind) }
    }

    /// Reads what travelled.
    ///
    /// # Errors
    /// It says nothing, or something that this program does not know.
    pub(crate) fn from_wire(content: pb::PayloadContent) -> Result<Self, EntryDefect> {
        use pb::payload_content::Kind;
        Ok(match wire::required(content.kind, "content")? {
            Kind::Lead(lead) => Self::Lead(Box::new(lead.into())),
            Kind::Referral(referral) => Self::Referral(Box::new(referral.into())),
            Kind::ReferralNote(note) => Self::ReferralNote(Note(note.note)),
            Kind::Caught(notice) => Self::ArrestNotice(Box::new(notice.into())),
            Kind::LeadAnswer(answer) => Self::LeadAnswer(LeadAnswer {
                outcome: match answer.outcome {
                    0 => None,
                    stated => Some(
                        wire::outcome_from_wire(stated).ok_or(EntryDefect::Malformed("outcome"))?,
                    ),
                },
                note: answer.note,
            }),
        })
    }
}

/// Fields as they travel, and back: message and domain name them alike.
macro_rules! same_fields {
    ($fields:ty, $message:ty: $($field:ident,)+) => {
        impl From<&$fields> for $message {
            fn from(fields: &$fields) -> Self {
                let mut message = Self::default();
                $(message.$field.clone_from(&fields.$field);)+
                message
            }
        }

        impl From<$message> for $fields {
            fn from(message: $message) -> Self {
                let mut fields = Self::default();
                $(fields.$field = message.$field;)+
                fields
            }
        }
    };
}

same_fields!(LeadFields, pb::Lead:
    number,
    name,
    sex,
    resident_number,
    registered_code,
    registered_place,
    destination_code,
    destination_place,
    substance,
    conduct,
    facts,
    collection_method,
    collected_on,
    grade_scheme,
    source_grade,
    information_grade,
    urgency,
    handling,
    phone,
    plate,
    remarks,
);

same_fields!(ReferralFields, pb::Referral:
    title,
    matter,
    case_number,
    subject_name,
    subject_number,
    place_code,
    substance,
    lead_ids,
);

same_fields!(ArrestNoticeFields, pb::CaughtNotice:
    number,
    name,
    sex,
    resident_number,
    registered_code,
    registered_place,
    caught_on,
    caught_code,
    caught_place,
    substance,
    conduct,
    measure,
    case_number,
    lead_id,
    remarks,
);
