//! Referrals between a county and a province: real nodes, real TLS, real stores.

use std::time::Duration;
use tonic::{Code, Status};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::{Cluster, grounds},
    domain::{Deadline, Timestamp},
    exchange::CourierOptions,
    rpc::{
        RefusedFor,
        pb::{self, Action, RecordState as S},
    },
};

const COUNTY: &str = "520624";
const GUANGDONG: &str = "440000";
const ZHEJIANG: &str = "330000";

type Client = pb::records_client::RecordsClient<tonic::transport::Channel>;

struct World {
    cluster: Cluster,
    _dir: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let codes = [COUNTY, GUANGDONG, ZHEJIANG];
        let cluster = Cluster::start(dir.path(), &codes, CourierOptions::default())
            .await
            .unwrap();
        cluster.introduce().await.unwrap();
        Self { cluster, _dir: dir }
    }

    fn client(&self, node: &str, of: &str, who: &str) -> Client {
        Client::new(self.cluster.channel(node, of, who).unwrap())
    }

    async fn open(&self, kind: pb::RecordKind) -> Result<pb::ActionTaken, Status> {
        let request = pb::OpenReferralRequest {
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            kind: kind.into(),
            to: "440300".into(),
            referral: Some(referral()),
            urgency: pb::Urgency::Urgent.into(),
            handling: pb::Handling::H0.into(),
        };
        let mut county = self.client(COUNTY, COUNTY, "officer-001");
        county
            .open_referral(request)
            .await
            .map(tonic::Response::into_inner)
    }

    /// Takes a step at a node, and waits until the other side has it.
    async fn step(&self, node: &str, id: &str, action: Action) -> Result<S, Status> {
        let says = matches!(action, Action::ReferralResubmit | Action::ReferralCorrect);
        let request = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(node, Purpose::Case)),
            record_id: id.to_owned(),
            action: action.into(),
            outcome: 0,
            return_reason: if action == Action::ReferralReturn {
                pb::ReturnReason::FormalitiesIncomplete.into()
            } else {
                0
            },
            note: if says {
                String::new()
            } else {
                "见附注".into()
            },
            referral: says.then(|| pb::Referral {
                title: "再次协查".into(),
                ..referral()
            }),
            override_assignment: false,
        };
        let mut client = self.client(node, node, "officer-001");
        let state = client.act_on_record(request).await?.into_inner().state();
        self.settled().await;
        Ok(state)
    }

    async fn settled(&self) {
        let settled = self.cluster.settled();
        tokio::time::timeout(Duration::from_secs(30), settled)
            .await
            .unwrap()
            .unwrap();
    }

    async fn show(&self, node: &str, id: &str) -> Result<pb::ShowRecordResponse, Status> {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(node, Purpose::Case)),
            record_id: id.to_owned(),
            override_assignment: false,
            standing_only: false,
        };
        let mut client = self.client(node, node, "officer-001");
        client
            .show_record(request)
            .await
            .map(tonic::Response::into_inner)
    }

    /// Both nodes see the same.
    async fn agrees(&self, id: &str, state: S) {
        for node in [COUNTY, GUANGDONG] {
            let shown = self.show(node, id).await.unwrap();
            assert_eq!(shown.summary.unwrap().state(), state, "at {node}");
        }
    }

    async fn list(&self, node: &str, of: &str, request: pb::ListRecordsRequest) -> Vec<String> {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(of, Purpose::Case)),
            ..request
        };
        let mut client = self.client(node, of, "officer-001");
        let listed = client.list_records(request).await.unwrap().into_inner();
        listed.records.into_iter().map(|r| r.record_id).collect()
    }
}

