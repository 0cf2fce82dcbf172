//! The messages that two nodes exchange, independent of their encoding.

use super::NotYet;
use crate::{merkle::Hash, seal::PayloadKey};

/// The version of the exchange protocol.
pub(crate) const PROTOCOL: u32 = 1;

/// The most dispatches in a delivery.
pub(crate) const DISPATCHES_PER_DELIVERY: usize = 64;

/// The most bytes of ciphertext in a delivery, unless it has only one dispatch.
pub(crate) const BYTES_PER_DELIVERY: usize = 1024 * 1024;

/// The most witnessed checkpoints in a greeting.
pub const WITNESSED_LIMIT: usize = 64;

/// The most linked trees in a message, including those that were asked for.
pub(crate) const LINKS_LIMIT: usize = 96;

/// The longest CRL in bytes.
pub const CRL_LIMIT: usize = 64 * 1024;

/// A tree that somebody verified. Later ones must be consistent with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The log's origin.
    pub origin: String,
    /// Its size; 0 if nothing was verified yet.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// The first message of either side.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// The version of the exchange that this side speaks.
    pub protocol: u32,
    /// The other side's tree that this side verified last.
    pub verified: Tree,
    /// This side's newest revocation list, DER.
    pub crl: Vec<u8>,
    /// Newest checkpoints of other partners that this side verified, as signed notes.
    pub witnessed: Vec<Vec<u8>>,
    /// Sizes of the other side's trees that third parties showed to this side.
    pub asked: Vec<u64>,
    /// The checkpoint of `verified`, a note as the other side signed it; empty if there is none.
    pub checkpoint: Vec<u8>,
    /// This side's clock, seconds since 1970-01-01 UTC; 0 if it does not state it.
    pub time_s: u64,
}

/// An earlier tree that the checkpoint of a message is proved to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Consistency proof from it to the checkpoint.
    pub consistency: Vec<Hash>,
}

/// Dispatches with their proofs.
#[derive(Debug)]
pub struct Delivery {
    /// Counts up from 1.
    pub sequence: u64,
    /// The sender's checkpoint, a signed note.
    pub checkpoint: Vec<u8>,
    /// Consistency proof from the tree verified before to this one.
    pub consistency: Vec<Hash>,
    /// The dispatches.
    pub dispatches: Vec<DeliveredDispatch>,
    /// The sender's trees that the recipient may have seen elsewhere.
    pub linked: Vec<Link>,
    /// Size of the recipient's tree that the sender verified last, on either stream.
    pub verified_size: u64,
}

/// One dispatch.
#[derive(Debug)]
pub struct DeliveredDispatch {
    /// Index in the sender's log.
    pub index: u64,
    /// The leaf at that index.
    pub entry: Vec<u8>,
    /// Inclusion proof in the delivery's checkpoint.
    pub inclusion: Vec<Hash>,
    /// The encrypted payload.
    pub ciphertext: Vec<u8>,
    /// Its key; `None` if the bytes that came were not a key.
    pub key: Option<PayloadKey>,
}

/// The answers to a delivery.
#[derive(Debug)]
pub struct Answers {
    /// The delivery's number.
    pub sequence: u64,
    /// The recipient's checkpoint, a signed note.
    pub checkpoint: Vec<u8>,
    /// Consistency proof from the recipient's tree verified before to this one.
    pub consistency: Vec<Hash>,
    /// Time of the cosignature, seconds since 1970-01-01 UTC.
    pub cosigned_at_s: u64,
    /// The recipient's cosignature on the delivery's checkpoint.
    pub cosignature: [u8; 64],
    /// One for each dispatch, in order.
    pub answers: Vec<Answer>,
    /// The recipient's trees that the sender may have seen elsewhere.
    pub linked: Vec<Link>,
    /// Size of the sender's tree that the recipient verified last, on either stream.
    pub verified_size: u64,
}

/// The answer to one dispatch.
#[derive(Debug)]
pub enum Answer {
    /// It is received or refused, with proof.
    Proof(AnswerProof),
    /// It must be sent again later.
    NotYet(NotYet),
}

/// The recipient's proof for one dispatch.
#[derive(Debug)]
pub struct AnswerProof {
    /// Index in the recipient's log.
    pub index: u64,
    /// The leaf at that index.
    pub entry: Vec<u8>,
    /// Inclusion proof in the answers' checkpoint.
    pub inclusion: Vec<Hash>,
}
