//! A sender that lies about its log.

use super::{
    heard::Heard,
    hostile::Forger,
    sender::{World, flip, note, received},
    world::{COUNTY, GUANGDONG, code, count, entries, is_evidence, kept},
};
use tonic::Code;
use yichuan::{entry::Kind, rpc::pb};

type Change = fn(&Forger, u64, &mut pb::Delivery);

/// What does not verify is not answered: the stream is given up, and the node has kept nothing of it.
#[tokio::test]
async fn what_does_not_verify_is_given_up() {
    let mut world = World::new().await;
    let lies: [(&str, Code, Change); 17] = [
        ("inclusion", Code::FailedPrecondition, |_, _, d| {
            flip(&mut d.dispatches[0].inclusion);
        }),
        ("index", Code::FailedPrecondition, |_, _, d| {
            d.dispatches[0].index -= 1;
        }),
        ("index beyond", Code::FailedPrecondition, |_, _, d| {
            d.dispatches[0].index = u64::MAX;
        }),
        ("leaf", Code::FailedPrecondition, |forger, _, d| {
            d.dispatches[0].entry = forger.leaves[1].clone().into();
        }),
        ("no leaf", Code::FailedPrecondition, |_, _, d| {
            d.dispatches[0].entry.clear();
        }),
        ("another log's key", Code::FailedPrecondition, |_, _, d| {
            d.checkpoint = note(&Forger::new(GUANGDONG).head());
        }),
        ("changed head", Code::FailedPrecondition, |_, _, d| {
            flip(&mut d.checkpoint);
        }),
        (
            "rolled back",
            Code::FailedPrecondition,
            |forger, base, d| {
                d.checkpoint = note(&forger.head_at(base - 1));
            },
        ),
        ("no consistency", Code::FailedPrecondition, |_, _, d| {
            d.consistency.clear();
        }),
        ("ragged proof", Code::InvalidArgument, |_, _, d| {
            d.consistency = vec![7; 33].into();
        }),
        ("endless proof", Code::InvalidArgument, |_, _, d| {
            d.dispatches[0].inclusion = vec![7; 65 * 32].into();
        }),
        ("sequence gap", Code::InvalidArgument, |_, _, d| {
            d.sequence += 1;
        }),
        ("sequence 0", Code::InvalidArgument, |_, _, d| {
            d.sequence = 0;
        }),
        ("nothing", Code::InvalidArgument, |_, _, d| {
            d.dispatches.clear();
        }),
        ("65 dispatches", Code::InvalidArgument, |_, _, d| {
            d.dispatches = vec![d.dispatches[0].clone(); 65];
        }),
        ("2 MiB of ciphertext", Code::InvalidArgument, |_, _, d| {
            d.dispatches[0].ciphertext = vec![7; 256 * 1024].into();
            d.dispatches = vec![d.dispatches[0].clone(); 8];
        }),
        ("8 MiB", Code::InvalidArgument, |_, _, d| {
            d.dispatches[0].ciphertext = vec![7; 8 << 20].into();
        }),
    ];
    let heard = Heard::listen();
    for (what, expected, change) in lies {
        let parcel = {
            let lead = world.leads.next().unwrap();
            world.forger.lead(COUNTY, &lead)
        };
        let (before, evidence) = (kept(world.log()), count(world.log(), is_evidence));
        let mut line = world.line().await;
        let base = line.base;
        heard.take();
        let refused = line
            .try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
                change(&world.forger, base, delivery);
            })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), expected, "{what}: {refused:?}");
        assert!(
            heard.take().iter().any(|said| said.contains_key("fault")),
            "{what} is not logged"
        );
        let unproved = what == "no consistency";
        if unproved {
            // Two heads that the partner does not reconcile are kept, and only they.
            assert_eq!(count(world.log(), is_evidence), evidence + 1);
        } else {
            assert!(kept(world.log()) == before, "{what} left a trace");
        }
        // The honest thing is still taken, once.
        let had = received(world.log());
        let mut line = world.line().await;
        let answers = line.deliver(&world.forger, &[parcel]).await;
        let (_, entry) = world.proved(&answers, 0);
        assert!(
            matches!(entry.kind, Kind::DispatchReceived(_)),
            "{what}: {:?}",
            entry.kind.as_str()
        );
        assert_eq!(received(world.log()), had + 1);
    }
    world.goes_on().await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn evidence_of_forks_is_kept_and_bounded() {
    let mut world = World::new().await;
    let base = world.line().await.base;
    // The same head with a proof of nothing contradicts nothing.
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let same = note(&world.forger.head_at(base));
    line.try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
        delivery.checkpoint = same;
        delivery.consistency = vec![7; 32].into();
    })
    .await
    .unwrap_err();
    assert_eq!(count(world.log(), is_evidence), 0);

    for salt in 1..=12 {
        for _ in 0..2 {
            let mut line = world.line().await;
            let fork = note(&world.forger.fork_at(base, salt));
            line.try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
                delivery.checkpoint = fork;
                delivery.consistency.clear();
            })
            .await
            .unwrap_err();
        }
        assert_eq!(count(world.log(), is_evidence), usize::from(salt.min(8)));
    }
    let key = world.forger.signer.verifier_key();
    for entry in entries(world.log()) {
        if let Kind::EvidenceKept {
            jurisdiction,
            first,
            second,
            shown_by,
        } = entry.kind
        {
            assert_eq!(jurisdiction, code(GUANGDONG));
            assert_eq!(shown_by, None);
            key.verify_signature(&first.0, &first.1).unwrap();
            key.verify_signature(&second.0, &second.1).unwrap();
            assert_eq!(first.0.size, second.0.size);
            assert_ne!(first.0.root, second.0.root);
        }
    }
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Regression: all evidence had the same few slots. With larger heads that it did not reconcile a partner filled them, and a
/// fork that proves itself was kept nowhere.
#[tokio::test]
async fn regression_claims_leave_room_for_proofs() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let base = world.line().await.base;
    let sizes_differ = |kind: &Kind| matches!(kind, Kind::EvidenceKept { first, second, .. } if first.0.size != second.0.size);
    for (rounds, equal) in [(12, false), (12, true)] {
        for salt in 1..=rounds {
            let size = if equal { base } else { base + u64::from(salt) };
            let fork = note(&world.forger.fork_at(size, salt));
            let mut line = world.line().await;
            line.try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
                delivery.checkpoint = fork;
                delivery.consistency = if equal { Vec::new() } else { vec![7; 32] }.into();
            })
            .await
            .unwrap_err();
        }
        let expected = if equal { 16 } else { 8 };
        assert_eq!(count(world.log(), is_evidence), expected);
        assert_eq!(count(world.log(), sizes_differ), 8);
    }
    world.goes_on().await;
    world.cluster.stop().await;
}

/// The newest stream counts. What still comes on an older one is not taken.
#[tokio::test]
async fn a_newer_stream_takes_over() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut older = world.line().await;
    let mut newer = world.line().await;
    let before = kept(world.log());
    let refused = older
        .try_deliver(&world.forger, std::slice::from_ref(&parcel), |_| {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(kept(world.log()) == before);
    newer.deliver(&world.forger, &[parcel]).await;
    assert_eq!(received(world.log()), 2);
    // One on which nothing comes any more ends too, so that streams do not pile up.
    let tasks = world.cluster.member(COUNTY).node.load().tasks;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(world.line().await);
    }
    let newest = idle.pop();
    for line in &mut idle {
        let ended = line.answers().await.unwrap_err();
        assert_eq!(ended.code(), Code::FailedPrecondition);
        assert!(ended.message().contains("took over"), "{ended:?}");
    }
    drop((idle, newest, older, newer));
    super::world::within(async {
        while world.cluster.member(COUNTY).node.load().tasks > tasks {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.goes_on().await;
    world.cluster.stop().await;
}
