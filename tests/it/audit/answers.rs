//! Lies about what a partner answered, and in the proofs of it.

use super::{
    tampering::Lie,
    two_logs::{COUNTY, HandLog, PROVINCE, code, node, partners, person, proof_in, signer},
};
use yichuan::{
    access::Role,
    audit::DefectCode as D,
    domain::DispatchId,
    entry::{Kind, Refusal},
    merkle::{Hash, inclusion_proof},
    note::{Checkpoint, LogSigner},
};

/// What a county logs of a received lead, after this was done to it.
pub(crate) fn answer(change: impl FnOnce(&mut HandLog, &mut HandLog, u64) -> Kind) -> HandLog {
    let (mut county, mut province) = partners();
    let sent = county.send(PROVINCE, 1);
    let kind = change(&mut county, &mut province, sent);
    county.append(node(COUNTY), kind);
    county
}

pub(crate) fn answer_lies() -> Vec<Lie> {
    vec![
        (
            "a receipt for what was not sent",
            answer(|county, province, sent| {
                let received = province.receive(county, sent);
                let mut kind = county.answer(province, sent, received);
                if let Kind::ReceiptLogged { sent_index, .. } = &mut kind {
                    *sent_index = 0;
                }
                kind
            }),
            D::AnswerWithoutDispatch,
        ),
        (
            "a second receipt",
            answer(|county, province, sent| {
                let received = province.receive(county, sent);
                county.log_answer(province, sent, received);
                county.answer(province, sent, received)
            }),
            D::AnswerWithoutDispatch,
        ),
        (
            "a receipt for another dispatch id",
            answer(|county, province, sent| {
                let received = province.receive(county, sent);
                let mut kind = county.answer(province, sent, received);
                if let Kind::ReceiptLogged { dispatch_id, .. } = &mut kind {
                    *dispatch_id = DispatchId::from([9; 16]);
                }
                kind
            }),
            D::AnswerToAnotherDispatch,
        ),
        (
            "the receipt of another dispatch",
            answer(|county, province, sent| {
                let other = county.send(PROVINCE, 2);
                let received = province.receive(county, other);
                county.answer(province, sent, received)
            }),
            D::AnswerOfAnotherLeaf,
        ),
        (
            "a receipt of altered bytes",
            answer(|county, province, sent| {
                let mut received = county.proved(sent);
                received.sender_entry[20] ^= 1;
                let received = province.append(node(PROVINCE), Kind::DispatchReceived(received));
                county.answer(province, sent, received)
            }),
            D::AnswerOfAnotherLeaf,
        ),
        (
            "a receipt for another index",
            answer(|county, province, sent| {
                let mut received = county.proved(sent);
                received.sender_index += 1;
                let received = province.append(node(PROVINCE), Kind::DispatchReceived(received));
                county.answer(province, sent, received)
            }),
            D::AnswerOfAnotherLeaf,
        ),
        (
            "a receipt that the partner's node did not write",
            answer(|county, province, sent| {
                let kind = Kind::DispatchReceived(county.proved(sent));
                let received = province.append(person(PROVINCE, Role::Officer, "1"), kind);
                county.answer(province, sent, received)
            }),
            D::PartnerEntry,
        ),
        (
            "a refusal passed off as a receipt",
            answer(|county, province, sent| {
                let refused = province.refuse(county, sent, Refusal::NotAllowed);
                Kind::ReceiptLogged {
                    to: code(PROVINCE),
                    dispatch_id: DispatchId::from([1; 16]),
                    sent_index: sent,
                    proof: county.proof(province, refused),
                }
            }),
            D::PartnerEntry,
        ),
        (
            "a refusal for another reason",
            answer(|county, province, sent| {
                let refused = province.refuse(county, sent, Refusal::NotAllowed);
                let mut kind = county.answer(province, sent, refused);
                if let Kind::RefusalLogged { reason, .. } = &mut kind {
                    *reason = Refusal::Conflict;
                }
                kind
            }),
            D::PartnerEntry,
        ),
        (
            "a refusal by an entry that leaves out a dispatch short enough to be kept",
            answer(|county, province, sent| {
                let mut received = county.proved(sent);
                received.sender_entry = Vec::new();
                let reason = Refusal::Malformed;
                let kind = Kind::DispatchRefused { received, reason };
                let refused = province.append(node(PROVINCE), kind);
                county.answer(province, sent, refused)
            }),
            D::AnswerOfAnotherLeaf,
        ),
    ]
}

