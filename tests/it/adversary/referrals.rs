//! A partner that abuses the referrals between it and an honest node.

use super::{
    hostile::{Forger, Line, Parcel, hello},
    recipient::Recipient,
    sender::World,
    world::{
        COUNTY, GUANGDONG, channel, eager, introduce, leaves, receipt_for, start, until, verify,
    },
};
use std::sync::Arc;
use tonic::transport::Channel;
use yichuan::{
    access::{Grounds, Purpose},
    cli::demo::cluster::{Cluster, grounds},
    domain::{
        Action, Clock as _, Family, Handling, LeadFields, RecordId, RecordKind, Timestamp,
        content::referral::ReferralFields,
    },
    entry::{Content, DispatchAction, Entry, Kind, Note, Refusal},
    merkle::{self, Hash},
    rpc::pb::{self, records_client::RecordsClient},
    telemetry::SystemClock,
};

/// The county, which asked a Guangdong that the test plays for assistance, and has its receipt.
struct Asked {
    _dir: tempfile::TempDir,
    cluster: Cluster,
    client: RecordsClient<Channel>,
    guangdong: Forger,
    line: Line,
    record: RecordId,
    opened: Hash,
    _recipient: Recipient,
}

fn says(title: &str) -> pb::Referral {
    pb::Referral {
        title: title.into(),
        matter: "请协助核查住处。".into(),
        ..Default::default()
    }
}

fn refusal_in(answer: &pb::Answer) -> Option<Refusal> {
    let kind = Entry::decode(&answer.entry).unwrap().kind;
    if let Kind::DispatchRefused { reason, .. } = kind {
        return Some(reason);
    }
    assert!(
        matches!(kind, Kind::DispatchReceived(_)),
        "{}",
        kind.as_str()
    );
    None
}

/// An action on a referral, as it travels.
pub(super) fn referral_action(action: Action) -> DispatchAction {
    DispatchAction::act(Family::Referral, action).unwrap()
}

impl Asked {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = start(dir.path(), &[COUNTY], eager()).await;
        let county = cluster.member(COUNTY);
        let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
        let recipient = Recipient::listen(Forger::new(GUANGDONG), COUNTY, log.verifier_key()).await;
        let state = Arc::clone(&recipient.state);
        let card = state.lock().unwrap().forger.card(&recipient.endpoint);
        introduce(endpoint, COUNTY, &card).await;
        let officer = channel(endpoint, COUNTY, COUNTY, "officer-001");
        let mut client = RecordsClient::new(officer);
        let request = pb::OpenReferralRequest {
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            kind: pb::RecordKind::Assistance.into(),
            to: GUANGDONG.into(),
            referral: Some(says("协查")),
            urgency: pb::Urgency::Normal.into(),
            handling: pb::Handling::H0.into(),
        };
        let opened = client.open_referral(request).await.unwrap().into_inner();
        until(log, 1, receipt_for(opened.log_index)).await;
        let leaf = &leaves(log)[usize::try_from(opened.log_index).unwrap()];
        let guangdong = state.lock().unwrap().forger.twin();
        let line = Line::open(endpoint, COUNTY, GUANGDONG, hello())
            .await
            .unwrap();
        Self {
            record: opened.record_id.parse().unwrap(),
            opened: merkle::leaf_hash(leaf),
            _dir: dir,
            client,
            guangdong,
            line,
            _recipient: recipient,
            cluster,
        }
    }

    /// A step of Guangdong's that follows this one, as dated.
    fn step(&mut self, act: Action, follows: Hash, time: Option<Timestamp>) -> Parcel {
        let note = Content::ReferralNote(Note("说明".into()));
        let (record, action) = (self.record, referral_action(act));
        self.guangdong
            .dispatch_but(COUNTY, &note, action, |entry, sent| {
                (sent.record, sent.predecessors) = (record, vec![follows]);
                entry.time = time.unwrap_or(entry.time);
            })
    }

    async fn act(
        &mut self,
        action: pb::Action,
        referral: Option<pb::Referral>,
    ) -> Result<(), String> {
        let request = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            record_id: self.record.to_string(),
            action: action.into(),
            note: if referral.is_none() {
                "说明".into()
            } else {
                String::new()
            },
            referral,
            ..Default::default()
        };
        let acted = self.client.act_on_record(request).await;
        acted
            .map(drop)
            .map_err(|status| status.message().to_owned())
    }
}

/// The county, to which a Guangdong that the test plays transferred a case. It signed for it.
pub(super) struct Transferred {
    _dir: tempfile::TempDir,
    pub(super) cluster: Cluster,
    client: RecordsClient<Channel>,
    /// Guangdong's log as it goes on; the recipient that listens for it has another copy.
    pub(super) guangdong: Forger,
    line: Line,
    pub(super) open: Parcel,
    pub(super) recipient: Recipient,
}

