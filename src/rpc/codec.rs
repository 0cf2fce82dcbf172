//! The codec of all services and clients: a message is counted before it is decoded. See [`crate::entry::bounds`].

use super::status;
use crate::{
    casework::PAGE_LIMIT,
    entry::{
        bounds::{Bounds, BoundsError, Budget},
        pb,
    },
    exchange::{CRL_LIMIT, DISPATCHES_PER_DELIVERY, LINKS_LIMIT, WITNESSED_LIMIT},
};
use bytes::Buf as _;
use prost::{Message, Name};
use std::{marker::PhantomData, sync::LazyLock};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

/// The largest message, in bytes on the wire. A delivery of 64 dispatches with their proofs fits.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// The largest request of a person, in bytes on the wire.
pub const MAX_REQUEST: usize = 64 * 1024;

/// The most memory that a person's request may take, in bytes.
pub const PERSON_BUDGET: usize = 8 * 1024 * 1024;

/// The most memory that a message of a partner's node or a node's answer may take, in bytes.
pub const NODE_BUDGET: usize = 16 * 1024 * 1024;

/// The most memory that the first message of either side of a relay stream may take: a revocation list and checkpoints.
const GREETING_BUDGET: usize = 16 * CRL_LIMIT;

/// The only field that the first message on either side of a relay stream may have.
const GREETING: u32 = 1;

/// Actions on one record that are shown. Either side may have taken half as many.
const EVENTS: usize = 512;

/// Possible partners: China has some 3,300 jurisdictions down to the county.
const PARTNERS: usize = 8_192;

/// Hashes of a proof in a tree of any size.
const PATH: usize = 128;

/// The most elements of each repeated field that travels. A field that is not listed may have 64.
const MOST: &[(&str, usize)] = &[
    ("RelayHello.witnessed", WITNESSED_LIMIT),
    ("RelayHello.asked", WITNESSED_LIMIT),
    ("RelayWelcome.witnessed", WITNESSED_LIMIT),
    ("RelayWelcome.asked", WITNESSED_LIMIT),
    ("Delivery.dispatches", DISPATCHES_PER_DELIVERY),
    ("Delivery.linked", LINKS_LIMIT),
    ("Answers.answers", DISPATCHES_PER_DELIVERY),
    ("Answers.linked", LINKS_LIMIT),
    ("PushRecordsResponse.reasons", 256),
    ("ListRecordsResponse.records", PAGE_LIMIT),
    ("ShowRecordResponse.events", EVENTS),
    ("ListPartnersResponse.partners", PARTNERS),
    ("ReplayResponse.leaves", super::audit::REPLAY_LEAVES),
    ("ProveInclusionResponse.hashes", PATH),
    ("ProveConsistencyResponse.hashes", PATH),
];

/// The limits of all messages that travel.
pub static CARRIED: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(MOST));

/// What a message may take; `first` on its stream.
fn budget<M: Name>(first: bool) -> Budget {
    let relayed = [pb::RelayRequest::NAME, pb::RelayResponse::NAME].contains(&M::NAME);
    let only = (relayed && first).then_some(GREETING);
    let bytes = match only {
        Some(_) => GREETING_BUDGET,
        None if !relayed && M::NAME.ends_with("Request") => PERSON_BUDGET,
        None => NODE_BUDGET,
    };
    Budget { bytes, only }
}

/// Counts a message before it is decoded; `first` on its stream.
///
/// # Errors
/// As [`Bounds::admit`].
pub fn admit<M: Name>(bytes: &[u8], first: bool) -> Result<(), BoundsError> {
    CARRIED.admit::<M>(bytes, budget::<M>(first))
}

/// The codec of our services and their clients. A message that it rejects reads as malformed protobuf.
#[derive(Debug)]
pub struct Counted<T, U>(PhantomData<fn() -> (T, U)>);

impl<T, U> Default for Counted<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Counted<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Counting<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Counting {
            first: true,
            message: PhantomData,
        }
    }
}

/// Decodes the messages of one stream, or the one of a call.
#[derive(Debug)]
pub struct Counting<U> {
    first: bool,
    message: PhantomData<fn() -> U>,
}

impl<U: Message + Name + Default> Decoder for Counting<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let first = std::mem::replace(&mut self.first, false);
        // tonic hands over a message in one piece.
        if from.chunk().len() != from.remaining() {
            return Err(Status::internal("a message came in pieces"));
        }
        admit::<U>(from.chunk(), first).map_err(|why| status::undecoded(&why))?;
        U::decode(from)
            .map(Some)
            .map_err(|error| status::undecoded(&error))
    }
}
