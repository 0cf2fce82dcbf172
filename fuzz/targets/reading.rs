//! Reads each message of a stranger as its handler does, but without a node.

use prost::{Message, Name};
use yichuan::{
    access::{Assignee, Grounds, GroundsDefect},
    casework::{Approval, NewAction, NewReferral, Query},
    domain::{
        ArrestNoticeFields, Family, Jurisdiction, LeadFields, RecordId,
        content::referral::ReferralFields,
    },
    entry::PartnerChange,
    exchange::{Answers, Delivery, Greeting},
    rpc::{
        Grounded, WireDefect, codec,
        pb::{self, payload_content::Kind},
    },
};

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It is not protobuf of this type.
    #[error("the message cannot be read")]
    Encoding,
    /// Purpose or basis is missing or malformed.
    #[error(transparent)]
    Grounds(#[from] GroundsDefect),
    /// A field is missing or malformed.
    #[error(transparent)]
    Field(#[from] WireDefect),
}

/// The content of a request that the domain goes on to check.
#[derive(Debug)]
pub(crate) enum Carried {
    /// None: it has only selectors and ids.
    Nothing,
    /// A lead's fields.
    Lead(LeadFields),
    /// A notice's fields.
    ArrestNotice(ArrestNoticeFields),
    /// A referral's fields.
    Referral(ReferralFields),
    /// A node card.
    Card(Vec<u8>),
}

/// Reads the bytes of one request.
pub(crate) type Reader = fn(&[u8]) -> Result<Carried, Refused>;

/// All requests of people, by the name of their message.
pub(crate) const REQUESTS: &[(&str, Reader)] = &[
    ("PushRecordsRequest", |bytes| {
        let request: pb::PushRecordsRequest = stated(bytes)?;
        Family::try_from(&request)?;
        Ok(match request.content.and_then(|content| content.kind) {
            Some(Kind::Lead(lead)) => Carried::Lead(lead.into()),
            Some(Kind::Caught(notice)) => Carried::ArrestNotice(notice.into()),
            Some(Kind::LeadAnswer(_) | Kind::Referral(_) | Kind::ReferralNote(_)) | None => {
                Carried::Nothing
            }
        })
    }),
    ("OpenReferralRequest", |bytes| {
        let request: pb::OpenReferralRequest = stated(bytes)?;
        Ok(Carried::Referral(NewReferral::try_from(request)?.fields))
    }),
    (
        "ApproveRecordRequest",
        fields::<pb::ApproveRecordRequest, RecordId>,
    ),
    ("ActOnRecordRequest", |bytes| {
        let request: pb::ActOnRecordRequest = stated(bytes)?;
        let (_, new) = <(RecordId, NewAction)>::try_from(request)?;
        Ok(new.fields.map_or(Carried::Nothing, Carried::Referral))
    }),
    (
        "AssignRecordRequest",
        fields::<pb::AssignRecordRequest, (RecordId, Option<Assignee>)>,
    ),
    (
        "ListRecordsRequest",
        fields::<pb::ListRecordsRequest, Query>,
    ),
    ("ShowRecordRequest", |bytes| {
        let request: pb::ShowRecordRequest = stated(bytes)?;
        <(Family, RecordId)>::try_from(&request)?;
        Ok(Carried::Nothing)
    }),
    (
        "WatchRecordsRequest",
        fields::<pb::WatchRecordsRequest, Family>,
    ),
    ("ProposePartnerRequest", |bytes| {
        let request: pb::ProposePartnerRequest = stated(bytes)?;
        Ok(Carried::Card(request.card.to_vec()))
    }),
    (
        "ApprovePartnerRequest",
        fields::<pb::ApprovePartnerRequest, (Jurisdiction, Approval)>,
    ),
    (
        "ListPartnersRequest",
        grounds_alone::<pb::ListPartnersRequest>,
    ),
    (
        "GetCheckpointRequest",
        grounds_alone::<pb::GetCheckpointRequest>,
    ),
    ("ReplayRequest", grounds_alone::<pb::ReplayRequest>),
    (
        "ProveInclusionRequest",
        grounds_alone::<pb::ProveInclusionRequest>,
    ),
    (
        "ProveConsistencyRequest",
        grounds_alone::<pb::ProveConsistencyRequest>,
    ),
    (
        "SuspendPartnerRequest",
        fields::<pb::SuspendPartnerRequest, Jurisdiction>,
    ),
    (
        "DraftPartnerChangeRequest",
        fields::<pb::DraftPartnerChangeRequest, (Jurisdiction, PartnerChange)>,
    ),
    (
        "ApprovePartnerChangeRequest",
        fields::<pb::ApprovePartnerChangeRequest, (Jurisdiction, PartnerChange)>,
    ),
];

/// A partner's message on a relay stream, either way.
#[derive(Debug)]
pub(crate) enum Relayed {
    /// Its first message to this node.
    Hello(Greeting),
    /// Its first message back.
    Welcome(Greeting),
    /// Dispatches.
    Delivery(Delivery),
    /// Proofs of what became of dispatches.
    Answers(Answers),
}

/// Reads what a partner's node sends on a stream that it opened.
///
/// # Errors
/// It is not such a message, or a field is wrong.
pub(crate) fn relay_request(bytes: &[u8]) -> Result<Relayed, Refused> {
    use pb::relay_request::Message as M;
    let request: pb::RelayRequest = decode(bytes)?;
    Ok(
        match request.message.ok_or(WireDefect::Missing("message"))? {
            M::Hello(hello) => Relayed::Hello(hello.try_into()?),
            M::Delivery(delivery) => Relayed::Delivery(delivery.try_into()?),
        },
    )
}

/// Reads what a partner's node sends on a stream that this node opened.
///
/// # Errors
/// It is not such a message, or a field is wrong.
pub(crate) fn relay_response(bytes: &[u8]) -> Result<Relayed, Refused> {
    use pb::relay_response::Message as M;
    let response: pb::RelayResponse = decode(bytes)?;
    Ok(
        match response.message.ok_or(WireDefect::Missing("message"))? {
            M::Welcome(welcome) => Relayed::Welcome(welcome.try_into()?),
            M::Answers(answers) => Relayed::Answers(answers.try_into()?),
        },
    )
}

impl Relayed {
    /// The message, as this node would send it.
    pub(crate) fn encode(self) -> Vec<u8> {
        use pb::{relay_request::Message as Q, relay_response::Message as R};
        let request = |message| {
            let message = Some(message);
            pb::RelayRequest { message }.encode_to_vec()
        };
        let response = |message| {
            let message = Some(message);
            pb::RelayResponse { message }.encode_to_vec()
        };
        match self {
            Self::Hello(greeting) => request(Q::Hello(greeting.into())),
            Self::Delivery(delivery) => request(Q::Delivery(delivery.into())),
            Self::Welcome(greeting) => response(R::Welcome(greeting.into())),
            Self::Answers(answers) => response(R::Answers(answers.into())),
        }
    }
}

/// A request of a person, with its grounds read.
fn stated<R: Grounded + Message + Name + Default>(bytes: &[u8]) -> Result<R, Refused> {
    let mut request: R = decode(bytes)?;
    Grounds::try_from(request.take_grounds())?;
    Ok(request)
}

/// A request whose other fields its handler takes as they are.
fn grounds_alone<R: Grounded + Message + Name + Default>(bytes: &[u8]) -> Result<Carried, Refused> {
    stated::<R>(bytes).map(|_| Carried::Nothing)
}

/// A request whose fields its handler reads as `T`.
fn fields<R, T>(bytes: &[u8]) -> Result<Carried, Refused>
where
    R: Grounded + Message + Name + Default,
    T: TryFrom<R, Error = WireDefect>,
{
    T::try_from(stated::<R>(bytes)?)?;
    Ok(Carried::Nothing)
}

fn decode<M: Message + Name + Default>(bytes: &[u8]) -> Result<M, Refused> {
    codec::admit::<M>(bytes, false).map_err(|_| Refused::Encoding)?;
    M::decode(bytes).map_err(|_| Refused::Encoding)
}
