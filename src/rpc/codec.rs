//! How messages come off the wire: counted first, then built. See [`crate::record::bounds`].

use super::status;
use crate::{
    desk::PAGE_LIMIT,
    exchange::{CRL_LIMIT, DISPATCHES_PER_DELIVERY, LINKS_LIMIT, WITNESSED_LIMIT},
    record::{
        bounds::{Bounds, Budget, Unbuilt},
        pb,
    },
};
use bytes::Buf as _;
use prost::{Message, Name};
use std::{marker::PhantomData, sync::LazyLock};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

/// A message is at most so many bytes on the wire; a delivery of 64 dispatches with their proofs fits.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// A message from an officer or an auditor is at most so many bytes.
pub const MAX_REQUEST: usize = 64 * 1024;

/// What a request of a person takes at most, in bytes of memory.
pub const PERSON_BUDGET: usize = 8 * 1024 * 1024;

/// What a message of a partner's node takes at most, and what a node answers, in bytes of memory.
pub const NODE_BUDGET: usize = 16 * 1024 * 1024;

/// What the first message of either side of a relay stream takes at most: a list and checkpoints.
const GREETING_BUDGET: usize = 16 * CRL_LIMIT;

/// The messages with which the two sides of a relay stream begin have one field that may come first.
const GREETING: u32 = 1;

/// Actions on one record that are shown; it may have had half as many from either side.
const EVENTS: usize = 512;

/// Jurisdictions there can be partners of: China has some 3,300 down to the county.
const PARTNERS: usize = 8_192;

/// Hashes on a path up a tree of any size, and beside it.
const PATH: usize = 128;

/// How often repeated fields that travel may stand. One that is not named here may 64 times.
const MOST: &[(&str, usize)] = &[
    ("RelayHello.witnessed", WITNESSED_LIMIT),
    ("RelayHello.asked", WITNESSED_LIMIT),
    ("RelayWelcome.witnessed", WITNESSED_LIMIT),
    ("RelayWelcome.asked", WITNESSED_LIMIT),
    ("Delivery.dispatches", DISPATCHES_PER_DELIVERY),
    ("Delivery.linked", LINKS_LIMIT),
    ("Answers.answers", DISPATCHES_PER_DELIVERY),
    ("Answers.linked", LINKS_LIMIT),
    ("PushLeadsResponse.reasons", 256),
    ("PushCaughtResponse.reasons", 256),
    ("ListLeadsResponse.leads", PAGE_LIMIT),
    ("ListCaughtResponse.notices", PAGE_LIMIT),
    ("ListReferralsResponse.referrals", PAGE_LIMIT),
    ("ShowLeadResponse.events", EVENTS),
    ("ShowReferralResponse.events", EVENTS),
    ("ListPartnersResponse.partners", PARTNERS),
    ("ReplayResponse.leaves", super::audit::REPLAY_LEAVES),
    ("ProveInclusionResponse.hashes", PATH),
    ("ProveConsistencyResponse.hashes", PATH),
];

/// The limits of all messages that travel.
pub static CARRIED: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(MOST));

/// What a message may come to; `first` on its stream.
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

/// Counts a message that is not built yet; `first` on its stream.
///
/// # Errors
/// As [`Bounds::admit`].
pub(super) fn admit<M: Name>(bytes: &[u8], first: bool) -> Result<(), Unbuilt> {
    CARRIED.admit::<M>(bytes, budget::<M>(first))
}

/// The codec of all our services and of their clients. What it refuses reads as what is not protobuf.
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

/// Builds the messages of one stream, or the one of a call.
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
