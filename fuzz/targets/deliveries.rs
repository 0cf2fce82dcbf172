//! What partners' nodes say of dispatches: deliveries, and the answers to ours.

use super::{
    input::{Input, edit, nameless},
    payloads::content_is_read,
    reading::{Relayed, relay_request},
    world::{
        COUNTY, KEY, PROVINCE, Tree, code, entry, lead_sent, node, officer, partner, plaintext,
        sealed, sender, signer, started,
    },
};
use prost::{Message as _, bytes::Bytes};
use yichuan::{
    domain::{DispatchId, Handling, ReturnReason, Urgency, sign_within_seconds},
    entry::{DispatchAction, DispatchSent, Entry, Kind, Received, Refusal},
    exchange::{
        AnswerProof, AnswerVerifier, DeliveredDispatch, Delivery, Proved, Tree as Verified,
        verify_dispatch, verify_links, verify_tree,
    },
    merkle::{consistency_proof, empty_root, leaf_hash},
    note::SignedCheckpoint,
    rpc::pb,
    seal::{self, PayloadKey},
};

/// Trees of the honest log that the recipient may have verified before.
const BASES: [u64; 4] = [0, 1, 3, 6];

/// An honest delivery, changed on its way. Whatever still verifies is what was sent, byte for byte.
pub(crate) fn delivery(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let honest = sender();
    let size = honest.tree.size();
    let base = input.pick(&BASES);
    let truth = pb::Delivery {
        sequence: 1,
        checkpoint: honest.head.note().as_bytes().to_vec().into(),
        consistency: hashes(&consistency_proof(&honest.tree, base, size).expect("a proof")),
        dispatches: honest
            .dispatches
            .iter()
            .map(|(index, ciphertext)| pb::DeliveredDispatch {
                index: *index,
                entry: leaf(*index).to_vec().into(),
                inclusion: hashes(&honest.tree.inclusion(*index, size)),
                ciphertext: ciphertext.clone().into(),
                key: KEY.to_vec().into(),
            })
            .collect(),
        linked: BASES
            .iter()
            .filter(|base| **base > 0)
            .map(|&base| pb::LinkedTree {
                size: base,
                root: honest.tree.root(base).as_bytes().to_vec().into(),
                consistency: hashes(&consistency_proof(&honest.tree, base, size).expect("a proof")),
            })
            .collect(),
        verified_size: 0,
    };
    let mut changed = truth.clone();
    while !input.is_empty() {
        change(&mut input, &mut changed);
    }
    let message = Some(pb::relay_request::Message::Delivery(changed.clone()));
    let message = pb::RelayRequest { message }.encode_to_vec();
    let read = match relay_request(&message) {
        Ok(Relayed::Delivery(read)) => read,
        Ok(_) => panic!("a delivery was sent"),
        Err(_) => return assert_ne!(changed, truth),
    };
    let verified = Verified {
        origin: honest.head.origin().to_owned(),
        size: base,
        root: match base {
            0 => empty_root(),
            base => honest.tree.root(base),
        },
    };
    let Delivery {
        checkpoint,
        consistency,
        dispatches,
        linked,
        ..
    } = read;
    let head = match verify_tree(&partner(COUNTY), &verified, &checkpoint, &consistency) {
        Ok(head) => head,
        Err(fault) => {
            assert!(
                changed.checkpoint != truth.checkpoint || changed.consistency != truth.consistency
            );
            return nameless(bytes, &fault.to_string());
        }
    };
    assert_eq!(
        head.checkpoint(),
        honest.head.checkpoint(),
        "the one head that was signed"
    );
    match verify_links(&head, &linked) {
        Ok(()) => {
            for link in &linked {
                assert_eq!(link.root, honest.tree.root(link.size), "its history");
            }
        }
        Err(fault) => {
            assert_ne!(changed.linked, truth.linked);
            return nameless(bytes, &fault.to_string());
        }
    }
    let count = dispatches.len();
    let judged = dispatches
        .into_iter()
        .map(|dispatch| judge(bytes, &head, dispatch));
    let fit = judged.filter(|fit| *fit).count();
    assert!(
        fit == count || changed != truth,
        "an honest delivery is refused"
    );
}

/// Whether it is to be kept.
fn judge(bytes: &[u8], head: &SignedCheckpoint, dispatch: DeliveredDispatch) -> bool {
    let honest = sender();
    let (index, key) = (
        dispatch.index,
        dispatch.key.as_ref().map(|key| *key.expose()),
    );
    let ciphertext = dispatch.ciphertext.clone();
    match verify_dispatch(&partner(COUNTY), code(PROVINCE), head, dispatch) {
        Ok(Proved::Fit(fit)) => {
            let sent = honest.dispatches.iter().find(|(at, _)| *at == index);
            let (_, true_ciphertext) = sent.expect("a dispatch that was sent");
            assert_eq!(fit.received().sender_entry, leaf(index));
            assert_eq!((&ciphertext, key), (true_ciphertext, Some(KEY)));
            assert_eq!(fit.sealed().0, *true_ciphertext);
            true
        }
        // In the log, but no dispatch, or not with this payload: refused with proof.
        Ok(Proved::Unfit { received, .. }) => {
            assert_eq!(received.sender_entry, leaf(index));
            false
        }
        Err(fault) => {
            nameless(bytes, &fault.to_string());
            false
        }
    }
}