impl Transferred {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = start(dir.path(), &[COUNTY], eager()).await;
        let county = cluster.member(COUNTY);
        let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
        let mut guangdong = Forger::new(GUANGDONG);
        let recipient = Recipient::listen(guangdong.twin(), COUNTY, log.verifier_key()).await;
        introduce(endpoint, COUNTY, &guangdong.card(&recipient.endpoint)).await;
        let transfer = Content::Referral(Box::new(ReferralFields {
            title: "移送".into(),
            matter: "请依法办理。".into(),
            ..Default::default()
        }));
        let action = DispatchAction::open(RecordKind::Transfer);
        let open = guangdong.dispatch_but(COUNTY, &transfer, action, |_, _| {});
        let mut line = Line::open(endpoint, COUNTY, GUANGDONG, hello())
            .await
            .unwrap();
        let answers = line.deliver(&guangdong, std::slice::from_ref(&open)).await;
        assert_eq!(refusal_in(&answers.answers[0]), None);
        let officer = channel(endpoint, COUNTY, COUNTY, "officer-001");
        let mut new = Self {
            _dir: dir,
            client: RecordsClient::new(officer),
            guangdong,
            line,
            open,
            recipient,
            cluster,
        };
        new.county(pb::Action::ReferralSign).await;
        new
    }

    /// The county takes a step, and has Guangdong's receipt for it.
    async fn county(&mut self, action: pb::Action) -> Hash {
        let index = self.takes(action).await;
        let log = self.cluster.member(COUNTY).node.log();
        until(log, 1, receipt_for(index)).await;
        self.guangdong = self.recipient.state.lock().unwrap().forger.twin();
        self.hash_at(index)
    }

    /// The county takes a step; where its entry is.
    pub(super) async fn takes(&mut self, action: pb::Action) -> u64 {
        self.recipient.state.lock().unwrap().forger = self.guangdong.twin();
        let request = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            record_id: self.open.sent.record.to_string(),
            action: action.into(),
            note: "说明".into(),
            ..Default::default()
        };
        let acted = self.client.act_on_record(request).await.unwrap();
        acted.into_inner().log_index
    }

    /// The hash of an entry of the county's.
    pub(super) fn hash_at(&self, index: u64) -> Hash {
        let log = self.cluster.member(COUNTY).node.log();
        merkle::leaf_hash(&leaves(log)[usize::try_from(index).unwrap()])
    }

    /// A step in Guangdong's log, which says that it follows this one.
    pub(super) fn step(&mut self, act: Action, follows: Hash) -> Parcel {
        let note = Content::ReferralNote(Note("说明".into()));
        let (record, action) = (self.open.sent.record, referral_action(act));
        self.guangdong
            .dispatch_but(COUNTY, &note, action, |_, sent| {
                (sent.record, sent.predecessors) = (record, vec![follows]);
            })
    }

    pub(super) async fn deliver(&mut self, parcel: Parcel) -> Option<Refusal> {
        let answers = self.line.deliver(&self.guangdong, &[parcel]).await;
        refusal_in(&answers.answers[0])
    }

    pub(super) async fn state(&mut self) -> pb::RecordState {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            ..Default::default()
        };
        let listed = self.client.list_records(request).await.unwrap();
        listed.into_inner().records[0].state()
    }
}

/// Regression: the originator recalled a transfer that its recipient had taken over, and closed one that it disputed.
#[tokio::test]
async fn regression_a_partner_ends_no_transfer_alone_that_was_taken_over_or_is_disputed() {
    let mut transfer = Transferred::new().await;
    let accepted = transfer.county(pb::Action::ReferralAccept).await;
    // Whether it says that it knew of the acceptance or not: its own receipt for that is older than its recall.
    for follows in [accepted, hash(&transfer.open)] {
        let recall = transfer.step(Action::Recall, follows);
        assert_eq!(transfer.deliver(recall).await, Some(Refusal::NotAllowed));
    }
    // Nor does it hide behind something that nobody has seen.
    let recall = transfer.step(Action::Recall, merkle::leaf_hash(b"nobody"));
    assert_eq!(transfer.deliver(recall).await, Some(Refusal::NotAllowed));
    assert_eq!(transfer.state().await, pb::RecordState::Accepted);

    let feedback = transfer.county(pb::Action::ReferralFeedback).await;
    let dispute = transfer.step(Action::Dispute, feedback);
    let disputed = hash(&dispute);
    assert_eq!(transfer.deliver(dispute).await, None);
    let close = transfer.step(Action::Close, disputed);
    assert_eq!(transfer.deliver(close).await, Some(Refusal::NotAllowed));
    assert_eq!(transfer.state().await, pb::RecordState::Disputed);

    // They agree: the recipient gives feedback again, the originator confirms and closes.
    let again = transfer.county(pb::Action::ReferralFeedback).await;
    let confirm = transfer.step(Action::Confirm, again);
    let close = transfer.step(Action::Close, hash(&confirm));
    assert_eq!(transfer.deliver(confirm).await, None);
    assert_eq!(transfer.deliver(close).await, None);
    assert_eq!(transfer.state().await, pb::RecordState::Closed);
    verify(transfer.cluster.member(COUNTY).node.log());
    transfer.cluster.stop().await;
}

