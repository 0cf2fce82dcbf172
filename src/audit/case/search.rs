//! Selects the entries that a case file is to prove, and assembles their proofs.

use super::{CaseFile, MAX_PROOFS};
use crate::{
    audit::{
        reading::{owner_of, partner_entry},
        row::Subject,
    },
    casework::CardReader,
    entry::{Entry, Kind, PartnerProof, Received},
    merkle::Hash,
    note::{Checkpoint, Cosignature, SignedCheckpoint, TlogProof, VerifierKey},
};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The entry at this index, whatever it is.
    Entry(u64),
    /// The dispatch with this id, or all dispatches of the record with this id, with their answers, and with the draft
    /// and approval of a transfer.
    Id([u8; 16]),
}

/// Why no case file was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// No entry is about it.
    #[error("nothing in the log is about it: is it an id of this node's log?")]
    Nothing,
    /// More than [`MAX_PROOFS`].
    #[error("the log has more than {MAX_PROOFS} entries about it: prove its dispatches one by one")]
    TooMany,
    /// Neither the auditor nor the log names the key that made this signature.
    #[error(
        "neither the keys given nor the cards in the log have the one that signed for {origin}: compare the key with that \
         jurisdiction, and give its card"
    )]
    NoKey {
        /// The partner's log.
        origin: String,
    },
    /// The log gave fewer or more proofs than were asked for.
    #[error("the log gave proofs for other entries than were asked for")]
    Proofs,
}

/// Searches a log, leaf by leaf, for the entries wanted. Memory grows with these and with the partners.
#[derive(Debug)]
pub struct Search<'a> {
    wanted: Wanted,
    cards: &'a dyn CardReader,
    own: VerifierKey,
    /// The auditor's keys, and for other logs those that this log names.
    partners: Vec<VerifierKey>,
    /// Logs whose keys the auditor holds: what this log says about them does not count.
    held: BTreeSet<String>,
    next: u64,
    found: Vec<Own>,
}

/// An entry of the log that was searched.
#[derive(Debug)]
struct Own {
    index: u64,
    leaf: Vec<u8>,
    /// `None` if this program cannot read it.
    kind: Option<Kind>,
}

impl<'a> Search<'a> {
    /// Searches the log with this key; `partners` are keys that the auditor holds.
    pub fn new(
        wanted: Wanted,
        own: VerifierKey,
        partners: Vec<VerifierKey>,
        cards: &'a dyn CardReader,
    ) -> Self {
        Self {
            wanted,
            cards,
            own,
            held: partners.iter().map(|key| key.name().to_owned()).collect(),
            partners,
            next: 0,
            found: Vec::new(),
        }
    }

    /// Takes the next leaf, from the first on.
    ///
    /// # Errors
    /// Too much is wanted at once.
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), SearchError> {
        let index = self.next;
        self.next += 1;
        let kind = Entry::decode(leaf).ok().map(|entry| entry.kind);
        if let Some(Kind::PartnerProposed { card }) = &kind
            && let Ok(partner) = self.cards.read(card)
            && !self.held.contains(partner.key.name())
            && !self.partners.contains(&partner.key)
        {
            self.partners.push(partner.key);
        }
        let is_wanted = match self.wanted {
            Wanted::Entry(wanted) => wanted == index,
            Wanted::Id(id) => kind.as_ref().is_some_and(|kind| is_of(kind, &id)),
        };
        if !is_wanted {
            return Ok(());
        }
        // Each may need an entry of the partner's log too.
        if self.found.len() >= MAX_PROOFS / 2 {
            return Err(SearchError::TooMany);
        }
        self.found.push(Own {
            index,
            leaf: leaf.to_vec(),
            kind,
        });
        Ok(())
    }

    /// The entries found.
    ///
    /// # Errors
    /// There are none.
    pub fn finish(self) -> Result<Found, SearchError> {
        if self.found.is_empty() {
            return Err(SearchError::Nothing);
        }
        let mut witnessed = BTreeMap::new();
        for own in &self.found {
            let answer = match &own.kind {
                Some(
                    Kind::ReceiptLogged {
                        sent_index, proof, ..
                    }
                    | Kind::RefusalLogged {
                        sent_index, proof, ..
                    },
                ) => (*sent_index, proof),
                Some(_) | None => continue,
            };
            if let Some(note) = witnessed_note(&self.own, &self.partners, answer.1) {
                witnessed.insert(answer.0, note);
            }
        }
        Ok(Found {
            own: self.own,
            partners: self.partners,
            entries: self.found,
            witnessed,
        })
    }
}

fn is_of(kind: &Kind, id: &[u8; 16]) -> bool {
    // An approval does not name a dispatch; the next entry is of the same record.
    if let Kind::ReferralApproved { record, .. } = kind {
        return record.as_bytes() == id;
    }
    Subject::of(kind).is_of(id)
}