fn leaf(index: u64) -> &'static [u8] {
    &sender().leaves[usize::try_from(index).expect("an index")]
}

fn hashes(proof: &[yichuan::merkle::Hash]) -> Bytes {
    yichuan::merkle::proof_to_bytes(proof).into()
}

fn change(input: &mut Input<'_>, delivery: &mut pb::Delivery) {
    let field = input.byte();
    let count = delivery.dispatches.len();
    let at = usize::from(input.byte()) % count.max(1);
    let mut edited = |bytes: &mut Bytes| {
        let mut changed = bytes.to_vec();
        edit(input, &mut changed);
        *bytes = changed.into();
    };
    match (field % 10, delivery.dispatches.get_mut(at)) {
        (0, _) if field >= 200 => {
            let at = at % delivery.linked.len().max(1);
            if let Some(link) = delivery.linked.get_mut(at) {
                match field {
                    200 => edited(&mut link.root),
                    210 => edited(&mut link.consistency),
                    _ => link.size = input.number(),
                }
            }
        }
        (0, _) => edited(&mut delivery.checkpoint),
        (1, _) => edited(&mut delivery.consistency),
        (2, Some(dispatch)) => edited(&mut dispatch.entry),
        (3, Some(dispatch)) => edited(&mut dispatch.inclusion),
        (4, Some(dispatch)) => edited(&mut dispatch.ciphertext),
        (5, Some(dispatch)) => edited(&mut dispatch.key),
        (6, Some(dispatch)) => dispatch.index = input.number(),
        (7, _) if count > 1 => delivery.dispatches.swap(0, at),
        (8, Some(dispatch)) => {
            // Another's leaf, rightly proved, with this one's payload.
            let index = input.number() % sender().tree.size();
            dispatch.index = index;
            dispatch.entry = leaf(index).to_vec().into();
            dispatch.inclusion = hashes(&sender().tree.inclusion(index, sender().tree.size()));
        }
        _ => delivery.dispatches.truncate(at),
    }
}

/// A dispatch of a sender that logs, proves and signs whatever it likes.
pub(crate) fn dispatch(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let id = DispatchId::from([1; 16]);
    let content = input.piece();
    // The content with its commitment key, or anything in place of both.
    let plain = if flags & 1 == 0 {
        plaintext(content)
    } else {
        content.to_vec()
    };
    let mut ciphertext = sealed(&plain, id);
    let mut sent = lead_sent(1, &ciphertext, content);
    redraft(&mut input, &mut sent);
    let leaf = match flags >> 1 & 3 {
        0 => {
            let mut leaf = entry(officer(COUNTY), Kind::DispatchSent(sent)).encode();
            edit(&mut input, &mut leaf);
            leaf
        }
        1 => entry(officer(PROVINCE), Kind::DispatchSent(sent)).encode(),
        2 => entry(node(COUNTY), Kind::ReferralDrafted(sent)).encode(),
        _ => entry(officer(COUNTY), Kind::DispatchSent(sent)).encode(),
    };
    if flags & 8 != 0 {
        edit(&mut input, &mut ciphertext);
    }
    let start = started(COUNTY);
    let tree = Tree::of([start.as_slice(), &leaf]);
    let head = tree.head(&signer(COUNTY));
    let delivered = DeliveredDispatch {
        index: 1,
        entry: leaf.clone(),
        inclusion: tree.inclusion(1, 2),
        ciphertext: ciphertext.clone(),
        key: PayloadKey::from_slice(&KEY[usize::from(flags >> 4 & 1)..]),
    };
    let proved = verify_dispatch(&partner(COUNTY), code(PROVINCE), &head, delivered);
    match proved.expect("it is in its log") {
        Proved::Fit(fit) => {
            let sent = fit.sent();
            assert_eq!(fit.received().sender_entry, leaf);
            assert_eq!((sent.from, sent.to), (code(COUNTY), code(PROVINCE)));
            assert_eq!(sent.ciphertext_sha256, seal::sha256(&ciphertext));
            let read = Entry::decode(&leaf).expect("read before");
            assert_eq!(read.cause.principal.jurisdiction(), code(COUNTY));
            assert!(
                read.cause.grounds.is_some(),
                "somebody's purpose stands behind it"
            );
            content_is_read(bytes, fit.content());
            kept(Kind::DispatchReceived(fit.received().clone()));
        }
        Proved::Unfit {
            received, reason, ..
        } => {
            assert!(received.sender_entry == leaf || received.sender_entry.is_empty());
            kept(Kind::DispatchRefused { received, reason });
        }
    }
}

