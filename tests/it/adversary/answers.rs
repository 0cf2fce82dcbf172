//! A recipient that lies about what it received.

use super::{
    heard::Heard,
    hostile::Forger,
    recipient::{Lie, Recipient},
    world::{
        COUNTY, GUANGDONG, ZHEJIANG, channel, cluster, count, eager, honest_traffic_flows,
        introduce, is_evidence, leads_to, push, receipt_for, refusal_for, show, start, until,
        verify, within,
    },
};
use std::time::Duration;
use yichuan::{
    access::Purpose,
    cli::demo::cluster::{Cluster, grounds},
    entry::Kind,
    exchange::CourierOptions,
    rpc::pb,
    tls::EndpointUrl,
};

struct World {
    _dir: tempfile::TempDir,
    cluster: Cluster,
    recipient: Recipient,
}

impl World {
    /// The county, perhaps Zhejiang, and a Guangdong that lies.
    async fn new(honest: &[&str], waits: Option<CourierOptions>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = match waits {
            None => cluster(dir.path(), honest).await,
            Some(waits) => start(dir.path(), honest, waits).await,
        };
        let county = cluster.member(COUNTY);
        let key = county.node.log().verifier_key();
        let recipient = Recipient::listen(Forger::new(GUANGDONG), COUNTY, key).await;
        let card = recipient
            .state
            .lock()
            .unwrap()
            .forger
            .card(&recipient.endpoint);
        introduce(&county.config.listen.endpoint, COUNTY, &card).await;
        Self {
            _dir: dir,
            cluster,
            recipient,
        }
    }

    fn log(&self) -> &yichuan::log::Log {
        self.cluster.member(COUNTY).node.log()
    }

    fn endpoint(&self) -> &EndpointUrl {
        &self.cluster.member(COUNTY).config.listen.endpoint
    }
}

#[tokio::test]
async fn no_lie_is_logged_as_a_receipt() {
    let mut world = World::new(&[COUNTY, ZHEJIANG], None).await;
    let (mut leads, mut others) = (
        leads_to(GUANGDONG).into_iter(),
        leads_to(ZHEJIANG).into_iter(),
    );
    let first = push(world.endpoint(), COUNTY, &[leads.next().unwrap()]).await;
    until(world.log(), 1, receipt_for(first[0].index)).await;

    for lie in [
        Lie::WrongInclusion,
        Lie::OtherLeaf,
        Lie::OtherDispatch,
        Lie::OtherIndex,
        Lie::LeavesOut,
        Lie::ForeignCheckpoint,
        Lie::WrongSenderProof,
        Lie::OtherName,
        Lie::WrongCosignature,
        Lie::OtherSequence,
        Lie::Replayed,
        Lie::TooFew,
        Lie::TooMany,
        Lie::RolledBack,
        Lie::Forked,
        Lie::SameHeadBadProof,
        Lie::Inconsistent,
        Lie::OtherKey,
        Lie::Garbage,
    ] {
        let evidence = count(world.log(), is_evidence);
        let told = world.recipient.seen.borrow().answered;
        world.recipient.tell(lie);
        let lead = push(world.endpoint(), COUNTY, &[leads.next().unwrap()]).await;
        let index = lead[0].index;
        // Told again only after it was heard.
        world
            .recipient
            .until(|seen| seen.answered >= told + 2)
            .await;
        assert_eq!(count(world.log(), receipt_for(index)), 0, "{lie:?}");
        assert_eq!(count(world.log(), refusal_for(index)), 0, "{lie:?}");
        // A log shown in two versions, or that its owner cannot reconcile, is kept as evidence, once.
        let kept = usize::from(matches!(lie, Lie::Forked | Lie::Inconsistent));
        assert_eq!(count(world.log(), is_evidence), evidence + kept, "{lie:?}");
        honest_traffic_flows(&world.cluster, &others.next().unwrap()).await;

        // With the truth comes the receipt, and one.
        world.recipient.tell(Lie::None);
        until(world.log(), 1, receipt_for(index)).await;
        assert_eq!(count(world.log(), receipt_for(index)), 1, "{lie:?}");
        verify(world.log());
    }
    world.cluster.stop().await;
}

