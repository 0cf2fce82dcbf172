//! Checks dispatches that arrived: that the sender's log proves each, and that it was for us. And evidence against
//! partners.

use super::{
    Evidence, Inspector, RemarkCode,
    defect::{DefectCode, Fault},
};
use crate::{
    audit::reading::sent_entry,
    domain::Jurisdiction,
    entry::{Received, Refusal},
    merkle::{ProofInvalid, verify_inclusion},
    note::Checkpoint,
};

type Statement = (Checkpoint, [u8; 64]);

impl Inspector<'_> {
    pub(super) fn arrived(&mut self, index: u64, received: &Received, refused: Option<Refusal>) {
        let checked = self.check_arrival(index, received, refused);
        self.report(index, checked);
    }

    fn check_arrival(
        &mut self,
        index: u64,
        received: &Received,
        refused: Option<Refusal>,
    ) -> Result<(), Fault> {
        let signer = self
            .partners
            .signer(&received.checkpoint, &received.signature)?;
        if signer.is_earlier_key {
            self.findings.remark(index, RemarkCode::EarlierKey);
        }
        if received.sender_entry.is_empty() && refused.is_some() {
            let (at, size) = (received.sender_index, received.checkpoint.size);
            if at >= size {
                let nowhere = ProofInvalid::NoSuchLeaf { index: at, size };
                return Err(DefectCode::NotIncluded.with(nowhere));
            }
            self.findings.remark(index, RemarkCode::LeafNotKept);
            return Ok(());
        }
        verify_inclusion(
            &received.leaf_hash(),
            received.sender_index,
            received.checkpoint.size,
            &received.inclusion,
            &received.checkpoint.root,
        )
        .map_err(|error| DefectCode::NotIncluded.with(error))?;
        let verdict = judge(&received.sender_entry, signer.code, self.own);
        match (refused, verdict) {
            (None, Ok(())) => Ok(()),
            (None, Err(reason)) => Err(DefectCode::NotADispatch.with(reason.as_str())),
            (Some(stated), verdict) => {
                if !bears_out(stated, verdict) {
                    self.findings
                        .remark(index, RemarkCode::RefusalNotReproduced);
                }
                Ok(())
            }
        }
    }

    /// Checks that both statements are the partner's, and differ. For two sizes the log does not hold the proof of the
    /// contradiction; then the evidence says so.
    pub(super) fn evidence(
        &mut self,
        index: u64,
        jurisdiction: Jurisdiction,
        (first, second): (&Statement, &Statement),
        shown_by: Option<Jurisdiction>,
    ) {
        let checked = self.check_evidence(jurisdiction, first, second);
        let holds = self.report(index, checked).is_some();
        let (first, second) = (&first.0, &second.0);
        self.tally.evidence.push(Evidence {
            index,
            jurisdiction,
            shown_by,
            sizes: [first.size, second.size],
            roots: [first.root.to_string(), second.root.to_string()],
            proves_two_versions: holds && first.size == second.size,
        });
    }

    fn check_evidence(
        &self,
        jurisdiction: Jurisdiction,
        first: &Statement,
        second: &Statement,
    ) -> Result<(), Fault> {
        for (checkpoint, signature) in [first, second] {
            self.partners
                .verify(jurisdiction, checkpoint, signature)
                .map_err(|_| DefectCode::Evidence.with("a signature does not verify"))?;
        }
        let (first, second) = (&first.0, &second.0);
        if first.origin != second.origin || (first.size, first.root) == (second.size, second.root) {
            return Err(DefectCode::Evidence.with("the two do not contradict each other"));
        }
        Ok(())
    }
}

/// Judges what can be judged of a dispatch by its public entry alone.
fn judge(leaf: &[u8], from: Jurisdiction, to: Jurisdiction) -> Result<(), Refusal> {
    let entry = sent_entry(leaf).ok_or(Refusal::Malformed)?;
    if entry.sent.from != from || entry.sent.to != to || entry.cause.jurisdiction() != from {
        return Err(Refusal::Misaddressed);
    }
    // Every dispatch has a person's purpose.
    if !entry.has_grounds {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// Whether the reason stated for a refusal agrees with the public entry. Reasons that rest on the payload, or on what
/// the node held before, cannot be judged by it.
fn bears_out(stated: Refusal, verdict: Result<(), Refusal>) -> bool {
    match stated {
        Refusal::Malformed | Refusal::Misaddressed => verdict == Err(stated),
        Refusal::PayloadMismatch
        | Refusal::Conflict
        | Refusal::ChangedContent
        | Refusal::InvalidContent
        | Refusal::NotAllowed
        | Refusal::Untimely => verdict.is_ok(),
    }
}
