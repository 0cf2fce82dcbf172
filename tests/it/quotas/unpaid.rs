//! What once cost nothing, or less than it took: looking through everything, guessing under a known number, calls that
//! tonic refuses or answers by itself, streams that do not begin.

use super::*;
use heard::Heard;
use http::{Request, Response};
use tonic::body::Body;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{Service as _, ServiceExt as _};
use world::code;
use yichuan::{
    merkle,
    rpc::pb::{exchange_client::ExchangeClient, records_client::RecordsClient},
    tls::{Authority, Ca, Crl, Validity, dev},
};

/// A call as no client of ours makes it.
async fn raw(channel: &Channel, path: &str, encoding: &str) -> Response<Body> {
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("grpc-encoding", encoding)
        .body(Body::empty())
        .unwrap();
    let mut channel = channel.clone();
    let ready = within(channel.ready()).await.unwrap();
    within(ready.call(request)).await.unwrap()
}

fn code_of(response: &Response<Body>) -> Code {
    Status::from_header_map(response.headers()).unwrap().code()
}

#[tokio::test]
async fn regression_a_list_that_finds_nothing_pays_for_what_it_looks_at() {
    let world = world(Quotas {
        calls_per_minute: 8,
        ..Quotas::default()
    })
    .await;
    let pushed = push(world.dial("officer-002"), leads(0..450)).await;
    assert_eq!((pushed.0.len(), pushed.1.is_none()), (450, true));
    let mut records = RecordsClient::new(world.dial("officer-001"));
    let fruitless = || pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        origin: "110000".to_owned(),
        limit: 1,
        ..pb::ListRecordsRequest::default()
    };
    let mut answered = 0;
    let refused = loop {
        match within(records.list_records(fruitless())).await {
            Ok(page) => assert!(page.into_inner().records.is_empty()),
            Err(refused) => break refused,
        }
        answered += 1;
    };
    exhausted(&refused, "calls_per_minute");
    assert_eq!(answered, 3);
}

#[tokio::test]
async fn regression_what_tonic_refuses_is_paid_for_and_none_of_it_is_repeated() {
    let heard = Heard::listen();
    let world = world(Quotas {
        calls_per_minute: 10,
        ..Quotas::default()
    })
    .await;
    let officer = world.dial("officer-001");
    heard.take();
    for n in 0..5 {
        let made_up = format!("zhangsan-52062419000101001{n}");
        let refused = raw(&officer, "/yichuan.v1.Records/ListRecords", &made_up).await;
        assert_eq!(code_of(&refused), Code::Unimplemented);
        let nowhere = format!("/yichuan.v1.Records/{made_up}");
        let refused = raw(&officer, &nowhere, "identity").await;
        assert_eq!(code_of(&refused), Code::Unimplemented);
    }
    // An id is as much the caller's word as a header is.
    let mut other = RecordsClient::new(world.dial("officer-002"));
    let show = pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(COUNTY, Purpose::Screening)),
        record_id: "52062419-0001-7100-9000-000000000000".to_owned(),
        ..pb::ShowRecordRequest::default()
    };
    let refused = within(other.show_record(show)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let refusals = || {
        let said = heard.take().into_iter();
        said.filter(|line| line["message"] == "a call was refused")
            .collect::<Vec<_>>()
    };
    let said = refusals();
    assert_eq!(said.len(), 11);
    let reasons: std::collections::BTreeSet<_> = said.iter().map(|line| &line["reason"]).collect();
    assert!(reasons.into_iter().eq(["not_found", "unimplemented"]));
    for line in said.iter().flat_map(|line| line.values()) {
        assert!(!line.contains("52062419") && !line.contains("zhangsan"));
    }
    // Ten calls are spent.
    let refused = raw(&officer, "/yichuan.v1.Records/ListRecords", "br").await;
    assert_eq!(code_of(&refused), Code::ResourceExhausted);
    assert_eq!(refusals().last().unwrap()["reason"], "calls_per_minute");
}

