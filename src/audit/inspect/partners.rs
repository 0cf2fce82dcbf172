//! The partners according to the log under inspection, and who signed what.

use super::defect::{DefectCode, Fault};
use crate::{
    access::{Principal, Role},
    audit::reading::owner_of,
    casework::CardReader,
    domain::Jurisdiction,
    entry::{AbandonedLog, PartnerChange},
    merkle::Hash,
    note::{Checkpoint, Cosignature, VerifierKey},
    seal,
};
use std::collections::BTreeMap;

/// Drafts, approved keys, and the newest checkpoint seen of each partner: memory grows with partners alone.
#[derive(Debug)]
pub(super) struct PartnerTracker<'a> {
    own: Jurisdiction,
    cards: &'a dyn CardReader,
    /// The auditor's own keys of partners. They take precedence over whatever the log says.
    pinned: BTreeMap<Jurisdiction, Vec<VerifierKey>>,
    drafts: BTreeMap<Jurisdiction, Draft>,
    /// The drafted change to each partner, and who drafted it.
    changes: BTreeMap<Jurisdiction, (PartnerChange, Hash, Principal)>,
    /// Newest last. Earlier ones count: a stream that was open when a new card was approved continues under the old
    /// one.
    approved: BTreeMap<Jurisdiction, Vec<VerifierKey>>,
    newest: BTreeMap<String, (u64, Hash)>,
    /// Statements verified last. One signature covers a whole delivery, so this saves most of the work.
    checkpoints: BTreeMap<Jurisdiction, (Checkpoint, [u8; 64], Signer)>,
    cosignatures: BTreeMap<Jurisdiction, (Checkpoint, Cosignature)>,
}

#[derive(Debug)]
struct Draft {
    card_sha256: [u8; 32],
    by: Principal,
    key: VerifierKey,
}

/// Who signed a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) code: Jurisdiction,
    /// With a key that a newer card replaced, and that the auditor does not hold.
    pub(super) is_earlier_key: bool,
}

impl<'a> PartnerTracker<'a> {
    pub(super) fn new(
        own: Jurisdiction,
        pinned: BTreeMap<Jurisdiction, Vec<VerifierKey>>,
        cards: &'a dyn CardReader,
    ) -> Self {
        Self {
            own,
            cards,
            pinned,
            drafts: BTreeMap::new(),
            changes: BTreeMap::new(),
            approved: BTreeMap::new(),
            newest: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            cosignatures: BTreeMap::new(),
        }
    }

    pub(super) fn propose(&mut self, card: &[u8], by: &Principal) -> Result<(), Fault> {
        let partner = self
            .cards
            .read(card)
            .map_err(|error| DefectCode::Card.with(error))?;
        if partner.code == self.own {
            return Err(DefectCode::Card.with("it is this node's own"));
        }
        if owner_of(partner.key.name()) != Some(partner.code) {
            return Err(DefectCode::Card.with("its log key is named after another jurisdiction"));
        }
        let draft = Draft {
            card_sha256: seal::sha256(card),
            by: by.clone(),
            key: partner.key,
        };
        self.drafts.insert(partner.code, draft);
        Ok(())
    }

    /// The key counts from here on even if the approval was wrong: the node accepted it too, and one wrong approval is
    /// one defect.
    pub(super) fn approve(
        &mut self,
        code: Jurisdiction,
        (card_sha256, abandoned): (&[u8; 32], Option<&AbandonedLog>),
        by: &Principal,
    ) -> Result<(), Fault> {
        let draft = self
            .drafts
            .get(&code)
            .filter(|draft| draft.card_sha256 == *card_sha256)
            .ok_or(DefectCode::ApprovalWithoutDraft)?;
        let same_person = draft.by == *by;
        let not_pinned = self
            .pinned
            .get(&code)
            .is_some_and(|keys| !keys.contains(&draft.key));
        let keys = self.approved.entry(code).or_default();
        keys.retain(|known| *known != draft.key);
        keys.push(draft.key.clone());
        self.drafts.remove(&code);
        self.changes.remove(&code);
        if by.role() != Role::Supervisor {
            return Err(DefectCode::ApproverNotSupervisor.into());
        }
        if same_person {
            return Err(DefectCode::ApproverDraftedIt.into());
        }
        if not_pinned {
            return Err(DefectCode::KeyNotPinned.into());
        }
        if abandoned.is_some_and(|log| owner_of(&log.origin) != Some(code)) {
            return Err(DefectCode::Card.with("it replaces a log of another jurisdiction"));
        }
        Ok(())
    }

    pub(super) fn suspend(&mut self, code: Jurisdiction, by: &Principal) -> Result<(), Fault> {
        self.changes.remove(&code);
        if !self.is_partner(code) {
            return Err(DefectCode::UnknownPartner.with(code));
        }
        if by.role() != Role::Supervisor {
            return Err(DefectCode::ApproverNotSupervisor.into());
        }
        Ok(())
    }