/// What the recipient logs of it can be read again, and is short enough for its proof to travel.
fn kept(kind: Kind) {
    let leaf = entry(node(PROVINCE), kind).encode();
    assert!(Entry::decode(&leaf).is_ok(), "our own entry");
    assert!(leaf.len() <= 4096, "{} bytes", leaf.len());
}

fn redraft(input: &mut Input<'_>, sent: &mut DispatchSent) {
    let urgencies = [Urgency::Normal, Urgency::Urgent, Urgency::Critical];
    let actions: Vec<_> = DispatchAction::all().collect();
    for _ in 0..input.byte() % 4 {
        match input.byte() % 8 {
            0 => sent.action = input.pick(&actions),
            1 => {
                sent.urgency = input.pick(&urgencies);
                sent.terms.sign_within_s = sign_within_seconds(sent.urgency);
            }
            2 => {
                sent.handling =
                    input.pick(&[Handling::H0, Handling::H1, Handling::H2, Handling::H3])
            }
            3 => sent.return_reason = Some(ReturnReason::OutOfPurpose),
            4 => sent.predecessors.push(leaf_hash(input.piece())),
            5 => sent.terms.review_by_day = u32::from_be_bytes(input.array()),
            6 => sent.to = code(input.pick(&[COUNTY, PROVINCE, "440100"])),
            _ => sent.commitment = input.array(),
        }
    }
}

/// The answer of a recipient that logs, proves and signs whatever it likes. What settles a dispatch is about that dispatch.
pub(crate) fn answers(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let honest = sender();
    let sent_index = honest.dispatches[usize::from(flags & 1)].0;
    let sent_leaf = leaf(sent_index);
    let size = input.pick(&[honest.tree.size(), 4, 6]).max(sent_index + 1);
    let older = signer(COUNTY).sign(size, honest.tree.root(size));
    let mut received = Received {
        sender_entry: sent_leaf.to_vec(),
        sender_index: sent_index,
        inclusion: honest.tree.inclusion(sent_index, size),
        checkpoint: older.checkpoint().clone(),
        signature: *older.signature(),
    };
    match input.byte() % 8 {
        0 => edit(&mut input, &mut received.sender_entry),
        1 => received.sender_index = input.number(),
        2 => received.checkpoint.size = input.number(),
        3 => received.checkpoint.root = input.array().into(),
        4 => received.signature[usize::from(input.byte()) % 64] ^= input.byte(),
        5 => received.inclusion.push(input.array().into()),
        6 => received.sender_entry.clear(),
        _ => {}
    }
    let kind = if flags & 2 == 0 {
        Kind::DispatchReceived(received)
    } else {
        let reason = input.pick(Refusal::ALL);
        Kind::DispatchRefused { received, reason }
    };
    let cause = match flags >> 2 & 3 {
        1 => officer(PROVINCE),
        2 => node(COUNTY),
        _ => node(PROVINCE),
    };
    let mut theirs = entry(cause, kind).encode();
    if flags & 16 != 0 {
        edit(&mut input, &mut theirs);
    }
    let tree = Tree::of([started(PROVINCE).as_slice(), &theirs]);
    let their_head = tree.head(&signer(PROVINCE));
    let answer = AnswerProof {
        index: 1,
        entry: theirs.clone(),
        inclusion: tree.inclusion(1, 2),
    };
    let verifier = AnswerVerifier {
        own: &signer(COUNTY).verifier_key(),
        shown: &honest.head,
        partner: &partner(PROVINCE),
        theirs: &their_head,
        cosignature: &signer(PROVINCE).cosign(honest.head.checkpoint(), 1_772_640_000),
    };
    match verifier.verify(answer, sent_index, sent_leaf) {
        Ok(kind) => {
            let read = Entry::decode(&theirs).expect("read before").kind;
            let (Kind::DispatchReceived(rests_on)
            | Kind::DispatchRefused {
                received: rests_on, ..
            }) = &read
            else {
                panic!("no answer settles a dispatch");
            };
            assert_eq!(
                matches!(read, Kind::DispatchReceived(_)),
                matches!(kind, Kind::ReceiptLogged { .. })
            );
            assert_eq!(rests_on.sender_index, sent_index);
            let (size, root) = (rests_on.checkpoint.size, rests_on.checkpoint.root);
            assert_eq!(root, honest.tree.root(size), "a tree that we signed");
            kept(kind);
        }
        Err(error) => nameless(bytes, &error.to_string()),
    }
}