/// A recall that stood in the originator's log before it heard of the acceptance was made in time, however late it comes.
#[tokio::test]
async fn a_recall_that_crossed_with_an_acceptance_prevails() {
    let mut transfer = Transferred::new().await;
    let recall = transfer.step(Action::Recall, hash(&transfer.open));
    transfer.county(pb::Action::ReferralAccept).await;
    assert_eq!(transfer.deliver(recall).await, None);
    assert_eq!(transfer.state().await, pb::RecordState::Recalled);
    transfer.cluster.stop().await;
}

pub(super) fn hash(parcel: &Parcel) -> Hash {
    merkle::leaf_hash(&parcel.leaf)
}

/// Regression: a deadline of ours ran from when a partner said that it had taken the step that starts it.
#[tokio::test]
async fn regression_a_partners_clock_does_not_move_our_deadline() {
    const DAY: u64 = 86_400_000;
    for dated in [1_000, SystemClock.now().millis() + 20 * 3_600_000] {
        let mut asked = Asked::new().await;
        let sign = asked.step(Action::Sign, asked.opened, None);
        let time = Some(Timestamp::from_millis(dated));
        let ask = asked.step(Action::RequestSupplement, hash(&sign), time);
        asked.line.deliver(&asked.guangdong, &[sign, ask]).await;
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            ..Default::default()
        };
        let listed = asked.client.list_records(request).await.unwrap();
        let [row] = &listed.into_inner().records[..] else {
            panic!("one referral was opened");
        };
        assert_eq!(row.obliged, COUNTY);
        let today = jiff::Timestamp::from_millisecond(SystemClock.now().millis().cast_signed());
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        let start = today.unwrap().to_zoned(zone).start_of_day().unwrap();
        let end = start.timestamp().as_millisecond().cast_unsigned() + 4 * DAY - 1;
        // It may have become midnight meanwhile.
        assert!(
            [end, end - DAY].contains(&row.due_ms),
            "{} {end}",
            row.due_ms
        );
        asked.cluster.stop().await;
    }
}

/// Regression: the actions of both sides were counted together, so a partner could take all of them and leave none for
/// a recall.
#[tokio::test]
async fn regression_a_partner_does_not_use_up_the_actions_that_we_need() {
    let mut asked = Asked::new().await;
    let sign = asked.step(Action::Sign, asked.opened, None);
    let signed = hash(&sign);
    let answers = asked.line.deliver(&asked.guangdong, &[sign]).await;
    assert_eq!(refusal_in(&answers.answers[0]), None);

    // First what waits for what nobody has sent, then what follows what is there.
    let mut taken = Vec::new();
    for follows in [merkle::leaf_hash(b"nobody"), signed] {
        let mut count = 0;
        for _ in 0..3 {
            let progress = |_| asked.step(Action::Progress, follows, None);
            let parcels: Vec<_> = (0..50).map(progress).collect();
            let answers = asked.line.deliver(&asked.guangdong, &parcels).await;
            for answer in &answers.answers {
                match refusal_in(answer) {
                    None => count += 1,
                    refused => assert_eq!(refused, Some(Refusal::NotAllowed)),
                }
            }
        }
        taken.push(count);
    }
    assert_eq!(taken, [16, 95]);

    // Nor does our own side: what sets a referral right has room when other steps have none, and a recall after that.
    let mut corrected = 0;
    let full = loop {
        match asked
            .act(pb::Action::ReferralCorrect, Some(says("更正")))
            .await
        {
            Ok(()) => corrected += 1,
            Err(message) => break message,
        }
    };
    assert_eq!(corrected, 123, "{full}");
    asked.act(pb::Action::ReferralRecall, None).await.unwrap();
    verify(asked.cluster.member(COUNTY).node.log());
    asked.cluster.stop().await;
}