    pub(super) fn draft_change(
        &mut self,
        code: Jurisdiction,
        (change, draft): (PartnerChange, Hash),
        by: &Principal,
    ) -> Result<(), Fault> {
        self.changes.insert(code, (change, draft, by.clone()));
        if self.is_partner(code) {
            Ok(())
        } else {
            Err(DefectCode::UnknownPartner.with(code))
        }
    }

    /// As with cards: one person drafted, another approved, who is a supervisor.
    pub(super) fn change(
        &mut self,
        code: Jurisdiction,
        (change, draft): (PartnerChange, Hash),
        by: &Principal,
    ) -> Result<(), Fault> {
        let (_, _, drafter) = self
            .changes
            .remove(&code)
            .filter(|(wanted, hash, _)| (*wanted, *hash) == (change, draft))
            .ok_or(DefectCode::ApprovalWithoutDraft)?;
        if by.role() != Role::Supervisor {
            return Err(DefectCode::ApproverNotSupervisor.into());
        }
        if drafter == *by {
            return Err(DefectCode::ApproverDraftedIt.into());
        }
        Ok(())
    }

    pub(super) fn is_partner(&self, code: Jurisdiction) -> bool {
        self.approved.contains_key(&code)
    }

    /// Keys that count for a partner, newest first: the auditor's, or else what was approved.
    fn keys(&self, code: Jurisdiction) -> impl Iterator<Item = &VerifierKey> {
        let approved = self.approved.get(&code).map_or(&[][..], Vec::as_slice);
        let counting = match self.pinned.get(&code) {
            Some(pinned) if self.is_partner(code) => pinned,
            Some(_) | None => approved,
        };
        counting.iter().rev()
    }

    /// Keys of partners for which the auditor has none: only the log itself says that they are these partners'.
    pub(super) fn keys_from_log(&self) -> Vec<String> {
        let unheld = self.approved.iter();
        let unheld = unheld.filter(|(code, _)| !self.pinned.contains_key(code));
        unheld
            .flat_map(|(_, keys)| keys)
            .map(VerifierKey::to_string)
            .collect()
    }

    /// The owner of a checkpoint, after its signature is verified.
    pub(super) fn signer(
        &mut self,
        checkpoint: &Checkpoint,
        signature: &[u8; 64],
    ) -> Result<Signer, Fault> {
        let code = owner_of(&checkpoint.origin).ok_or(DefectCode::UnknownPartner)?;
        if let Some((known, by, signer)) = self.checkpoints.get(&code)
            && (known, by) == (checkpoint, signature)
        {
            return Ok(*signer);
        }
        let signer = self.verify(code, checkpoint, signature)?;
        let tree = (checkpoint.size, checkpoint.root);
        match self.newest.get(&checkpoint.origin) {
            Some((size, root)) if *size == tree.0 && *root != tree.1 => {
                return Err(DefectCode::PartnerForked.with(format_args!("size {size}")));
            }
            Some((size, _)) if *size > tree.0 => {}
            Some(_) | None => {
                self.newest.insert(checkpoint.origin.clone(), tree);
            }
        }
        self.checkpoints
            .insert(code, (checkpoint.clone(), *signature, signer));
        Ok(signer)
    }

    /// Verifies the signature alone.
    pub(super) fn verify(
        &self,
        code: Jurisdiction,
        checkpoint: &Checkpoint,
        signature: &[u8; 64],
    ) -> Result<Signer, Fault> {
        if !self.is_partner(code) {
            return Err(DefectCode::UnknownPartner.with(code));
        }
        self.keys(code)
            .position(|key| key.verify_signature(checkpoint, signature).is_ok())
            .map(|position| Signer {
                code,
                is_earlier_key: position > 0 && !self.pinned.contains_key(&code),
            })
            .ok_or_else(|| DefectCode::PartnerSignature.with(code))
    }

    /// Verifies that this partner cosigned this checkpoint of ours.
    pub(super) fn cosigned(
        &mut self,
        code: Jurisdiction,
        checkpoint: &Checkpoint,
        cosignature: &Cosignature,
    ) -> Result<(), Fault> {
        if let Some((known, by)) = self.cosignatures.get(&code)
            && (known, by) == (checkpoint, cosignature)
        {
            return Ok(());
        }
        if !self
            .keys(code)
            .any(|key| key.verify_cosignature(checkpoint, cosignature).is_ok())
        {
            return Err(DefectCode::Cosignature.with(code));
        }
        self.cosignatures
            .insert(code, (checkpoint.clone(), *cosignature));
        Ok(())
    }
}
