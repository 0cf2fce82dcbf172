//! Messages to what they mean, and back. Each defect names its field.

use super::pb;
use crate::{
    access::{Grounds, GroundsDefect},
    domain::{Jurisdiction, MalformedId, RecordId},
    entry,
    exchange::{
        Answer, AnswerProof, Answers, CRL_LIMIT, DeliveredDispatch, Delivery, Greeting,
        LINKS_LIMIT, Link, NotYet, Tree, WITNESSED_LIMIT,
    },
    merkle::{self, Hash},
    note::MAX_NOTE_BYTES,
    seal::PayloadKey,
};
use std::str::FromStr;

/// A message that does not mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireDefect {
    /// Absent.
    #[error("{0} is missing: the service's description says what it takes")]
    Missing(&'static str),
    /// Present and wrong.
    #[error("{0} is malformed: the service's description says what it takes")]
    Malformed(&'static str),
    /// An id that could be spelled in several ways.
    #[error("{0}: an id is spelled in small letters and with hyphens")]
    Spelling(&'static str),
    /// More than allowed.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A number beyond its limit.
    #[error("{field} is at most {most}")]
    TooMuch {
        /// Which.
        field: &'static str,
        /// The limit.
        most: usize,
    },
}

fn parse<T: FromStr>(text: &str, field: &'static str) -> Result<T, WireDefect> {
    if text.is_empty() {
        return Err(WireDefect::Missing(field));
    }
    text.parse().map_err(|_| WireDefect::Malformed(field))
}

pub(super) fn optional<T: FromStr>(
    text: &str,
    field: &'static str,
) -> Result<Option<T>, WireDefect> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse(text, field).map(Some)
    }
}

pub(super) fn id(text: &str, field: &'static str) -> Result<RecordId, WireDefect> {
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) if text.is_empty() => Err(WireDefect::Missing(field)),
        Err(MalformedId::NoUuid) => Err(WireDefect::Malformed(field)),
        Err(MalformedId::Spelling) => Err(WireDefect::Spelling(field)),
    }
}

pub(super) fn jurisdiction(text: &str, field: &'static str) -> Result<Jurisdiction, WireDefect> {
    parse(text, field)
}

impl TryFrom<Option<pb::Grounds>> for Grounds {
    type Error = GroundsDefect;

    fn try_from(wire: Option<pb::Grounds>) -> Result<Self, GroundsDefect> {
        let wire = wire.ok_or(GroundsDefect::Purpose)?;
        let purpose = entry::purpose_from_wire(wire.purpose).ok_or(GroundsDefect::Purpose)?;
        Ok(Self {
            purpose,
            basis: wire.basis.parse()?,
        })
    }
}

// Exchange.

fn tree_to_wire(tree: &Tree) -> pb::VerifiedTree {
    pb::VerifiedTree {
        origin: tree.origin.clone(),
        size: tree.size,
        root: tree.root.as_bytes().to_vec().into(),
    }
}

fn tree_from_wire(tree: Option<pb::VerifiedTree>) -> Result<Tree, WireDefect> {
    let tree = tree.ok_or(WireDefect::Missing("verified"))?;
    let root = Hash::from_slice(&tree.root).map_err(|_| WireDefect::Malformed("verified.root"))?;
    Ok(Tree {
        origin: tree.origin,
        size: tree.size,
        root,
    })
}

/// Both sides begin a stream with the same fields.
macro_rules! greetings {
    ($($message:ident)+) => {
        $(
            impl TryFrom<pb::$message> for Greeting {
                type Error = WireDefect;

                fn try_from(said: pb::$message) -> Result<Self, WireDefect> {
                    short(said.checkpoint.len(), MAX_NOTE_BYTES, "checkpoint")?;
                    short(said.crl.len(), CRL_LIMIT, "crl")?;
                    short(said.witnessed.len(), WITNESSED_LIMIT, "witnessed")?;
                    short(said.asked.len(), WITNESSED_LIMIT, "asked")?;
                    Ok(Self {
                        protocol: said.protocol,
                        verified: tree_from_wire(said.verified)?,
                        crl: said.crl.into(),
                        witnessed: said.witnessed.into_iter().map(Into::into).collect(),
                        asked: said.asked,
                        checkpoint: said.checkpoint.into(),
                        time_s: said.time_s,
                    })
                }
            }

            impl From<Greeting> for pb::$message {
                fn from(greeting: Greeting) -> Self {
                    Self {
                        protocol: greeting.protocol,
                        verified: Some(tree_to_wire(&greeting.verified)),
                        crl: greeting.crl.into(),
                        witnessed: greeting.witnessed.into_iter().map(Into::into).collect(),
                        asked: greeting.asked,
                        checkpoint: greeting.checkpoint.into(),
                        time_s: greeting.time_s,
                    }
                }
            }
        )+
    };
}

greetings! { RelayHello RelayWelcome }

const fn short(length: usize, most: usize, field: &'static str) -> Result<(), WireDefect> {
    if length > most {
        Err(WireDefect::TooLong(field))
    } else {
        Ok(())
    }
}

fn proof(bytes: &[u8], field: &'static str) -> Result<Vec<Hash>, WireDefect> {
    merkle::proof_from_bytes(bytes).map_err(|_| WireDefect::Malformed(field))
}

fn links_to_wire(links: Vec<Link>) -> Vec<pb::LinkedTree> {
    let link = |link: Link| pb::LinkedTree {
        size: link.size,
        root: link.root.as_bytes().to_vec().into(),
        consistency: merkle::proof_to_bytes(&link.consistency).into(),
    };
    links.into_iter().map(link).collect()
}

