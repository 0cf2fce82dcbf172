//! A sender whose log is in order, and what is in it is not: refused with proof.

use super::{
    hostile::{Forger, Parcel},
    sender::{World, received},
    world::{COUNTY, ZHEJIANG, code, count},
};
use yichuan::{
    domain::{Action, DispatchId, Family, LeadFields, Timestamp, Urgency},
    entry::{Content, DispatchAction, Kind, Plaintext, Refusal},
    seal::{self, PurgeMonth},
};

type Make = fn(&mut Forger, &LeadFields) -> Parcel;

fn raw(forger: &mut Forger, fields: &LeadFields, leaf: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Parcel {
    let mut parcel = forger.lead(COUNTY, fields);
    parcel.leaf = leaf(parcel.leaf);
    parcel.index = forger.append(parcel.leaf.clone());
    parcel
}

/// What is truly in the sender's log, but cannot be kept, is refused with proof, once and for all.
#[tokio::test]
async fn what_cannot_be_kept_is_refused_with_proof() {
    let mut world = World::new().await;
    let unfit: [(&str, Refusal, Make); 22] = [
        ("to another", Refusal::Misaddressed, |f, l| {
            f.lead(ZHEJIANG, l)
        }),
        ("from another", Refusal::Misaddressed, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| sent.from = code(ZHEJIANG))
        }),
        ("from ourselves", Refusal::Misaddressed, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| sent.from = code(COUNTY))
        }),
        ("in another's name", Refusal::Misaddressed, |f, l| {
            f.lead_but(COUNTY, l, |entry, _| {
                entry.cause.principal = "spiffe://520624.yichuan/officer/001".parse().unwrap();
            })
        }),
        ("without grounds", Refusal::Malformed, |f, l| {
            f.lead_but(COUNTY, l, |entry, _| entry.cause.grounds = None)
        }),
        (
            "a ciphertext with another bit",
            Refusal::PayloadMismatch,
            |f, l| {
                let mut parcel = f.lead(COUNTY, l);
                parcel.ciphertext[20] ^= 1;
                parcel
            },
        ),
        (
            "a ciphertext cut short",
            Refusal::PayloadMismatch,
            |f, l| {
                let mut parcel = f.lead(COUNTY, l);
                parcel.ciphertext.pop();
                parcel
            },
        ),
        ("no ciphertext", Refusal::PayloadMismatch, |f, l| {
            let mut parcel = f.lead(COUNTY, l);
            parcel.ciphertext.clear();
            parcel
        }),
        ("another key", Refusal::PayloadMismatch, |f, l| {
            let mut parcel = f.lead(COUNTY, l);
            parcel.key[0] ^= 1;
            parcel
        }),
        ("a key of 31 bytes", Refusal::PayloadMismatch, |f, l| {
            let mut parcel = f.lead(COUNTY, l);
            parcel.key.pop();
            parcel
        }),
        ("another commitment", Refusal::PayloadMismatch, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| sent.commitment[0] ^= 1)
        }),
        (
            "a payload sealed for another dispatch",
            Refusal::PayloadMismatch,
            |f, l| {
                f.lead_but(COUNTY, l, |_, sent| {
                    sent.dispatch_id = DispatchId::new(Timestamp::from_millis(7));
                })
            },
        ),
        ("purged nine years on", Refusal::InvalidContent, |f, l| {
            f.lead_but(COUNTY, l, |entry, sent| {
                sent.terms.purge_month = PurgeMonth::years_after(entry.time, 9);
            })
        }),
        ("purged long ago", Refusal::InvalidContent, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| {
                sent.terms.purge_month = PurgeMonth::new(202_001).unwrap();
            })
        }),
        ("a lead to elsewhere", Refusal::InvalidContent, |f, l| {
            let mut elsewhere = l.clone();
            elsewhere.destination_code = ZHEJIANG.to_owned();
            f.lead(COUNTY, &elsewhere)
        }),
        ("a lead without facts", Refusal::InvalidContent, |f, l| {
            let mut hollow = l.clone();
            hollow.facts.clear();
            f.lead(COUNTY, &hollow)
        }),
        (
            "an urgency that the payload does not know",
            Refusal::InvalidContent,
            |f, l| {
                f.lead_but(COUNTY, l, |_, sent| {
                    sent.urgency = match sent.urgency {
                        Urgency::Normal => Urgency::Urgent,
                        Urgency::Urgent | Urgency::Critical => Urgency::Normal,
                    };
                    sent.terms.sign_within_s = yichuan::domain::sign_within_seconds(sent.urgency);
                })
            },
        ),
        (
            "an answer with a lead in it",
            Refusal::InvalidContent,
            |f, l| {
                f.lead_but(COUNTY, l, |_, sent| {
                    sent.action = DispatchAction::act(Family::Lead, Action::Sign).unwrap();
                })
            },
        ),
        (
            "an entry that is no dispatch",
            Refusal::Malformed,
            |f, l| {
                let other = f.leaves[0].clone();
                raw(f, l, |_| other)
            },
        ),
        (
            "an entry with something behind it",
            Refusal::Malformed,
            |f, l| {
                raw(f, l, |mut leaf| {
                    // Field 99, varint 1: unknown here, so another reader might take it to mean something.
                    leaf.extend([0x98, 0x06, 0x01]);
                    leaf
                })
            },
        ),
        ("an empty entry", Refusal::Malformed, |f, l| {
            raw(f, l, |_| Vec::new())
        }),
        ("an entry of 1,025 bytes", Refusal::Malformed, |f, l| {
            raw(f, l, |mut leaf| {
                leaf.resize(1_025, 0);
                leaf
            })
        }),
    ];
    for (what, expected, make) in unfit {
        let had = received(world.log());
        let lead = world.leads.next().unwrap();
        let parcel = make(&mut world.forger, &lead);
        let mut line = world.line().await;
        let answers = line
            .deliver(&world.forger, std::slice::from_ref(&parcel))
            .await;
        let (index, entry) = world.proved(&answers, 0);
        let Kind::DispatchRefused {
            received: what_came,
            reason,
        } = entry.kind
        else {
            panic!("{what} is {}", entry.kind.as_str());
        };
        assert_eq!(reason, expected, "{what}");
        assert_eq!(what_came.sender_index, parcel.index, "{what}");
        if parcel.leaf.len() <= 1_024 {
            assert_eq!(what_came.sender_entry, parcel.leaf, "{what}");
        } else {
            assert!(what_came.sender_entry.is_empty());
        }
        assert_eq!(received(world.log()), had, "{what}");
        // Asked again, it is the same refusal.
        let size = world.log().checkpoint().size();
        let mut line = world.line().await;
        let answers = line.deliver(&world.forger, &[parcel]).await;
        assert_eq!(world.proved(&answers, 0).0, index, "{what}");
        assert_eq!(world.log().checkpoint().size(), size, "{what}");
    }
    world.goes_on().await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_dispatch_or_a_lead_that_came_before_with_other_words_is_a_conflict() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let first = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let answers = line
        .deliver(&world.forger, std::slice::from_ref(&first))
        .await;
    let (kept_at, entry) = world.proved(&answers, 0);
    assert!(matches!(entry.kind, Kind::DispatchReceived(_)));

    let changed = {
        let mut changed = lead.clone();
        changed.remarks = "另有补充".to_owned();
        changed
    };
    // Its payload too is sealed for this dispatch: all is well with it, but that it came before.
    let again = {
        let id = first.sent.dispatch_id;
        let content = Content::Lead(Box::new(changed.clone()));
        let plaintext = Plaintext::new(&content).unwrap();
        let sealed = seal::seal(&plaintext.to_bytes(), id).unwrap();
        let parcel = world.forger.lead_but(COUNTY, &changed, |_, sent| {
            sent.dispatch_id = id;
            sent.ciphertext_sha256 = sealed.sha256;
            sent.ciphertext_length = u32::try_from(sealed.ciphertext.len()).unwrap();
            sent.commitment = plaintext.commitment();
        });
        Parcel {
            key: sealed.key.expose().to_vec(),
            ciphertext: sealed.ciphertext,
            ..parcel
        }
    };
    let same_number = world.forger.lead(COUNTY, &changed);
    let same_lead = world.forger.lead(COUNTY, &lead);
    let same_record = {
        let other = world.leads.next().unwrap();
        world
            .forger
            .lead_but(COUNTY, &other, |_, sent| sent.record = first.sent.record)
    };
    for (parcel, expected) in [
        (again, Refusal::Conflict),
        (same_number, Refusal::ChangedContent),
        (same_lead, Refusal::Conflict),
        (same_record, Refusal::Conflict),
    ] {
        let answers = line.deliver(&world.forger, &[parcel]).await;
        let (_, entry) = world.proved(&answers, 0);
        assert!(
            matches!(entry.kind, Kind::DispatchRefused { reason, .. } if reason == expected),
            "{expected:?}"
        );
    }
    assert_eq!(received(world.log()), 2);

    // Twice in one delivery, and under its old index: one entry.
    let answers = line.deliver(&world.forger, &[first.clone(), first]).await;
    assert_eq!(world.proved(&answers, 0).0, kept_at);
    assert_eq!(world.proved(&answers, 1).0, kept_at);
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Whoever got a receipt must not get a refusal of the same dispatch too, to show whichever suits.
#[tokio::test]
async fn an_answer_once_given_stands() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let answers = line
        .deliver(&world.forger, std::slice::from_ref(&parcel))
        .await;
    let (received_at, _) = world.proved(&answers, 0);
    let spoiled = Parcel {
        ciphertext: vec![7; parcel.ciphertext.len()],
        ..parcel.clone()
    };
    for delivered in [spoiled.clone(), parcel.clone()] {
        let answers = line.deliver(&world.forger, &[delivered]).await;
        assert_eq!(world.proved(&answers, 0).0, received_at);
    }

    // The other way round: what was refused stays refused.
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let spoiled = Parcel {
        key: vec![7; 32],
        ..parcel.clone()
    };
    let answers = line.deliver(&world.forger, &[spoiled]).await;
    let (refused_at, _) = world.proved(&answers, 0);
    let answers = line.deliver(&world.forger, &[parcel]).await;
    assert_eq!(world.proved(&answers, 0).0, refused_at);
    let refusals = count(world.log(), |kind| {
        matches!(kind, Kind::DispatchRefused { .. })
    });
    assert_eq!(refusals, 1);
    world.goes_on().await;
    world.cluster.stop().await;
}
