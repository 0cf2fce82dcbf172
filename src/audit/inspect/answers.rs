//! Checks answers to our dispatches: that the partner's log proves each, that it is about our very entry, and that the
//! partner vouched for this log as it is.

use super::{
    Inspector, RemarkCode,
    defect::{DefectCode, Fault},
};
use crate::{
    access::Principal,
    audit::reading::partner_entry,
    domain::{DispatchId, Jurisdiction},
    entry::{PartnerProof, Received, Refusal},
    merkle::{Hash, leaf_hash, verify_inclusion},
    note::{Checkpoint, Cosignature},
};

/// Who answered, which dispatch, and its index in this log.
type About = (Jurisdiction, DispatchId, u64);

impl Inspector<'_> {
    /// Only a proof without a defect answers a dispatch.
    pub(super) fn answered(
        &mut self,
        index: u64,
        about: About,
        refusal: Option<Refusal>,
        proof: &PartnerProof,
    ) {
        let checked = self.check_answer(index, about, refusal, proof);
        if self.report(index, checked).is_some() {
            let (_, _, sent_index) = about;
            self.unanswered.remove(&sent_index);
        }
    }

    fn check_answer(
        &mut self,
        index: u64,
        (to, dispatch_id, sent_index): About,
        refusal: Option<Refusal>,
        proof: &PartnerProof,
    ) -> Result<(), Fault> {
        let sent = self
            .unanswered
            .get(&sent_index)
            .ok_or_else(|| DefectCode::AnswerWithoutDispatch.with(sent_index))?;
        if (sent.to, sent.dispatch_id) != (to, dispatch_id) {
            return Err(DefectCode::AnswerToAnotherDispatch.with(sent_index));
        }
        let (our_leaf, is_too_long) = (sent.leaf_hash, sent.is_too_long);
        let signer = self.partners.signer(&proof.checkpoint, &proof.signature)?;
        if signer.code != to {
            return Err(DefectCode::PartnerSignature.with(format_args!(
                "it is that of {}, the answer is for {to}",
                signer.code
            )));
        }
        if signer.is_earlier_key {
            self.findings.remark(index, RemarkCode::EarlierKey);
        }
        verify_inclusion(
            &leaf_hash(&proof.partner_entry),
            proof.partner_index,
            proof.checkpoint.size,
            &proof.inclusion,
            &proof.checkpoint.root,
        )
        .map_err(|error| DefectCode::NotIncluded.with(error))?;
        let answer = partner_entry(proof)
            .filter(|answer| answer.principal == Principal::node(to) && answer.refusal == refusal)
            .ok_or(DefectCode::PartnerEntry)?;
        let received = &answer.received;
        // Only a refusal of an oversized leaf does not repeat it.
        let not_kept = is_too_long && refusal.is_some() && received.sender_entry.is_empty();
        if received.sender_index != sent_index || !(not_kept || received.leaf_hash() == our_leaf) {
            return Err(DefectCode::AnswerOfAnotherLeaf.into());
        }
        if not_kept {
            self.findings.remark(index, RemarkCode::LeafNotKept);
        }
        self.check_own_statement(index, received, &our_leaf)?;
        self.check_cosigned(index, to, sent_index, proof)
    }

    /// Checks that the checkpoint of ours in the partner's entry is signed by us, contains our dispatch, and is of this
    /// log.
    fn check_own_statement(
        &mut self,
        index: u64,
        received: &Received,
        our_leaf: &Hash,
    ) -> Result<(), Fault> {
        let stated = &received.checkpoint;
        let verified_before = self
            .own_checkpoint
            .as_ref()
            .is_some_and(|(known, by)| (known, by) == (stated, &received.signature));
        if !verified_before {
            self.key
                .verify_signature(stated, &received.signature)
                .map_err(|error| DefectCode::OwnSignature.with(error))?;
            self.own_checkpoint = Some((stated.clone(), received.signature));
        }
        verify_inclusion(
            our_leaf,
            received.sender_index,
            stated.size,
            &received.inclusion,
            &stated.root,
        )
        .map_err(|error| DefectCode::NotIncluded.with(error))?;
        self.compare_root(index, stated.size, &stated.root)
    }

    /// Checks that the checkpoint that the partner cosigned contains our dispatch and is of this log.
    fn check_cosigned(
        &mut self,
        index: u64,
        to: Jurisdiction,
        sent_index: u64,
        proof: &PartnerProof,
    ) -> Result<(), Fault> {
        if proof.cosigned_size <= sent_index {
            return Err(DefectCode::Cosignature.with(format_args!(
                "it is of {} entries, the dispatch is entry {sent_index}",
                proof.cosigned_size
            )));
        }
        let checkpoint = Checkpoint {
            origin: self.key.name().to_owned(),
            size: proof.cosigned_size,
            root: proof.cosigned_root,
        };
        let cosignature = Cosignature {
            at_seconds: proof.cosigned_at_s,
            signature: proof.cosignature,
        };
        self.partners.cosigned(to, &checkpoint, &cosignature)?;
        self.compare_root(index, checkpoint.size, &checkpoint.root)
    }

    fn compare_root(&mut self, index: u64, size: u64, root: &Hash) -> Result<(), Fault> {
        if !self.roots.compare(size, root)? {
            self.findings.remark(index, RemarkCode::RootNotCompared);
        }
        Ok(())
    }
}