#[tokio::test]
async fn regression_health_is_asked_within_the_quotas_too() {
    let world = world(Quotas {
        calls_per_minute: 5,
        streams: 2,
        ..Quotas::default()
    })
    .await;
    let ask = HealthCheckRequest::default;
    let mut health = HealthClient::new(world.dial("officer-001"));
    let one = within(health.watch(ask())).await.unwrap();
    let _two = within(health.watch(ask())).await.unwrap();
    let refused = within(health.watch(ask())).await.unwrap_err();
    assert!(refused.message().contains("quotas.streams"), "{refused:?}");
    drop(one);
    for _ in 0..2 {
        within(health.check(ask())).await.unwrap();
    }
    let refused = within(health.check(ask())).await.unwrap_err();
    exhausted(&refused, "calls_per_minute");
    // The place of a stream that ended is free again.
    world.clock.forward(60);
    within(async {
        while health.watch(ask()).await.is_err() {
            world.clock.forward(60);
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn regression_a_push_that_does_not_begin_is_a_stream_already() {
    let world = world(Quotas {
        streams: 2,
        ..Quotas::default()
    })
    .await;
    let officer = world.dial("officer-001");
    let waiting = |_| {
        let mut records = RecordsClient::new(officer.clone());
        Box::pin(async move { records.push_records(tokio_stream::pending()).await })
    };
    let pushes = (0..3).map(waiting);
    let (refused, _, still) = within(futures_util::future::select_all(pushes)).await;
    let refused = refused.unwrap_err();
    assert!(refused.message().contains("quotas.streams"), "{refused:?}");
    assert_eq!(still.len(), 2);
}

#[tokio::test]
async fn regression_each_name_under_a_number_is_another_guess() {
    let world = world(Quotas {
        misses_per_hour: 2,
        ..Quotas::default()
    })
    .await;
    let mut referrals = RecordsClient::new(world.dial("officer-001"));
    let mut caught = RecordsClient::new(world.dial("officer-002"));
    let mut answered = [0, 0];
    for n in 0..10 {
        let name = format!("测试{n}");
        let about = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            resident_number: leads::resident_number(1),
            name: name.clone(),
            ..pb::ListRecordsRequest::default()
        };
        answered[0] += usize::from(within(referrals.list_records(about)).await.is_ok());
        let about = pb::ListRecordsRequest {
            family: pb::RecordFamily::ArrestNotice.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            resident_number: leads::resident_number(1),
            name,
            ..pb::ListRecordsRequest::default()
        };
        answered[1] += usize::from(within(caught.list_records(about)).await.is_ok());
    }
    assert_eq!(answered, [2, 2]);
}

/// What a referral says of a place or a substance is tried out as a number is.
#[tokio::test]
async fn regression_each_place_and_each_substance_is_another_guess_also_after_a_restart() {
    let world = world(Quotas {
        misses_per_hour: 2,
        ..Quotas::default()
    })
    .await;
    let mut places = RecordsClient::new(world.dial("officer-001"));
    let mut substances = RecordsClient::new(world.dial("officer-002"));
    let mut answered = [0, 0];
    for n in 0..10 {
        let there = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            place_code: format!("44030{n}"),
            ..pb::ListRecordsRequest::default()
        };
        answered[0] += usize::from(within(places.list_records(there)).await.is_ok());
        let of = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            substance: format!("毒品{n}"),
            ..pb::ListRecordsRequest::default()
        };
        answered[1] += usize::from(within(substances.list_records(of)).await.is_ok());
    }
    assert_eq!(answered, [2, 2]);
    let (_dir, county) = world.restarted().await;
    let endpoint = &county.config.listen.endpoint;
    let officer = channel(endpoint, COUNTY, COUNTY, "officer-001");
    let refused = search(officer, 1).await.unwrap_err();
    exhausted(&refused, "misses_per_hour");
    county.node.stop().await;
}

/// With its CA's key a partner makes lists without end, each newer than the one before.
#[tokio::test]
async fn regression_revocation_lists_without_end_are_left_out() {
    let heard = Heard::listen();
    let world = world(Quotas::default()).await;
    let ca = dev::ca(code(GUANGDONG)).unwrap();
    let authority = Authority::parse(ca.certificate.as_bytes()).unwrap();
    let ca = Ca::from_pem(ca.certificate, ca.key).unwrap();
    let validity = Validity::days(SystemClock.now(), 30);
    let endpoint = &world.cluster.member(COUNTY).config.listen.endpoint;
    let node = channel(endpoint, COUNTY, GUANGDONG, "node");
    let taken = async |numbers: std::ops::Range<u64>| {
        heard.take();
        for number in numbers {
            let list = ca.crl(number, &[], validity).unwrap();
            let list = Crl::parse(list.as_bytes(), &authority).unwrap();
            let hello = pb::RelayHello {
                protocol: 1,
                verified: Some(pb::VerifiedTree {
                    root: merkle::empty_root().as_bytes().to_vec().into(),
                    ..pb::VerifiedTree::default()
                }),
                crl: list.der().to_vec().into(),
                ..pb::RelayHello::default()
            };
            let message = pb::relay_request::Message::Hello(hello);
            let saying = pb::RelayRequest {
                message: Some(message),
            };
            let mut exchange = ExchangeClient::new(node.clone());
            let answered = within(exchange.relay(tokio_stream::once(saying))).await;
            // Its answers end when what it brought was looked at.
            if let Ok(answers) = answered {
                let mut answers = answers.into_inner();
                within(async { while let Ok(Some(_)) = answers.message().await {} }).await;
            }
        }
        let newer = "a partner brought a newer revocation list";
        let said = heard.take().into_iter();
        said.filter(|line| line["message"] == newer).count()
    };
    // The minute may turn meanwhile, and the partner's own node may have brought one.
    let few = taken(1_000..1_020).await;
    assert!((3..=8).contains(&few), "{few}");
    world.clock.forward(60);
    assert_eq!(taken(1_020..1_021).await, 1);
}