/// What is wrong is not the story but a proof or a signature.
pub(crate) fn proof_lies() -> Vec<Lie> {
    /// A receipt whose proof was changed.
    fn receipt(change: impl FnOnce(&HandLog, &HandLog, &mut Kind)) -> HandLog {
        answer(|county, province, sent| {
            let received = province.receive(county, sent);
            let mut kind = county.answer(province, sent, received);
            change(county, province, &mut kind);
            kind
        })
    }
    /// Cosigns this checkpoint of the county instead.
    fn cosign(kind: &mut Kind, by: &LogSigner, size: u64, root: Hash) {
        let proof = proof_in(kind);
        let checkpoint = Checkpoint {
            origin: "520624.yichuan/log/1".to_owned(),
            size,
            root,
        };
        proof.cosignature = by.cosign(&checkpoint, proof.cosigned_at_s).signature;
        (proof.cosigned_size, proof.cosigned_root) = (size, root);
    }
    vec![
        (
            "a receipt signed with a foreign key",
            answer(|county, province, sent| {
                let received = province.receive(county, sent);
                province.signer = signer(PROVINCE, 1);
                county.answer(province, sent, received)
            }),
            D::PartnerSignature,
        ),
        (
            "a receipt proved by the sender's own log",
            answer(|county, _, sent| {
                let mut own = HandLog::started(COUNTY);
                let received = own.receive(county, sent);
                let mut kind = county.answer(&own, sent, received);
                if let Kind::ReceiptLogged { to, .. } = &mut kind {
                    *to = code(PROVINCE);
                }
                kind
            }),
            D::UnknownPartner,
        ),
        (
            "a wrong index in the partner's log",
            receipt(|_, _, kind| proof_in(kind).partner_index -= 1),
            D::NotIncluded,
        ),
        (
            "a partner's entry that is not in its tree",
            receipt(|_, _, kind| proof_in(kind).inclusion[0] = Hash::from([1; 32])),
            D::NotIncluded,
        ),
        (
            "a cosignature by another key",
            receipt(|county, _, kind| {
                let head = county.head();
                cosign(kind, &signer(PROVINCE, 1), head.size(), *head.root());
            }),
            D::Cosignature,
        ),
        (
            "a cosignature dated otherwise",
            receipt(|_, _, kind| proof_in(kind).cosigned_at_s += 1),
            D::Cosignature,
        ),
        (
            "a cosignature from before the dispatch",
            receipt(|county, province, kind| {
                let head = county.head_at(county.size() - 1);
                cosign(kind, &province.signer, head.size(), *head.root());
            }),
            D::Cosignature,
        ),
        (
            "a cosigned tree that is not this log's",
            receipt(|county, province, kind| {
                cosign(kind, &province.signer, county.size(), Hash::from([1; 32]));
            }),
            D::RootMismatch,
        ),
        (
            "a cosigned tree larger than this log",
            receipt(|county, province, kind| {
                let root = *county.head().root();
                cosign(kind, &province.signer, county.size() + 1, root);
            }),
            D::RootMismatch,
        ),
        (
            "a partner that was shown another version of this log",
            answer(|county, province, sent| {
                // The same dispatch at the same index, after another history.
                let mut fork = HandLog::started(COUNTY);
                for number in 2..county.size() {
                    fork.append_leaf(if number == sent {
                        county.leaf(sent)
                    } else {
                        vec![0; 3]
                    });
                }
                let received = province.receive(&fork, sent);
                county.answer(province, sent, received)
            }),
            D::RootMismatch,
        ),
        (
            "a partner that was shown a checkpoint of another key",
            answer(|county, province, sent| {
                let mut received = county.proved(sent);
                received.signature = *signer(COUNTY, 1).sign(1, Hash::from([1; 32])).signature();
                let received = province.append(node(PROVINCE), Kind::DispatchReceived(received));
                county.answer(province, sent, received)
            }),
            D::OwnSignature,
        ),
        (
            "a partner that was shown no proof of the dispatch",
            answer(|county, province, sent| {
                let mut received = county.proved(sent);
                received.inclusion = inclusion_proof(&county.tree, 0, county.size()).unwrap();
                let received = province.append(node(PROVINCE), Kind::DispatchReceived(received));
                county.answer(province, sent, received)
            }),
            D::NotIncluded,
        ),
    ]
}