/// Regression: only a referral's own handling code was looked at. A transfer under H0 carried a lead that had come under H1,
/// which forbids use as evidence.
#[tokio::test]
async fn regression_a_transfer_does_not_carry_what_came_under_h1() {
    let mut world = World::new().await;
    let mut line = world.line().await;
    let under = |world: &mut World, handling: Handling| {
        let fields = LeadFields {
            handling: handling.as_str().to_owned(),
            ..world.leads.next().unwrap()
        };
        world.forger.lead(COUNTY, &fields)
    };
    let free = under(&mut world, Handling::H0);
    let kept = under(&mut world, Handling::H1);
    let ids = [&free, &kept].map(|parcel| parcel.sent.record);
    let answers = line.deliver(&world.forger, &[free, kept]).await;
    assert!(answers.answers.iter().all(|it| refusal_in(it).is_none()));

    let carrying = |id: RecordId| {
        Content::Referral(Box::new(ReferralFields {
            title: "移送".into(),
            matter: "请依法办理。".into(),
            lead_ids: vec![id.to_string()],
            ..Default::default()
        }))
    };
    for (kind, id, expected) in [
        (RecordKind::Transfer, ids[0], None),
        (RecordKind::Assistance, ids[1], None),
        (RecordKind::Transfer, ids[1], Some(Refusal::InvalidContent)),
    ] {
        let action = DispatchAction::open(kind);
        let open = world
            .forger
            .dispatch_but(COUNTY, &carrying(id), action, |_, _| {});
        let record = open.sent.record;
        let follows = hash(&open);
        let answers = line.deliver(&world.forger, &[open]).await;
        assert_eq!(refusal_in(&answers.answers[0]), expected, "{kind:?}");
        if (kind, expected) == (RecordKind::Transfer, None) {
            // Nor by a correction.
            let action = referral_action(Action::Correct);
            let correct =
                world
                    .forger
                    .dispatch_but(COUNTY, &carrying(ids[1]), action, |_, sent| {
                        (sent.record, sent.predecessors) = (record, vec![follows]);
                    });
            let answers = line.deliver(&world.forger, &[correct]).await;
            let refused = refusal_in(&answers.answers[0]);
            assert_eq!(refused, Some(Refusal::InvalidContent));
        }
    }

    // And not back.
    let officer = channel(&world.endpoint(), COUNTY, COUNTY, "officer-001");
    let refused = RecordsClient::new(officer)
        .open_referral(pb::OpenReferralRequest {
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            kind: pb::RecordKind::Transfer.into(),
            to: GUANGDONG.into(),
            referral: Some(pb::Referral {
                lead_ids: vec![ids[1].to_string()],
                ..says("移送")
            }),
            urgency: pb::Urgency::Normal.into(),
            handling: pb::Handling::H0.into(),
        })
        .await
        .unwrap_err();
    assert!(refused.message().contains("H1"), "{refused:?}");
    world.goes_on().await;
    world.cluster.stop().await;
}

/// A partner's log says who caused a dispatch. What nobody of that role does, or not for that purpose, is refused with proof.
#[tokio::test]
async fn regression_what_no_person_of_that_role_does_is_refused() {
    let mut world = World::new().await;
    let mut line = world.line().await;
    let person = |role: &str| format!("spiffe://{GUANGDONG}.yichuan/{role}");
    let by = |entry: &mut Entry, role: &str, purpose: &str| {
        let basis = format!("campaign:{GUANGDONG}-2026-01");
        entry.cause.principal = person(role).parse().unwrap();
        entry.cause.grounds = Some(Grounds::parse(purpose, &basis).unwrap());
    };
    let mut sent = Vec::new();
    for (role, purpose, refused) in [
        ("auditor/001", "audit", true),
        ("auditor/001", "screening", true),
        ("admin/001", "supervision", true),
        ("node", "screening", true),
        ("officer/001", "audit", true),
        ("supervisor/001", "screening", false),
    ] {
        let fields = world.leads.next().unwrap();
        let lead = world
            .forger
            .lead_but(COUNTY, &fields, |entry, _| by(entry, role, purpose));
        sent.push((lead, refused));
    }
    let content = Content::Referral(Box::new(ReferralFields {
        title: "移送".into(),
        matter: "请依法办理。".into(),
        ..Default::default()
    }));
    for (kind, role, refused) in [
        (RecordKind::Transfer, "officer/001", true),
        (RecordKind::Transfer, "supervisor/001", false),
        (RecordKind::Assistance, "officer/001", false),
        (RecordKind::Assistance, "admin/001", true),
    ] {
        let action = DispatchAction::open(kind);
        let open = world
            .forger
            .dispatch_but(COUNTY, &content, action, |entry, _| by(entry, role, "case"));
        sent.push((open, refused));
    }
    let (parcels, refused): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
    let answers = line.deliver(&world.forger, &parcels).await;
    let refusals = answers.answers.iter().map(refusal_in);
    let expected = refused
        .into_iter()
        .map(|refused| refused.then_some(Refusal::NotAllowed));
    assert_eq!(refusals.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    verify(world.cluster.member(COUNTY).node.log());
    world.goes_on().await;
    world.cluster.stop().await;
}
