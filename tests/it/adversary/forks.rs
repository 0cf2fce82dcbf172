//! A partner that shows two histories whose heads never have the same size, so that no two of them are compared by root.

use super::{
    heard::Heard,
    hostile::{Forger, Line, hello},
    recipient::Recipient,
    sender::{World, note},
    world::{
        COUNTY, GUANGDONG, ZHEJIANG, cluster, code, count, eager, entries, introduce, is_evidence,
        leads_to, push, receipt_for, start, until, verify,
    },
};
use tonic::Code;
use yichuan::{domain::LeadFields, entry::Kind};

fn to_the_county() -> Vec<LeadFields> {
    let mut leads = leads_to(ZHEJIANG);
    for fields in &mut leads {
        fields.destination_code = COUNTY.to_owned();
        fields.destination_place.clear();
    }
    leads
}

/// Its head becomes larger than `size`.
fn outgrow(forger: &mut Forger, size: u64) {
    while forger.size() <= size {
        let kind = Kind::PolicyChanged {
            auditors: Vec::new(),
            units: Default::default(),
        };
        forger.append(forger.own_entry(kind).encode());
    }
}

fn is_received(kind: &Kind) -> bool {
    matches!(kind, Kind::DispatchReceived(_))
}

/// Regression: a stream's trees were held against those of that stream alone, and against the other's where the sizes were
/// equal. Two histories that leapfrogged each other were both believed, receipted and cosigned.
#[tokio::test]
async fn regression_histories_that_leapfrog_on_two_streams_are_not_both_believed() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY], eager()).await;
    let county = cluster.member(COUNTY);
    let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
    let mut recipient = Recipient::listen(Forger::new(GUANGDONG), COUNTY, log.verifier_key()).await;
    let state = std::sync::Arc::clone(&recipient.state);
    let card = state.lock().unwrap().forger.card(&recipient.endpoint);
    introduce(endpoint, COUNTY, &card).await;
    let leads = leads_to(GUANGDONG);
    let first = push(endpoint, COUNTY, &leads[..1]).await;
    until(log, 1, receipt_for(first[0].index)).await;

    // One history on the stream that it opens, which continues what its answers showed.
    let mut other = state.lock().unwrap().forger.twin();
    let mut to_the_county = to_the_county().into_iter();
    let mut line = Line::open(endpoint, COUNTY, GUANGDONG, hello())
        .await
        .unwrap();
    outgrow(&mut other, state.lock().unwrap().forger.size());
    let parcel = other.lead(COUNTY, &to_the_county.next().unwrap());
    line.deliver(&other, &[parcel]).await;
    assert_eq!(count(log, is_received), 1);

    // Another in its answers, with a larger head. It cannot be linked to the first: no receipt comes of it.
    outgrow(&mut state.lock().unwrap().forger, other.size());
    let told = recipient.seen.borrow().answered;
    let second = push(endpoint, COUNTY, &leads[1..2]).await;
    recipient.until(|seen| seen.answered > told).await;
    // Nor can it prove, when the stream opens again, that it continues the first. That is evidence.
    until(log, 1, is_evidence).await;
    assert_eq!(count(log, receipt_for(second[0].index)), 0);

    // What was believed goes on.
    let parcel = other.lead(COUNTY, &to_the_county.next().unwrap());
    outgrow(&mut other, state.lock().unwrap().forger.size() + 8);
    line.deliver(&other, &[parcel]).await;
    assert_eq!(count(log, is_received), 2);
    assert_eq!(count(log, receipt_for(second[0].index)), 0);
    verify(log);
    cluster.stop().await;
}

/// What is linked falsely, or not at all, is not taken; the next stream begins on what was verified.
#[tokio::test]
async fn a_tree_that_is_not_linked_to_what_another_stream_showed_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY], eager()).await;
    let county = cluster.member(COUNTY);
    let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
    let recipient = Recipient::listen(Forger::new(GUANGDONG), COUNTY, log.verifier_key()).await;
    let state = std::sync::Arc::clone(&recipient.state);
    let card = state.lock().unwrap().forger.card(&recipient.endpoint);
    introduce(endpoint, COUNTY, &card).await;
    let leads = leads_to(GUANGDONG);
    let mut mine = to_the_county().into_iter();
    for (nth, change) in [
        (|links: &mut Vec<yichuan::rpc::pb::LinkedTree>| links.clear()) as fn(&mut Vec<_>),
        |links| {
            links
                .iter_mut()
                .for_each(|link| link.root = vec![7; 32].into())
        },
        |links| {
            links
                .iter_mut()
                .for_each(|link| link.consistency = vec![7; 64].into())
        },
        |links| links.iter_mut().for_each(|link| link.size += 1),
    ]
    .into_iter()
    .enumerate()
    {
        let mut line = Line::open(endpoint, COUNTY, GUANGDONG, hello())
            .await
            .unwrap();
        // The answers move on.
        let pushed = push(endpoint, COUNTY, &leads[nth..=nth]).await;
        until(log, 1, receipt_for(pushed[0].index)).await;
        let (forger, parcel) = {
            let mut state = state.lock().unwrap();
            let parcel = state.forger.lead(COUNTY, &mine.next().unwrap());
            (state.forger.twin(), parcel)
        };
        let refused = line
            .try_deliver(&forger, std::slice::from_ref(&parcel), |delivery| {
                change(&mut delivery.linked);
            })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{nth}");
        assert_eq!(count(log, is_received), nth);
        let mut line = Line::open(endpoint, COUNTY, GUANGDONG, hello())
            .await
            .unwrap();
        line.deliver(&forger, &[parcel]).await;
        assert_eq!(count(log, is_received), nth + 1);
    }
    assert_eq!(count(log, is_evidence), 0);
    verify(log);
    cluster.stop().await;
}