/// Regression: a status whose details are no base64 made tonic panic in the courier's task. Nothing went to that partner any
/// more until the node was started again, and nobody was told.
#[tokio::test]
async fn regression_a_status_with_malformed_details_does_not_end_the_courier() {
    let mut world = World::new(&[COUNTY], None).await;
    let leads = leads_to(GUANGDONG);
    for (lie, lead) in [Lie::NoBase64AtOnce, Lie::NoBase64].into_iter().zip(&leads) {
        // A stream stands. What is no answer has it given up, so that the next one is greeted so.
        world.recipient.tell(Lie::Garbage);
        let told = world.recipient.seen.borrow().answered;
        let pushed = push(world.endpoint(), COUNTY, std::slice::from_ref(lead)).await;
        world.recipient.until(|seen| seen.answered > told).await;
        world.recipient.tell(lie);
        let told = world.recipient.seen.borrow().answered;
        // Told, and told again: the courier came back.
        world.recipient.until(|seen| seen.answered > told + 1).await;
        world.recipient.tell(Lie::None);
        until(world.log(), 1, receipt_for(pushed[0].index)).await;
    }
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_refusal_is_proved_logged_and_shown() {
    let world = World::new(&[COUNTY], None).await;
    world.recipient.tell(Lie::Refuse);
    let leads = leads_to(GUANGDONG);
    let lead = push(world.endpoint(), COUNTY, &leads[..1]).await;
    until(world.log(), 1, refusal_for(lead[0].index)).await;
    let shown = show(world.endpoint(), COUNTY, &lead[0].lead_id).await;
    let summary = shown.summary.unwrap();
    assert_eq!(summary.state, pb::RecordState::Refused as i32);
    assert_eq!(summary.refusal, "not_allowed");
    assert_eq!(count(world.log(), receipt_for(lead[0].index)), 0);
    world.cluster.stop().await;
}

/// Whoever sent a sheet finds again what of it a partner refused: by its number in the list, and by pushing it again.
#[tokio::test]
async fn regression_what_a_partner_refused_is_found_by_its_number_and_says_why() {
    let world = World::new(&[COUNTY], None).await;
    world.recipient.tell(Lie::Refuse);
    let leads = leads_to(GUANGDONG);
    let refused = push(world.endpoint(), COUNTY, &leads[..1]).await.remove(0);
    until(world.log(), 1, refusal_for(refused.index)).await;
    world.recipient.tell(Lie::None);
    let sent = push(world.endpoint(), COUNTY, &leads[1..2]).await.remove(0);
    until(world.log(), 1, receipt_for(sent.index)).await;

    let grounds = Some(grounds(COUNTY, Purpose::Screening));
    let officer = channel(world.endpoint(), COUNTY, COUNTY, "officer-001");
    let mut records = pb::records_client::RecordsClient::new(officer);
    let request = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: grounds.clone(),
        ..pb::ListRecordsRequest::default()
    };
    let listed = records.list_records(request).await.unwrap().into_inner();
    let numbers: Vec<_> = listed
        .records
        .iter()
        .map(|lead| (&*lead.refusal, &*lead.number))
        .collect();
    // What was not refused is not opened for a list.
    assert_eq!(numbers, [("not_allowed", &*leads[0].number), ("", "")]);

    for (lead, refusal, id) in [
        (&leads[0], "not_allowed", &refused.lead_id),
        (&leads[1], "", &sent.lead_id),
    ] {
        let request = pb::PushRecordsRequest {
            grounds: grounds.clone(),
            row: 1,
            content: Some(pb::Lead::from(lead).into()),
        };
        let verdicts = records.push_records(tokio_stream::iter([request])).await;
        let verdict = verdicts.unwrap().into_inner().message().await.unwrap();
        let verdict = verdict.unwrap();
        assert_eq!(verdict.verdict, pb::Verdict::Duplicate as i32);
        assert_eq!((&*verdict.refusal, &verdict.record_id), (refusal, id));
    }
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_receipt_from_the_end_of_time_harms_nobody() {
    let world = World::new(&[COUNTY], None).await;
    world.recipient.tell(Lie::EndOfTime);
    let leads = leads_to(GUANGDONG);
    let lead = push(world.endpoint(), COUNTY, &leads[..1]).await;
    until(world.log(), 1, receipt_for(lead[0].index)).await;
    let shown = show(world.endpoint(), COUNTY, &lead[0].lead_id).await;
    assert_eq!(
        shown.summary.unwrap().state,
        pb::RecordState::Delivered as i32
    );
    verify(world.log());
    world.cluster.stop().await;
}

/// New leads must not renew the patience with a partner that answers none.
#[tokio::test]
async fn a_silent_partner_is_given_up_under_steady_traffic() {
    let waits = CourierOptions {
        answer_within: Duration::from_millis(500),
        ..eager()
    };
    reopened_under_steady_traffic(Lie::Silent, waits).await;
}

/// Trees are compared when a stream opens: it must, now and then, also where there is always something under way.
#[tokio::test]
async fn an_old_stream_is_opened_anew_under_steady_traffic() {
    let waits = CourierOptions {
        stream_age: Duration::from_millis(200),
        answer_within: Duration::from_millis(500),
        ..eager()
    };
    reopened_under_steady_traffic(Lie::Late, waits).await;
}

async fn reopened_under_steady_traffic(lie: Lie, waits: CourierOptions) {
    let mut world = World::new(&[COUNTY], Some(waits)).await;
    world.recipient.tell(lie);
    world.recipient.until(|seen| seen.streams >= 1).await;
    let mut leads = leads_to(GUANGDONG).into_iter();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    while world.recipient.seen.borrow().streams < 2 {
        pace.tick().await;
        let lead = leads
            .next()
            .expect("the stream is given up while leads keep coming");
        push(world.endpoint(), COUNTY, &[lead]).await;
    }
    world.cluster.stop().await;
}

#[tokio::test]
async fn what_a_partner_says_does_not_get_into_the_log_file() {
    let heard = Heard::listen();
    let mut world = World::new(&[COUNTY], None).await;
    world.recipient.tell(Lie::Abusive);
    let leads = leads_to(GUANGDONG);
    push(world.endpoint(), COUNTY, &leads[..1]).await;
    world.recipient.until(|seen| seen.answered >= 2).await;
    let said = heard.take();
    let down = said.iter().filter_map(|event| event.get("why"));
    assert!(down.clone().count() > 0);
    for why in down {
        assert!(why.contains("Unavailable"), "{why}");
        for theirs in ["\n", "张", "520624190001010011", "forged"] {
            assert!(!why.contains(theirs), "{why}");
        }
    }
    for state in world.cluster.member(COUNTY).node.links().values() {
        assert!(!format!("{state:?}").contains("forged"));
    }
    world.cluster.stop().await;
}

/// Regression: what the partner sent was refused unbuilt, and the administrator was told that the partner could not read
/// what this node had sent.
#[tokio::test]
async fn regression_more_than_an_answer_may_hold_is_refused_unbuilt_and_said_to_be_theirs() {
    let heard = Heard::listen();
    let world = World::new(&[COUNTY], None).await;
    world.recipient.state.lock().unwrap().witnessed = vec![Vec::new(); 100_000];
    world.recipient.tell(Lie::FullOfNothing);
    let pushed = push(world.endpoint(), COUNTY, &leads_to(GUANGDONG)[..1]).await;
    let mut said = Vec::new();
    let mut until_said = async |wanted: &str| loop {
        said.extend(
            heard
                .take()
                .iter()
                .filter_map(|event| event.get("why").cloned()),
        );
        if said.iter().any(|why| why.contains(wanted)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    within(until_said("RelayWelcome.witnessed stands more than")).await;
    world.recipient.state.lock().unwrap().witnessed.clear();
    within(until_said("Answers.answers stands more than")).await;
    assert!(
        said.iter().all(|why| !why.contains("compare versions")),
        "{said:?}"
    );
    assert_eq!(count(world.log(), receipt_for(pushed[0].index)), 0);

    world.recipient.tell(Lie::None);
    until(world.log(), 1, receipt_for(pushed[0].index)).await;
    verify(world.log());
    world.cluster.stop().await;
}

/// Without a fork in one stream: the two streams between two nodes show one log.
#[tokio::test]
async fn a_log_shown_in_two_versions_on_two_streams_is_found() {
    let mut world = World::new(&[COUNTY], None).await;
    let leads = leads_to(GUANGDONG);
    let first = push(world.endpoint(), COUNTY, &leads[..1]).await;
    until(world.log(), 1, receipt_for(first[0].index)).await;
    // On its own stream it shows a dispatch where its answers will show a receipt.
    let mut other = world.recipient.state.lock().unwrap().forger.twin();
    let mut line =
        super::hostile::Line::open(world.endpoint(), COUNTY, GUANGDONG, super::hostile::hello())
            .await
            .unwrap();
    let mut fields = leads_to(ZHEJIANG)[0].clone();
    fields.destination_code = COUNTY.to_owned();
    fields.destination_place.clear();
    let parcel = other.lead(COUNTY, &fields);
    line.deliver(&other, &[parcel]).await;
    let told = world.recipient.seen.borrow().answered;
    let second = push(world.endpoint(), COUNTY, &leads[1..2]).await;
    world.recipient.until(|seen| seen.answered > told).await;
    until(world.log(), 1, is_evidence).await;
    assert_eq!(count(world.log(), receipt_for(second[0].index)), 0);
    assert_eq!(
        count(world.log(), |kind| matches!(
            kind,
            Kind::DispatchReceived(_)
        )),
        1
    );
    verify(world.log());
    world.cluster.stop().await;
}