fn referral() -> pb::Referral {
    pb::Referral {
        title: "协查".into(),
        matter: "核实居住情况和资金往来".into(),
        case_number: "A5206240000002026110001".into(),
        subject_name: "钱癸子".into(),
        subject_number: "522225190010142478".into(),
        place_code: "440304".into(),
        substance: "海洛因".into(),
        lead_ids: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assistance_case_from_the_first_step_to_the_last() {
    let world = World::start().await;
    let opened = world.open(pb::RecordKind::Assistance).await.unwrap();
    assert_eq!(opened.state(), S::Sent);
    let id = opened.record_id;
    world.settled().await;
    world.agrees(&id, S::Delivered).await;

    // What is not allowed now is refused, and what is, is named.
    let refused = world
        .step(GUANGDONG, &id, Action::ReferralFeedback)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("sign by its recipient"),
        "{}",
        refused.message()
    );

    for (node, action, after) in [
        (GUANGDONG, Action::ReferralSign, S::SignedFor),
        (
            GUANGDONG,
            Action::ReferralRequestSupplement,
            S::SupplementRequested,
        ),
        (COUNTY, Action::ReferralSupply, S::SignedFor),
        (GUANGDONG, Action::ReferralReturn, S::Returned),
        (COUNTY, Action::ReferralResubmit, S::Sent),
        (GUANGDONG, Action::ReferralSign, S::SignedFor),
        (GUANGDONG, Action::ReferralAccept, S::Accepted),
        (GUANGDONG, Action::ReferralProgress, S::InProgress),
        (GUANGDONG, Action::ReferralProgress, S::InProgress),
        (GUANGDONG, Action::ReferralFeedback, S::FeedbackGiven),
        (COUNTY, Action::ReferralDispute, S::Disputed),
        (GUANGDONG, Action::ReferralFeedback, S::FeedbackGiven),
        (COUNTY, Action::ReferralConfirm, S::Confirmed),
        (COUNTY, Action::ReferralClose, S::Closed),
    ] {
        let state = world.step(node, &id, action).await.unwrap();
        assert_eq!(state, after, "{action:?}");
        let settled = if after == S::Sent {
            S::Delivered
        } else {
            after
        };
        world.agrees(&id, settled).await;
    }

    // Each step is in both logs, with its receipt where it was sent from.
    for node in [COUNTY, GUANGDONG] {
        let shown = world.show(node, &id).await.unwrap();
        assert_eq!(
            shown
                .content
                .and_then(pb::PayloadContent::referral)
                .unwrap()
                .title,
            "再次协查"
        );
        assert_eq!(shown.events.len(), 15);
        assert!(shown.allowed.is_empty());
        for event in &shown.events {
            let ours = event.principal.contains(node);
            assert_eq!(
                event.receipt.is_some(),
                ours,
                "{node}: {:?}",
                event.action()
            );
            assert!(!event.superseded && !event.waiting);
        }
    }
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_leaves_when_a_second_person_approves_it() {
    let world = World::start().await;
    let drafted = world.open(pb::RecordKind::Transfer).await.unwrap();
    assert_eq!(drafted.state(), S::Drafted);
    let id = drafted.record_id;

    // Nobody at the other side has it, and nobody here goes on with it.
    world.settled().await;
    assert_eq!(
        world.show(GUANGDONG, &id).await.unwrap_err().code(),
        Code::NotFound
    );
    let refused = world
        .step(COUNTY, &id, Action::ReferralRecall)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);

    let approve = |who: &'static str| {
        let request = pb::ApproveRecordRequest {
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            record_id: id.clone(),
        };
        let mut client = world.client(COUNTY, COUNTY, who);
        async move {
            client
                .approve_record(request)
                .await
                .map(tonic::Response::into_inner)
        }
    };
    assert_eq!(
        approve("officer-002").await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(approve("supervisor-001").await.unwrap().state(), S::Sent);
    assert_eq!(
        approve("supervisor-001").await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    world.settled().await;
    world.agrees(&id, S::Delivered).await;
    assert_eq!(
        world
            .show(GUANGDONG, &id)
            .await
            .unwrap()
            .content
            .and_then(pb::PayloadContent::referral)
            .unwrap(),
        referral()
    );
    for (node, action) in [
        (GUANGDONG, Action::ReferralSign),
        (GUANGDONG, Action::ReferralAccept),
        (GUANGDONG, Action::ReferralProgress),
    ] {
        world.step(node, &id, action).await.unwrap();
    }
    world.agrees(&id, S::InProgress).await;
    world.cluster.stop().await;
}

/// Regression: the originator alone recalled a transfer that was taken over, and closed one that it disputed (arts. 22, 356).
/// And the recipient was told to give the notice that its originator owes (art. 184).
#[tokio::test(flavor = "multi_thread")]
async fn regression_a_transfer_is_ended_by_agreement_and_its_originator_owes_the_notice() {
    let world = World::start().await;
    let drafted = world.open(pb::RecordKind::Transfer).await.unwrap();
    let id = drafted.record_id;
    let approve = pb::ApproveRecordRequest {
        grounds: Some(grounds(COUNTY, Purpose::Case)),
        record_id: id.clone(),
    };
    let mut supervisor = world.client(COUNTY, COUNTY, "supervisor-001");
    supervisor.approve_record(approve).await.unwrap();
    world.settled().await;
    world.agrees(&id, S::Delivered).await;

    for (node, action, refused) in [
        (GUANGDONG, Action::ReferralSign, None),
        (GUANGDONG, Action::ReferralAccept, None),
        (COUNTY, Action::ReferralRecall, Some(RefusedFor::TakenOver)),
        (GUANGDONG, Action::ReferralProgress, None),
        (COUNTY, Action::ReferralRecall, Some(RefusedFor::TakenOver)),
        (GUANGDONG, Action::ReferralFeedback, None),
        (COUNTY, Action::ReferralDispute, None),
        (
            COUNTY,
            Action::ReferralClose,
            Some(RefusedFor::DisputedTransfer),
        ),
        (GUANGDONG, Action::ReferralFeedback, None),
        (COUNTY, Action::ReferralConfirm, None),
        (COUNTY, Action::ReferralClose, None),
    ] {
        let done = world.step(node, &id, action).await;
        match (done, refused) {
            (Ok(state), None) => world.agrees(&id, state).await,
            (Err(status), Some(reason)) => {
                assert_eq!(status.code(), Code::FailedPrecondition);
                assert_eq!(RefusedFor::of(&status), Some(reason));
                let words = status.message();
                assert!(words.contains("arts. 22 and 356"), "{words}");
                // It is not offered either.
                let allowed = world.show(COUNTY, &id).await.unwrap().allowed;
                assert!(!allowed.contains(&action.into()));
            }
            (done, _) => panic!("{action:?}: {done:?}"),
        }
    }

    let mut notices = Vec::new();
    for node in [COUNTY, GUANGDONG] {
        let shown = world.show(node, &id).await.unwrap();
        notices.push(shown.notice_due_ms);
        if node == COUNTY {
            let opened = shown.events[0].time_ms;
            let due = Deadline::TransferNotice.due(Timestamp::from_millis(opened));
            assert_eq!(shown.notice_due_ms, due.millis());
        }
    }
    assert_eq!(notices[0], notices[1]);
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_does_not_approve_what_they_drafted_and_h1_is_no_evidence() {
    let world = World::start().await;
    let mut supervisor = world.client(COUNTY, COUNTY, "supervisor-001");
    let request = pb::OpenReferralRequest {
        grounds: Some(grounds(COUNTY, Purpose::Case)),
        kind: pb::RecordKind::Transfer.into(),
        to: GUANGDONG.into(),
        referral: Some(referral()),
        urgency: pb::Urgency::Normal.into(),
        handling: pb::Handling::H0.into(),
    };
    let drafted = supervisor
        .open_referral(request.clone())
        .await
        .unwrap()
        .into_inner();
    let approval = pb::ApproveRecordRequest {
        grounds: Some(grounds(COUNTY, Purpose::Case)),
        record_id: drafted.record_id,
    };
    let refused = supervisor.approve_record(approval).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let h1 = pb::OpenReferralRequest {
        handling: pb::Handling::H1.into(),
        ..request
    };
    assert_eq!(
        supervisor.open_referral(h1).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_find_what_concerns_them_and_nothing_else() {
    let world = World::start().await;
    let id = world
        .open(pb::RecordKind::Assistance)
        .await
        .unwrap()
        .record_id;
    let draft = world
        .open(pb::RecordKind::Transfer)
        .await
        .unwrap()
        .record_id;
    world.settled().await;
    let any = pb::ListRecordsRequest::default;
    let only = std::slice::from_ref(&id);

    assert_eq!(
        world.list(COUNTY, COUNTY, any()).await,
        [id.clone(), draft.clone()]
    );
    assert_eq!(world.list(GUANGDONG, GUANGDONG, any()).await, only);
    // With their own certificate at the county's node: what is between the two, and no draft.
    assert_eq!(world.list(COUNTY, GUANGDONG, any()).await, only);
    assert!(world.list(COUNTY, ZHEJIANG, any()).await.is_empty());

    let about = |request: pb::ListRecordsRequest| world.list(GUANGDONG, GUANGDONG, request);
    let number = |n: &str| pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        resident_number: n.into(),
        ..any()
    };
    assert_eq!(about(number("522225190010142478")).await, only);
    assert!(about(number("522225190304024303")).await.is_empty());
    let both = pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        name: "钱癸子".into(),
        place_code: "440304".into(),
        substance: "海洛因".into(),
        ..any()
    };
    assert_eq!(about(both.clone()).await, only);
    let other_place = pb::ListRecordsRequest {
        place_code: "440305".into(),
        ..both
    };
    assert!(about(other_place).await.is_empty());
    let soon = pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        due_before_ms: 1,
        ..any()
    };
    assert!(about(soon).await.is_empty());
    let some_day = pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        due_before_ms: u64::MAX,
        ..any()
    };
    assert_eq!(about(some_day).await, only);
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_hold_together_and_pages_neither_skip_nor_repeat_while_the_log_grows() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(
            world
                .open(pb::RecordKind::Assistance)
                .await
                .unwrap()
                .record_id,
        );
    }
    world.settled().await;
    let county = || world.client(COUNTY, COUNTY, "officer-001");
    let list = |request: pb::ListRecordsRequest| {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            ..request
        };
        let mut client = county();
        async move { client.list_records(request).await.unwrap().into_inner() }
    };

    // While the pages are turned, referrals change state and new ones come.
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            limit: 2,
            after_index: after,
            ..Default::default()
        };
        let page = list(page).await;
        seen.extend(page.records.into_iter().map(|r| r.record_id));
        after = page.next_after;
        if after.is_none() {
            break;
        }
        if seen.len() == 2 {
            world
                .step(GUANGDONG, &ids[0], Action::ReferralSign)
                .await
                .unwrap();
            world
                .step(GUANGDONG, &ids[3], Action::ReferralSign)
                .await
                .unwrap();
            ids.push(
                world
                    .open(pb::RecordKind::Assistance)
                    .await
                    .unwrap()
                    .record_id,
            );
        }
    }
    assert_eq!(seen, ids);

    world.settled().await;
    let count = async |request| list(request).await.records.len();
    let any = pb::ListRecordsRequest::default;
    let signed = vec![S::SignedFor.into()];
    assert_eq!(
        count(pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            states: signed.clone(),
            ..any()
        })
        .await,
        2
    );
    let fits = pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        states: signed,
        direction: pb::Direction::Sent.into(),
        kind: pb::RecordKind::Assistance.into(),
        counterpart: GUANGDONG.into(),
        urgency: pb::Urgency::Urgent.into(),
        since_ms: 1,
        before_ms: u64::MAX,
        ..any()
    };
    assert_eq!(count(fits.clone()).await, 2);
    for wrong in [
        pb::ListRecordsRequest {
            direction: pb::Direction::Received.into(),
            ..fits.clone()
        },
        pb::ListRecordsRequest {
            kind: pb::RecordKind::Transfer.into(),
            ..fits.clone()
        },
        pb::ListRecordsRequest {
            counterpart: ZHEJIANG.into(),
            ..fits.clone()
        },
        pb::ListRecordsRequest {
            urgency: pb::Urgency::Normal.into(),
            ..fits.clone()
        },
        pb::ListRecordsRequest {
            before_ms: 2,
            ..fits.clone()
        },
        pb::ListRecordsRequest {
            since_ms: u64::MAX,
            ..fits
        },
    ] {
        assert_eq!(count(wrong).await, 0);
    }
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_misses_nothing_and_resumes() {
    let world = World::start().await;
    let id = world
        .open(pb::RecordKind::Assistance)
        .await
        .unwrap()
        .record_id;
    world.settled().await;
    let watch = |after_index| pb::WatchRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: Some(grounds(GUANGDONG, Purpose::Case)),
        after_index,
    };
    let mut client = world.client(GUANGDONG, GUANGDONG, "officer-001");
    let mut all = client
        .watch_records(watch(Some(0)))
        .await
        .unwrap()
        .into_inner();
    let within = Duration::from_secs(30);
    let first = tokio::time::timeout(within, all.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(first.record.unwrap().record_id, id);

    world
        .step(GUANGDONG, &id, Action::ReferralSign)
        .await
        .unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&S::SignedFor) {
        let change = tokio::time::timeout(within, all.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(change.log_index > first.log_index);
        seen.push(change.record.unwrap().state());
    }
    // Resumed behind the first change, it begins with the next.
    let mut resumed = client
        .watch_records(watch(Some(first.log_index)))
        .await
        .unwrap()
        .into_inner();
    let next = tokio::time::timeout(within, resumed.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(next.log_index > first.log_index);
    drop((all, resumed));
    world.cluster.stop().await;
}

/// A partner's officer is shown what concerns theirs, also behind hundreds of changes that do not.
#[tokio::test(flavor = "multi_thread")]
async fn regression_who_follows_from_elsewhere_misses_nothing_behind_what_is_not_theirs() {
    let world = World::start().await;
    let mut county = world.client(COUNTY, COUNTY, "officer-001");
    let open = |to: &str| pb::OpenReferralRequest {
        grounds: Some(grounds(COUNTY, Purpose::Case)),
        kind: pb::RecordKind::Assistance.into(),
        to: to.to_owned(),
        referral: Some(referral()),
        urgency: pb::Urgency::Urgent.into(),
        handling: pb::Handling::H0.into(),
    };
    for _ in 0..300 {
        county.open_referral(open(ZHEJIANG)).await.unwrap();
    }
    let theirs = county.open_referral(open(GUANGDONG)).await.unwrap();
    let watch = pb::WatchRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: Some(grounds(GUANGDONG, Purpose::Case)),
        after_index: Some(0),
    };
    let mut client = world.client(COUNTY, GUANGDONG, "officer-001");
    let mut changes = client.watch_records(watch).await.unwrap().into_inner();
    let change = tokio::time::timeout(Duration::from_secs(30), changes.message()).await;
    let change = change.unwrap().unwrap().unwrap();
    let theirs = theirs.into_inner();
    assert_eq!(change.log_index, theirs.log_index);
    assert_eq!(change.record.unwrap().record_id, theirs.record_id);
    drop(changes);
    world.cluster.stop().await;
}