/// The checkpoint of ours to which a partner's answer refers, which its own entry keeps: nobody can replace it later.
/// With the partner's cosignature, if that is on the same tree; a dispatch that was delivered again is answered with
/// the old entry and a cosignature on a newer tree. `None` if a signature is wrong.
fn witnessed_note(
    own: &VerifierKey,
    partners: &[VerifierKey],
    proof: &PartnerProof,
) -> Option<(u64, String)> {
    let received = partner_entry(proof)?.received;
    let stated = own
        .verify_parts(&received.checkpoint, &received.signature)
        .ok()?;
    let note = stated.note().to_owned();
    if (proof.cosigned_size, proof.cosigned_root) != (stated.size(), *stated.root()) {
        return Some((stated.size(), note));
    }
    let cosignature = Cosignature {
        at_seconds: proof.cosigned_at_s,
        signature: proof.cosignature,
    };
    let partner = partners.iter().find(|key| {
        key.verify_cosignature(&received.checkpoint, &cosignature)
            .is_ok()
            && owner_of(key.name()) == owner_of(&proof.checkpoint.origin)
    })?;
    let name = owner_of(partner.name())?.trust_domain();
    let line = cosignature.line(&name, partner).ok()?;
    Some((stated.size(), note + &line))
}

/// Entries that were found and are still to be proved.
#[derive(Debug)]
pub struct Found {
    own: VerifierKey,
    partners: Vec<VerifierKey>,
    entries: Vec<Own>,
    /// By the index of a dispatch: size and note of a tree with it that the recipient answered for.
    witnessed: BTreeMap<u64, (u64, String)>,
}

/// The tree under which an entry is proved: the one that the recipient of the next dispatch answered for, which
/// contains the entry too. So a draft and its approval, which nobody else has seen, are proved in the tree with which
/// the dispatch was delivered. `None` if no such tree is known; then the newest is used.
fn tree_of(witnessed: &BTreeMap<u64, (u64, String)>, index: u64) -> Option<&(u64, String)> {
    witnessed.range(index..).next().map(|(_, tree)| tree)
}

impl Found {
    /// The inclusion proofs that are needed, each an index and a tree's size, under this newest checkpoint of the log.
    pub fn needed(&self, head: &SignedCheckpoint) -> Vec<(u64, u64)> {
        let size = |index| tree_of(&self.witnessed, index).map_or(head.size(), |(size, _)| *size);
        let each = self.entries.iter().map(|own| own.index);
        each.map(|index| (index, size(index))).collect()
    }

    /// Makes the case file, and returns the keys that it rests on as the log names them: only somebody who has them
    /// from the jurisdictions themselves knows what it proves. Takes the proofs that [`Found::needed`] names, in its
    /// order.
    ///
    /// # Errors
    /// Proofs are missing, or the log does not name the key of a partner who signed something in it.
    pub fn into_case(
        self,
        head: &SignedCheckpoint,
        proofs: Vec<Vec<Hash>>,
    ) -> Result<(CaseFile, Vec<VerifierKey>), SearchError> {
        if proofs.len() != self.entries.len() {
            return Err(SearchError::Proofs);
        }
        let mut case = CaseFile::default();
        let mut of_others = Vec::new();
        for (own, hashes) in self.entries.into_iter().zip(proofs) {
            let witnessed = tree_of(&self.witnessed, own.index);
            let note = witnessed.map_or_else(|| head.note(), |(_, note)| note.as_str());
            case.add(TlogProof {
                extra: own.leaf,
                index: own.index,
                hashes,
                note: note.to_owned(),
            });
            match own.kind {
                Some(Kind::DispatchReceived(received) | Kind::DispatchRefused { received, .. }) => {
                    of_others.extend(senders_proof(received, &self.partners)?)
                }
                Some(Kind::ReceiptLogged { proof, .. } | Kind::RefusalLogged { proof, .. }) => {
                    of_others.push(partners_proof(proof, &self.partners)?);
                }
                Some(_) | None => {}
            }
        }
        // After all of our own: if an entry of ours comes back inside theirs, our proof is the better one.
        of_others.into_iter().for_each(|proof| case.add(proof));
        let keys = [self.own].into_iter().chain(self.partners).collect();
        Ok((case, keys))
    }
}

/// The proof of the sender's entry; `None` if it was too long to be kept.
fn senders_proof(
    received: Received,
    partners: &[VerifierKey],
) -> Result<Option<TlogProof>, SearchError> {
    if received.sender_entry.is_empty() {
        return Ok(None);
    }
    Ok(Some(TlogProof {
        note: note(&received.checkpoint, &received.signature, partners)?,
        extra: received.sender_entry,
        index: received.sender_index,
        hashes: received.inclusion,
    }))
}

fn partners_proof(proof: PartnerProof, partners: &[VerifierKey]) -> Result<TlogProof, SearchError> {
    Ok(TlogProof {
        note: note(&proof.checkpoint, &proof.signature, partners)?,
        extra: proof.partner_entry,
        index: proof.partner_index,
        hashes: proof.inclusion,
    })
}

/// Rebuilds the note of a checkpoint that was stored in parts.
fn note(
    checkpoint: &Checkpoint,
    signature: &[u8; 64],
    partners: &[VerifierKey],
) -> Result<String, SearchError> {
    partners
        .iter()
        .find_map(|key| key.verify_parts(checkpoint, signature).ok())
        .map(|signed| signed.note().to_owned())
        .ok_or_else(|| SearchError::NoKey {
            origin: checkpoint.origin.clone(),
        })
}