fn links_from_wire(links: &[pb::LinkedTree]) -> Result<Vec<Link>, WireDefect> {
    if links.len() > LINKS_LIMIT {
        return Err(WireDefect::TooLong("linked"));
    }
    let link = |link: &pb::LinkedTree| {
        Ok(Link {
            size: link.size,
            root: Hash::from_slice(&link.root).map_err(|_| WireDefect::Malformed("linked.root"))?,
            consistency: proof(&link.consistency, "linked.consistency")?,
        })
    };
    links.iter().map(link).collect()
}

impl From<Delivery> for pb::Delivery {
    fn from(delivery: Delivery) -> Self {
        Self {
            sequence: delivery.sequence,
            checkpoint: delivery.checkpoint.into(),
            consistency: merkle::proof_to_bytes(&delivery.consistency).into(),
            dispatches: delivery
                .dispatches
                .into_iter()
                .map(|dispatch| pb::DeliveredDispatch {
                    index: dispatch.index,
                    entry: dispatch.entry.into(),
                    inclusion: merkle::proof_to_bytes(&dispatch.inclusion).into(),
                    ciphertext: dispatch.ciphertext.into(),
                    key: dispatch
                        .key
                        .map(|key| key.expose().to_vec())
                        .unwrap_or_default()
                        .into(),
                })
                .collect(),
            linked: links_to_wire(delivery.linked),
            verified_size: delivery.verified_size,
        }
    }
}

impl TryFrom<pb::Delivery> for Delivery {
    type Error = WireDefect;

    fn try_from(delivery: pb::Delivery) -> Result<Self, WireDefect> {
        Ok(Self {
            sequence: delivery.sequence,
            checkpoint: delivery.checkpoint.to_vec(),
            consistency: proof(&delivery.consistency, "consistency")?,
            dispatches: delivery
                .dispatches
                .into_iter()
                .map(|dispatch| {
                    Ok(DeliveredDispatch {
                        index: dispatch.index,
                        entry: dispatch.entry.to_vec(),
                        inclusion: proof(&dispatch.inclusion, "dispatches.inclusion")?,
                        ciphertext: dispatch.ciphertext.to_vec(),
                        key: PayloadKey::from_slice(&dispatch.key),
                    })
                })
                .collect::<Result<_, WireDefect>>()?,
            linked: links_from_wire(&delivery.linked)?,
            verified_size: delivery.verified_size,
        })
    }
}

const fn not_yet_to_wire(why: NotYet) -> pb::NotYet {
    match why {
        NotYet::Untimely => pb::NotYet::Untimely,
        NotYet::Follows => pb::NotYet::Follows,
        NotYet::Unable | NotYet::Unknown => pb::NotYet::Unable,
    }
}

/// A word that this node does not know passes as well.
fn not_yet_from_wire(value: i32) -> Option<NotYet> {
    Some(match pb::NotYet::try_from(value) {
        Ok(pb::NotYet::Unspecified) => return None,
        Ok(pb::NotYet::Untimely) => NotYet::Untimely,
        Ok(pb::NotYet::Follows) => NotYet::Follows,
        Ok(pb::NotYet::Unable) => NotYet::Unable,
        Err(_) => NotYet::Unknown,
    })
}

fn outcome_to_wire(answer: Answer) -> pb::Answer {
    match answer {
        Answer::Proof(proof) => pb::Answer {
            index: proof.index,
            entry: proof.entry.into(),
            inclusion: merkle::proof_to_bytes(&proof.inclusion).into(),
            not_yet: 0,
        },
        Answer::NotYet(why) => pb::Answer {
            not_yet: not_yet_to_wire(why).into(),
            ..pb::Answer::default()
        },
    }
}

fn outcome_from_wire(answer: pb::Answer) -> Result<Answer, WireDefect> {
    if let Some(why) = not_yet_from_wire(answer.not_yet) {
        return Ok(Answer::NotYet(why));
    }
    Ok(Answer::Proof(AnswerProof {
        index: answer.index,
        entry: answer.entry.to_vec(),
        inclusion: proof(&answer.inclusion, "answers.inclusion")?,
    }))
}

impl From<Answers> for pb::Answers {
    fn from(answers: Answers) -> Self {
        Self {
            sequence: answers.sequence,
            checkpoint: answers.checkpoint.into(),
            consistency: merkle::proof_to_bytes(&answers.consistency).into(),
            cosigned_at_s: answers.cosigned_at_s,
            cosignature: answers.cosignature.to_vec().into(),
            answers: answers.answers.into_iter().map(outcome_to_wire).collect(),
            linked: links_to_wire(answers.linked),
            verified_size: answers.verified_size,
        }
    }
}

impl TryFrom<pb::Answers> for Answers {
    type Error = WireDefect;

    fn try_from(answers: pb::Answers) -> Result<Self, WireDefect> {
        Ok(Self {
            sequence: answers.sequence,
            checkpoint: answers.checkpoint.to_vec(),
            consistency: proof(&answers.consistency, "consistency")?,
            cosigned_at_s: answers.cosigned_at_s,
            cosignature: answers
                .cosignature
                .as_ref()
                .try_into()
                .map_err(|_| WireDefect::Malformed("cosignature"))?,
            answers: answers
                .answers
                .into_iter()
                .map(outcome_from_wire)
                .collect::<Result<_, WireDefect>>()?,
            linked: links_from_wire(&answers.linked)?,
            verified_size: answers.verified_size,
        })
    }
}
