//! What is not taken yet: nothing is logged of it, nothing else waits for it, and nothing grows with it.

use super::{
    hostile::Forger,
    recipient::{Lie, Recipient},
    sender::World,
    world::{
        COUNTY, GUANGDONG, channel, count, introduce, kept, leads_to, push, receipt_for, show,
        start, until, verify, within,
    },
};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::grounds,
    domain::EntryId,
    entry::{Content, DispatchAction, Entry, Kind},
    exchange::CourierOptions,
    rpc::pb,
};

/// As the tests' couriers, and what was put off comes again at once.
fn eager() -> CourierOptions {
    CourierOptions {
        again_min: std::time::Duration::from_millis(10),
        again_max: std::time::Duration::from_millis(50),
        ..super::world::eager()
    }
}

fn in_two_days(entry: &mut Entry) {
    entry.time = entry.time.plus_seconds(2 * 86_400);
    entry.id = EntryId::new(entry.time);
}

/// 20 honest leads were refused for good by a node whose clock was wrong.
#[tokio::test]
async fn regression_what_is_dated_ahead_is_put_off_without_a_trace_and_the_rest_of_its_delivery_passes()
 {
    let mut world = World::new().await;
    let mut leads = std::iter::from_fn(|| world.leads.next());
    let [first, second, third] = [(); 3].map(|()| leads.next().unwrap());
    let ahead = world
        .forger
        .lead_but(COUNTY, &first, |entry, _| in_two_days(entry));
    let record = ahead.sent.record;
    let fit = world.forger.lead(COUNTY, &second);
    // Of the same record: judged before the first, it would be judged wrongly.
    let follows = world
        .forger
        .lead_but(COUNTY, &third, |_, sent| sent.record = record);
    let parcels = [ahead, fit, follows];
    let mut line = world.line().await;
    for _ in 0..3 {
        let answers = line.deliver(&world.forger, &parcels).await;
        let not_yet: Vec<_> = answers
            .answers
            .iter()
            .map(|answer| answer.not_yet())
            .collect();
        let expected = [
            pb::NotYet::Untimely,
            pb::NotYet::Unspecified,
            pb::NotYet::Follows,
        ];
        assert_eq!(not_yet, expected);
        let refused = |kind: &Kind| matches!(kind, Kind::DispatchRefused { .. });
        let received = |kind: &Kind| matches!(kind, Kind::DispatchReceived(_));
        assert_eq!(count(world.log(), refused), 0);
        // And what came before all this.
        assert_eq!(count(world.log(), received), 2);
    }
    let before = kept(world.log());
    line.deliver(&world.forger, &parcels).await;
    assert!(kept(world.log()) == before, "a repeat left a trace");
    verify(world.log());
}

/// A partner may put off what it likes for as long as it likes: that holds up nothing else, and the officer is told.
#[tokio::test]
async fn a_partner_that_says_not_yet_for_ever_holds_up_nothing_else_and_the_officer_sees_why() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY], eager()).await;
    let county = cluster.member(COUNTY);
    let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
    let recipient = Recipient::listen(Forger::new(GUANGDONG), COUNTY, log.verifier_key()).await;
    recipient.tell(Lie::NotYetBelow(u64::MAX));
    let card = recipient
        .state
        .lock()
        .unwrap()
        .forger
        .card(&recipient.endpoint);
    introduce(endpoint, COUNTY, &card).await;
    let leads = leads_to(GUANGDONG);
    let waiting = push(endpoint, COUNTY, &leads[..3]).await;
    // It is shown them again and again.
    let mut seen = recipient.seen.clone();
    within(seen.wait_for(|seen| seen.answered >= 5))
        .await
        .unwrap();
    let shown = show(endpoint, COUNTY, &waiting[0].lead_id).await;
    assert_eq!(shown.summary.unwrap().put_off, "untimely");
    let officer = channel(endpoint, COUNTY, COUNTY, "officer-001");
    let listed = pb::partners_client::PartnersClient::new(officer)
        .list_partners(pb::ListPartnersRequest {
            grounds: Some(grounds(COUNTY, Purpose::Screening)),
        })
        .await
        .unwrap()
        .into_inner();
    let partner = &listed.partners[0];
    assert_eq!(
        (partner.put_off, partner.put_off_why.as_str()),
        (3, "untimely")
    );
    assert_eq!(partner.outbox, 3);

    // What comes after them is received.
    recipient.tell(Lie::NotYetBelow(waiting[2].index + 1));
    let later = push(endpoint, COUNTY, &leads[3..5]).await;
    for lead in &later {
        until(log, 1, receipt_for(lead.index)).await;
    }
    let settled = |kind: &Kind| {
        matches!(
            kind,
            Kind::ReceiptLogged { .. } | Kind::RefusalLogged { .. }
        )
    };
    assert_eq!(count(log, settled), 2);

    // And whenever it likes, it takes the others.
    recipient.tell(Lie::None);
    for lead in &waiting {
        until(log, 1, receipt_for(lead.index)).await;
    }
    let shown = show(endpoint, COUNTY, &waiting[0].lead_id).await;
    assert_eq!(shown.summary.unwrap().put_off, "");
    verify(log);
    cluster.stop().await;
}

/// A stream that brings nothing but what cannot be taken ends, before what is remembered of it grows.
#[tokio::test]
async fn a_stream_of_what_cannot_be_taken_ends_at_a_bound() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let content = Content::Lead(Box::new(lead));
    let mut line = world.line().await;
    let mut deliveries = 0;
    let refused = loop {
        let parcels: Vec<_> = (0..64)
            .map(|_| {
                let action = DispatchAction::open(yichuan::domain::RecordKind::Lead);
                let change = |entry: &mut Entry, _: &mut _| in_two_days(entry);
                world.forger.dispatch_but(COUNTY, &content, action, change)
            })
            .collect();
        match line.try_deliver(&world.forger, &parcels, |_| {}).await {
            Ok(answers) => assert!(answers.answers.iter().all(|it| it.not_yet != 0)),
            Err(status) => break status,
        }
        deliveries += 1;
        assert!(
            deliveries <= 16,
            "what is put off is remembered without end"
        );
    };
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    // The next stream begins anew.
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let answers = line.deliver(&world.forger, &[parcel]).await;
    assert_eq!(answers.answers[0].not_yet(), pb::NotYet::Unspecified);
    verify(world.log());
}