/// Regression: a checkpoint that another partner showed was compared where it had the size of ours and forgotten where it
/// had not, so two partners found a fork by chance.
#[tokio::test]
async fn regression_a_fork_that_another_partner_shows_at_another_size_is_asked_for() {
    let mut world = World::new().await;
    let endpoint = world.endpoint();
    // Zhejiang's node is honest; the test bears its certificate and tells what Guangdong showed it.
    let mut fork = world.forger.twin();
    outgrow(&mut fork, world.forger.size() + 1);
    let smaller = note(&fork.head());
    let told = |shown| yichuan::rpc::pb::RelayHello {
        witnessed: vec![shown],
        ..hello()
    };
    Line::open(&endpoint, COUNTY, ZHEJIANG, told(smaller.clone()))
        .await
        .unwrap();
    assert_eq!(count(world.log(), is_evidence), 0, "it proves nothing yet");

    // Guangdong is asked for it, and may not pass over it.
    outgrow(&mut world.forger, fork.size() + 2);
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    assert_eq!(line.welcome.asked, [fork.size()]);
    let refused = line
        .try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
            delivery.linked.retain(|link| link.size != fork.size());
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    // What its history has there is another tree.
    let mut line = world.line().await;
    line.deliver(&world.forger, &[parcel]).await;
    until(world.log(), 1, is_evidence).await;
    let kept = entries(world.log()).into_iter().find_map(|entry| {
        let Kind::EvidenceKept {
            first,
            second,
            shown_by,
            ..
        } = entry.kind
        else {
            return None;
        };
        Some((first.0.size, second.0.size, shown_by))
    });
    let sizes = (world.forger.size(), fork.size(), Some(code(ZHEJIANG)));
    assert_eq!(kept, Some(sizes));

    // A truth that another shows is asked for, proved, and done with.
    let older = world.forger.head_at(world.forger.size() - 1);
    Line::open(&endpoint, COUNTY, ZHEJIANG, told(note(&older)))
        .await
        .unwrap();
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    assert_eq!(line.welcome.asked, [older.size()]);
    line.deliver(&world.forger, &[parcel]).await;
    assert_eq!(world.line().await.welcome.asked, Vec::<u64>::new());
    assert_eq!(count(world.log(), is_evidence), 1);
    // A larger tree than it shows now, it once signed: that is said of it too.
    let mut ahead = world.forger.twin();
    outgrow(&mut ahead, world.forger.size() + 5);
    Line::open(&endpoint, COUNTY, ZHEJIANG, told(note(&ahead.head())))
        .await
        .unwrap();
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    world.line().await.deliver(&world.forger, &[parcel]).await;
    until(world.log(), 2, is_evidence).await;
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Two honest nodes that send to each other as fast as they can give up no stream over it.
#[tokio::test]
async fn honest_nodes_that_send_both_ways_at_once_keep_their_streams() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = cluster(dir.path(), &[COUNTY, ZHEJIANG]).await;
    let [county, zhejiang] = [COUNTY, ZHEJIANG].map(|code| cluster.member(code));
    let warm = leads_to(ZHEJIANG);
    let first = push(&county.config.listen.endpoint, COUNTY, &warm[..1]).await;
    until(county.node.log(), 1, receipt_for(first[0].index)).await;

    let heard = Heard::listen();
    let (there, back) = (&warm[1..], to_the_county());
    let one_by_one =
        async |member: &yichuan::cli::demo::cluster::Member, of, leads: &[LeadFields]| {
            for lead in leads {
                push(
                    &member.config.listen.endpoint,
                    of,
                    std::slice::from_ref(lead),
                )
                .await;
            }
        };
    tokio::join!(
        one_by_one(county, COUNTY, there),
        one_by_one(zhejiang, ZHEJIANG, &back)
    );
    super::world::within(cluster.settled()).await.unwrap();
    let broken: Vec<_> = heard
        .take()
        .into_iter()
        .filter(|said| said.contains_key("fault") || said.contains_key("why"))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
    verify(county.node.log());
    verify(zhejiang.node.log());
    cluster.stop().await;
}
