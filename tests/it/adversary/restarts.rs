//! What a node remembers of a partner outlives the node: an older checkpoint, a fork, and evidence without end.

use super::{
    hostile::{Forger, Line, Parcel},
    sender::{World, note},
    world::{COUNTY, GUANGDONG, code, count, is_evidence, kept, verify},
};
use tonic::{Code, Status};
use yichuan::{
    entry::Kind,
    log::{Proposal, TxnError},
    note::SignedCheckpoint,
    store::tables,
};

/// Delivers under a head of the test's choice.
async fn under(
    line: &mut Line,
    forger: &Forger,
    parcel: &Parcel,
    head: &SignedCheckpoint,
) -> Status {
    let head = note(head);
    let delivered = line.try_deliver(forger, std::slice::from_ref(parcel), |delivery| {
        delivery.checkpoint = head;
        delivery.consistency.clear();
    });
    delivered.await.unwrap_err()
}

#[tokio::test]
async fn a_partner_that_was_rolled_back_is_known_after_a_restart_and_can_mend() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let second = world.forger.lead(COUNTY, &lead);
    let older = world.forger.head_at(world.forger.size() - 1);
    world
        .line()
        .await
        .deliver(&world.forger, std::slice::from_ref(&second))
        .await;
    let verified = world.forger.size();
    let mut county = world.restarted().await;

    let mut line = county.line().await;
    assert_eq!(line.base, verified, "what was verified is forgotten");
    let before = kept(county.node.log());
    let refused = under(&mut line, &county.forger, &second, &older).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("was verified before"),
        "{refused:?}"
    );
    // An old checkpoint alone contradicts nothing: it may have been late.
    assert!(kept(county.node.log()) == before);

    // Of one size and with another root it does.
    let fork = county.forger.fork_at(verified, 9);
    let mut line = county.line().await;
    let refused = under(&mut line, &county.forger, &second, &fork).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(count(county.node.log(), is_evidence), 1);

    // Whoever finds its store again goes on.
    let lead = county.leads.next().unwrap();
    let third = county.forger.lead(COUNTY, &lead);
    county.line().await.deliver(&county.forger, &[third]).await;
    let received = |kind: &Kind| matches!(kind, Kind::DispatchReceived(_));
    assert_eq!(count(county.node.log(), received), 3);
    verify(county.node.log());
    county.node.stop().await;
}

#[tokio::test]
async fn evidence_is_kept_once_and_bounded_however_often_a_node_starts() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let base = world.line().await.base;
    for salt in 1..=5 {
        let fork = world.forger.fork_at(base, salt);
        under(&mut world.line().await, &world.forger, &parcel, &fork).await;
    }
    assert_eq!(count(world.log(), is_evidence), 5);
    let county = world.restarted().await;
    for salt in 1..=20 {
        let fork = county.forger.fork_at(base, salt);
        under(&mut county.line().await, &county.forger, &parcel, &fork).await;
    }
    assert_eq!(count(county.node.log(), is_evidence), 8);
    verify(county.node.log());
    county.node.stop().await;
}

/// A store from before witness rows were kept by log: what was verified is known, goes on, and is not forgotten later.
#[tokio::test]
async fn a_witness_row_from_before_its_key_had_an_origin_is_read_and_goes_on() {
    let world = World::new().await;
    let moved = world.log().propose(Proposal::new(|txn| {
        let of = code(GUANGDONG);
        let now = tables::witness(of, "440000.yichuan/log/1");
        let row = txn.get(&now)?.expect("a witness row");
        txn.delete(now)?;
        txn.put(tables::witness(of, ""), row)?;
        Ok::<_, TxnError>(())
    }));
    moved.await.unwrap();
    let mut verified = world.forger.size();
    let mut county = world.restarted().await;
    let mut line = county.line().await;
    assert_eq!(line.base, verified, "what was verified is forgotten");
    let fork = county.forger.fork_at(verified, 9);
    let lead = county.leads.next().unwrap();
    let parcel = county.forger.lead(COUNTY, &lead);
    let refused = under(&mut line, &county.forger, &parcel, &fork).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(count(county.node.log(), is_evidence), 1);
    county.line().await.deliver(&county.forger, &[parcel]).await;
    verified += 1;
    assert_eq!(county.line().await.base, verified);
    // The newer of the two rows counts.
    let county = county.again().await;
    assert_eq!(county.line().await.base, verified);
    verify(county.node.log());
    county.node.stop().await;
}
