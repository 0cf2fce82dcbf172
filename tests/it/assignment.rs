//! Records that a supervisor assigned: whose they are, who overrides that, and what the log says of it.

use crate::common::leads;
use std::time::Duration;
use tonic::{Code, Response, Status};
use yichuan::{
    access::Purpose,
    audit::{Inspection, Inspector, TileWriter, Trusted, verify_export},
    cli::demo::cluster::{Cluster, grounds},
    entry::{Consultation, Entry, Kind},
    exchange::CourierOptions,
    rpc::pb::{self, records_client::RecordsClient},
    tls::Cards,
};

const COUNTY: &str = "520624";
const PROVINCE: &str = "440000";

/// What the referral is about.
const PLACE: &str = "440304";
const SUBSTANCE: &str = "海洛因";
const NAME: &str = "钱癸子";

/// A county that sent a lead and a referral to a province.
struct World {
    cluster: Cluster,
    lead: String,
    referral: String,
    _dir: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = CourierOptions::default();
        let cluster = Cluster::start(dir.path(), &[COUNTY, PROVINCE], options);
        let cluster = cluster.await.unwrap();
        cluster.introduce().await.unwrap();
        let channel = cluster.channel(COUNTY, COUNTY, "officer-001").unwrap();
        let push = pb::PushRecordsRequest {
            grounds: Some(grounds(COUNTY, Purpose::Screening)),
            row: 1,
            content: Some(leads::lead(1, "440304").into()),
        };
        let mut records = RecordsClient::new(channel.clone());
        let pushed = records.push_records(tokio_stream::iter([push])).await;
        let verdict = pushed.unwrap().into_inner().message().await.unwrap();
        let open = pb::OpenReferralRequest {
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            kind: pb::RecordKind::Assistance.into(),
            to: PROVINCE.into(),
            referral: Some(pb::Referral {
                title: "协查".into(),
                matter: "核实居住情况".into(),
                place_code: PLACE.into(),
                substance: SUBSTANCE.into(),
                subject_name: NAME.into(),
                ..pb::Referral::default()
            }),
            urgency: pb::Urgency::Normal.into(),
            handling: pb::Handling::H0.into(),
        };
        let opened = RecordsClient::new(channel).open_referral(open).await;
        let world = Self {
            cluster,
            lead: verdict.unwrap().record_id,
            referral: opened.unwrap().into_inner().record_id,
            _dir: dir,
        };
        world.settled().await;
        world
    }

    /// The province tells the county of one of its residents who was caught.
    async fn notify(&self) -> String {
        let push = pb::PushRecordsRequest {
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            row: 1,
            content: Some(crate::caught::notice(1).into()),
        };
        let mut records = self.records(PROVINCE, "officer-001");
        let pushed = records.push_records(tokio_stream::iter([push])).await;
        let verdict = pushed.unwrap().into_inner().message().await.unwrap();
        verdict.unwrap().record_id
    }

    async fn settled(&self) {
        let settled = self.cluster.settled();
        let settled = tokio::time::timeout(Duration::from_secs(30), settled).await;
        settled.unwrap().unwrap();
    }

    fn records(&self, of: &str, who: &str) -> RecordsClient<tonic::transport::Channel> {
        RecordsClient::new(self.cluster.channel(PROVINCE, of, who).unwrap())
    }

    async fn assign(&self, who: &str, record: &str, assignee: &str) -> Result<u64, Status> {
        let request = pb::AssignRecordRequest {
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            record_id: record.to_owned(),
            assignee: assignee.to_owned(),
        };
        let assigned = self.records(PROVINCE, who).assign_record(request).await;
        assigned.map(|answer| answer.into_inner().log_index)
    }

    /// Somebody opens the lead at the province's node.
    async fn show(
        &self,
        of: &str,
        who: &str,
        overriding: bool,
    ) -> Result<pb::ShowRecordResponse, Status> {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(of, Purpose::Case)),
            record_id: self.lead.clone(),
            override_assignment: overriding,
            standing_only: false,
        };
        let shown = self.records(of, who).show_record(request).await;
        shown.map(Response::into_inner)
    }

    /// Somebody asks where the lead stands.
    async fn standing(&self, of: &str, who: &str) -> Result<pb::ShowRecordResponse, Status> {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(of, purpose(who))),
            record_id: self.lead.clone(),
            standing_only: true,
            ..pb::ShowRecordRequest::default()
        };
        let shown = self.records(of, who).show_record(request).await;
        shown.map(Response::into_inner)
    }

    async fn sign(&self, who: &str, overriding: bool) -> Result<u64, Status> {
        let request = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            record_id: self.lead.clone(),
            action: pb::Action::LeadSign.into(),
            override_assignment: overriding,
            ..pb::ActOnRecordRequest::default()
        };
        let signed = self.records(PROVINCE, who).act_on_record(request).await;
        signed.map(|answer| answer.into_inner().log_index)
    }

    async fn listed(&self, of: &str, who: &str) -> Vec<pb::RecordSummary> {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(of, Purpose::Case)),
            ..pb::ListRecordsRequest::default()
        };
        let listed = self.records(of, who).list_records(request).await;
        listed.unwrap().into_inner().records
    }

    async fn show_referral(&self, who: &str, overriding: bool) -> Result<u64, Status> {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            record_id: self.referral.clone(),
            override_assignment: overriding,
            standing_only: false,
        };
        let shown = self.records(PROVINCE, who).show_record(request).await;
        shown.map(|answer| answer.into_inner().consulted_index)
    }

    async fn sign_referral(&self, who: &str, overriding: bool) -> Result<u64, Status> {
        let request = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            record_id: self.referral.clone(),
            action: pb::Action::ReferralSign.into(),
            override_assignment: overriding,
            ..pb::ActOnRecordRequest::default()
        };
        let signed = self.records(PROVINCE, who).act_on_record(request).await;
        signed.map(|answer| answer.into_inner().log_index)
    }

    /// A command of somebody of the province: its exit code, what it printed, what it complained of.
    fn command(&self, who: &str, args: &[&str]) -> (i32, String, String) {
        let config = self.cluster.member(PROVINCE).dir.join("node.toml");
        let run = || {
            std::process::Command::new(env!("CARGO_BIN_EXE_yichuan"))
                .arg("--config")
                .arg(&config)
                .args(["--as", who, "--purpose", "case", "--lang", "en"])
                .args(["--basis", "case:A5206240000002026110001"])
                .args(args)
                .output()
        };
        let output = tokio::task::block_in_place(run).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    }

    /// Entries of the province's log, but for who tried what they may not.
    fn size(&self) -> usize {
        let log = self.cluster.member(PROVINCE).node.log();
        let leaves = log.reader().entries(0, usize::MAX, usize::MAX).unwrap();
        let kinds = leaves
            .iter()
            .map(|(_, leaf)| Entry::decode(leaf).unwrap().kind);
        kinds
            .filter(|kind| !matches!(kind, Kind::AttemptRefused(_)))
            .count()
    }

    async fn entry(&self, index: u64) -> Entry {
        let log = self.cluster.member(PROVINCE).node.log();
        let leaf = log.read(move |reader| reader.entry(index)).await;
        Entry::decode(&leaf.unwrap().unwrap().unwrap()).unwrap()
    }

    /// How the entry says that one record was consulted, by whose override.
    async fn consulted(&self, index: u64) -> (Consultation, bool) {
        let entry = self.entry(index).await;
        let Kind::Consulted {
            how, overridden, ..
        } = entry.kind
        else {
            panic!("{}", entry.kind.as_str());
        };
        (how, overridden)
    }

    async fn inspect(&self) -> Inspection {
        let member = self.cluster.member(PROVINCE);
        let log = member.node.log();
        let head = log.checkpoint();
        let count = usize::try_from(head.size()).unwrap();
        let leaves = log.read(move |reader| reader.entries(0, count, usize::MAX));
        let leaves = leaves.await.unwrap().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut writer = TileWriter::create(dir.path()).unwrap();
        let key: yichuan::note::VerifierKey = member.vkey.parse().unwrap();
        let trusted = Trusted {
            key: key.clone(),
            partners: Vec::new(),
        };
        let mut inspector = Inspector::new(trusted, &Cards).unwrap();
        for (_, leaf) in &leaves {
            writer.push(leaf).unwrap();
            inspector.push(leaf).unwrap();
        }
        writer.finish(&head).unwrap();
        let verified = verify_export(dir.path(), &key, |_, _| {}).unwrap();
        inspector.finish(verified.checkpoint()).unwrap()
    }
}

/// For what somebody of a role calls.
fn purpose(who: &str) -> Purpose {
    if who.starts_with("auditor") {
        Purpose::Audit
    } else {
        Purpose::Case
    }
}

#[track_caller]
fn denied<T: std::fmt::Debug>(result: Result<T, Status>, names: &str) {
    let status = result.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains(names), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assigned_lead_is_its_officers_and_others_see_only_that_it_exists() {
    let world = World::start().await;
    world.show(PROVINCE, "officer-002", false).await.unwrap();
    let index = world.assign("supervisor-001", &world.lead, "officer/001");
    let index = index.await.unwrap();
    assert_eq!(world.entry(index).await.kind.as_str(), "record_assigned");

    let before = world.size();
    for who in ["officer-002", "supervisor-001"] {
        denied(world.show(PROVINCE, who, false).await, "officer/001");
        denied(world.sign(who, false).await, "officer/001");
    }
    denied(
        world.show(PROVINCE, "officer-002", true).await,
        "only a supervisor",
    );
    denied(world.sign("officer-002", true).await, "only a supervisor");
    assert_eq!(
        world.size(),
        before,
        "what is refused leaves no trace of reading"
    );

    let listed = world.listed(PROVINCE, "officer-002").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].assigned_to, "officer/001");

    let shown = world.show(PROVINCE, "officer-001", false).await.unwrap();
    assert_eq!(shown.summary.unwrap().assigned_to, "officer/001");
    let open = (Consultation::Open, false);
    assert_eq!(world.consulted(shown.consulted_index).await, open);
    world.sign("officer-001", false).await.unwrap();

    // To nobody: open to all again.
    let nobody = world.assign("supervisor-001", &world.lead, "").await;
    nobody.unwrap();
    let shown = world.show(PROVINCE, "officer-002", false).await.unwrap();
    assert_eq!(shown.summary.unwrap().assigned_to, "");
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_overrides_and_the_log_says_so() {
    let world = World::start().await;
    for record in [&world.lead, &world.referral] {
        let assigned = world.assign("supervisor-001", record, "officer/001");
        assigned.await.unwrap();
    }
    let opened = (Consultation::Open, true);
    let shown = world.show(PROVINCE, "supervisor-001", true).await.unwrap();
    assert_eq!(world.consulted(shown.consulted_index).await, opened);
    let shown = world.show_referral("supervisor-001", true).await.unwrap();
    assert_eq!(world.consulted(shown).await, opened);

    // An act by override has its entry before it, by the same supervisor.
    let acted = (Consultation::Act, true);
    let lead = world.sign("supervisor-001", true).await.unwrap();
    let referral = world.sign_referral("supervisor-001", true).await.unwrap();
    for act in [lead, referral] {
        assert_eq!(world.consulted(act - 1).await, acted);
        let causes = (
            world.entry(act - 1).await.cause,
            world.entry(act).await.cause,
        );
        assert_eq!(causes.0, causes.1);
    }
    // One that is refused leaves neither.
    world.settled().await;
    let before = world.size();
    world.sign("supervisor-001", true).await.unwrap_err();
    assert_eq!(world.size(), before);

    // Where nothing stood in the way, nothing was overridden.
    let nobody = world.assign("supervisor-001", &world.lead, "").await;
    nobody.unwrap();
    let shown = world.show(PROVINCE, "supervisor-001", true).await.unwrap();
    let open = (Consultation::Open, false);
    assert_eq!(world.consulted(shown.consulted_index).await, open);

    let inspection = world.inspect().await;
    assert!(inspection.is_clean(), "{inspection:?}");
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_its_members_and_a_partner_is_not_concerned() {
    let world = World::start().await;
    for record in [&world.lead, &world.referral] {
        let assigned = world.assign("supervisor-001", record, "unit/narcotics");
        assigned.await.unwrap();
    }
    // Both officers are in the unit, as the sample configuration has it.
    for who in ["officer-001", "officer-002"] {
        world.show(PROVINCE, who, false).await.unwrap();
        world.show_referral(who, false).await.unwrap();
    }
    denied(
        world.show_referral("supervisor-001", false).await,
        "unit/narcotics",
    );
    denied(
        world.sign_referral("supervisor-001", false).await,
        "unit/narcotics",
    );

    // The county that sent it sees where it stands, and does not learn whose it is there.
    denied(
        world.show(COUNTY, "officer-002", false).await,
        "at your own node",
    );
    let shown = world.standing(COUNTY, "officer-002").await.unwrap();
    assert_eq!(shown.summary.unwrap().assigned_to, "");
    assert_eq!(
        (
            shown.content.and_then(pb::PayloadContent::lead),
            shown.events.len()
        ),
        (None, 1)
    );
    let listed = world.listed(COUNTY, "officer-002").await;
    assert_eq!(listed[0].assigned_to, "");
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_supervisor_assigns_and_only_what_is_there_to_whom_there_is() {
    let world = World::start().await;
    let before = world.size();
    let code = |result: Result<u64, Status>| result.unwrap_err().code();
    let lead = &world.lead;
    for who in ["officer-001", "auditor-001", "admin-001"] {
        let assigned = world.assign(who, lead, "officer/001").await;
        assert_eq!(code(assigned), Code::PermissionDenied, "{who}");
    }
    let unknown = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";
    for (record, assignee, refusal) in [
        (unknown, "officer/001", Code::NotFound),
        (lead, "unit/unheard-of", Code::InvalidArgument),
        (lead, "supervisor/001", Code::InvalidArgument),
        (lead, "somebody", Code::InvalidArgument),
    ] {
        let assigned = world.assign("supervisor-001", record, assignee).await;
        assert_eq!(code(assigned), refusal, "{assignee}");
    }
    assert_eq!(world.size(), before);
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_assign_list_refuse_and_override() {
    let world = World::start().await;
    let notice = world.notify().await;
    for (kind, id, way, steps) in [
        (
            "lead",
            world.lead.as_str(),
            "received",
            &["show", "sign"][..],
        ),
        ("referral", &world.referral, "received", &["show", "sign"]),
        ("caught", &notice, "sent", &["show"]),
    ] {
        let assign = |who, to| world.command(who, &[kind, "assign", id, "--to", to]);
        let (code, _, said) = assign("officer-001", "officer/001");
        assert_eq!(code, 77, "{said}");
        let (code, said, _) = assign("supervisor-001", "officer/001");
        assert_eq!(code, 0);
        let begins = format!("{id}: assigned to officer/001, entry ");
        assert!(said.starts_with(&begins), "{said}");

        let (code, list, _) = world.command("officer-002", &[kind, "list", "--direction", way]);
        assert_eq!(code, 0);
        assert!(
            list.contains("assigned to") && list.contains("officer/001"),
            "{list}"
        );
        for step in steps {
            let args = &[kind, step, id][..];
            let (code, _, said) = world.command("officer-002", args);
            assert_eq!(code, 77, "{args:?}");
            assert!(said.contains("assigned to officer/001"), "{said}");
            let overriding = [args, &["--override"]].concat();
            let (code, _, said) = world.command("supervisor-001", &overriding);
            assert_eq!(code, 0, "{said}");
        }
        let (code, said, _) = assign("supervisor-001", "nobody");
        assert_eq!(code, 0);
        assert!(said.contains("assigned to nobody"), "{said}");
        assert_eq!(world.command("officer-002", &[kind, "show", id]).0, 0);
    }
    world.cluster.stop().await;
}

/// What somebody learns of the assigned lead and the assigned referral at the province's node, by every way that there is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Learned {
    /// That they are there, from lists, a standing, and following.
    there: [bool; 5],
    /// What they say, opened; or found by number, name, place, substance.
    says: [bool; 6],
}

const NOTHING: Learned = Learned {
    there: [false; 5],
    says: [false; 6],
};
const STANDING: Learned = Learned {
    there: [true; 5],
    says: [false; 6],
};
const ALL: Learned = Learned {
    there: [true; 5],
    says: [true; 6],
};

impl World {
    async fn leads_of(&self, of: &str, who: &str, number: &str, over: bool) -> bool {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(of, purpose(who))),
            resident_number: number.to_owned(),
            override_assignment: over,
            ..pb::ListRecordsRequest::default()
        };
        let listed = self.records(of, who).list_records(request).await;
        listed.is_ok_and(|found| {
            let found = found.into_inner();
            assert_eq!(found.next_after, None, "a cursor says what is not found");
            found.records.iter().any(|lead| lead.record_id == self.lead)
        })
    }

    async fn referrals_of(
        &self,
        of: &str,
        who: &str,
        over: bool,
        asked: pb::ListRecordsRequest,
    ) -> bool {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(of, purpose(who))),
            override_assignment: over,
            ..asked
        };
        let listed = self.records(of, who).list_records(request).await;
        listed.is_ok_and(|found| {
            let found = found.into_inner();
            assert_eq!(found.next_after, None, "a cursor says what is not found");
            let ids = found.records.into_iter().map(|it| it.record_id);
            ids.collect::<Vec<_>>().contains(&self.referral)
        })
    }

    async fn follows(&self, of: &str, who: &str) -> bool {
        let request = pb::WatchRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(of, purpose(who))),
            after_index: Some(0),
        };
        let before = self.listings(of, who).await;
        let Ok(changes) = self.records(of, who).watch_records(request).await else {
            return false;
        };
        let mut changes = changes.into_inner();
        let change = tokio::time::timeout(Duration::from_secs(30), changes.message());
        let change = change.await.unwrap().unwrap().unwrap();
        assert_eq!(change.record.unwrap().record_id, self.referral);
        // Who follows leaves a trace, as who lists does, or has left it within this minute.
        assert!(
            before + self.listings(of, who).await > 0,
            "no trace of {who}"
        );
        true
    }

    /// Traces of their lists with the referral on it.
    async fn listings(&self, of: &str, who: &str) -> usize {
        let log = self.cluster.member(PROVINCE).node.log();
        let leaves = log.reader().entries(0, usize::MAX, usize::MAX).unwrap();
        let whose = format!("spiffe://{of}.yichuan/{}", who.replace('-', "/"));
        let entries = leaves.iter().map(|(_, leaf)| Entry::decode(leaf).unwrap());
        let referral = self.referral.parse().unwrap();
        let traces = entries.filter(|entry| {
            entry.cause.principal.to_string() == whose
                && matches!(&entry.kind, Kind::Consulted { how: Consultation::List, records, .. }
                    if records.contains(&referral))
        });
        traces.count()
    }

    async fn learned(&self, of: &str, who: &str, over: bool) -> Learned {
        let any = pb::ListRecordsRequest::default;
        let number = leads::resident_number(1);
        let show = pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(of, purpose(who))),
            record_id: self.lead.clone(),
            override_assignment: over,
            ..pb::ShowRecordRequest::default()
        };
        let read = pb::ShowRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(of, purpose(who))),
            record_id: self.referral.clone(),
            override_assignment: over,
            ..pb::ShowRecordRequest::default()
        };
        let stands = pb::ShowRecordRequest {
            standing_only: true,
            ..read.clone()
        };
        let about = |place: &str, substance: &str, name: &str| pb::ListRecordsRequest {
            family: pb::RecordFamily::Referral.into(),
            place_code: place.to_owned(),
            substance: substance.to_owned(),
            name: name.to_owned(),
            ..any()
        };
        let stands = self.records(of, who).show_record(stands).await;
        let stands = stands.is_ok_and(|shown| {
            let shown = shown.into_inner();
            assert_eq!(shown.content.and_then(pb::PayloadContent::referral), None);
            assert!(shown.events.iter().all(|event| event.note.is_empty()));
            true
        });
        Learned {
            there: [
                self.leads_of(of, who, "", over).await,
                self.referrals_of(of, who, over, any()).await,
                self.standing(of, who).await.is_ok(),
                stands,
                self.follows(of, who).await,
            ],
            says: [
                self.records(of, who).show_record(show).await.is_ok(),
                self.records(of, who).show_record(read).await.is_ok(),
                self.leads_of(of, who, &number, over).await,
                self.referrals_of(of, who, over, about(PLACE, "", "")).await,
                self.referrals_of(of, who, over, about("", SUBSTANCE, ""))
                    .await,
                self.referrals_of(of, who, over, about("", "", NAME)).await,
            ],
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn regression_by_every_way_each_learns_of_an_assigned_record_what_is_theirs() {
    let world = World::start().await;
    for record in [&world.lead, &world.referral] {
        let assigned = world.assign("supervisor-001", record, "officer/001");
        assigned.await.unwrap();
    }
    for (of, who, over, expected) in [
        (PROVINCE, "officer-001", false, ALL),
        (PROVINCE, "officer-002", false, STANDING),
        (PROVINCE, "officer-002", true, STANDING),
        (PROVINCE, "supervisor-001", false, STANDING),
        (PROVINCE, "supervisor-001", true, ALL),
        // Of the same number as the one whose it is, with a certificate of the partner.
        (COUNTY, "officer-001", false, STANDING),
        (COUNTY, "officer-001", true, STANDING),
        (COUNTY, "supervisor-001", true, STANDING),
        (COUNTY, "auditor-001", false, NOTHING),
        (COUNTY, "node", false, NOTHING),
        (PROVINCE, "admin-001", false, NOTHING),
    ] {
        let learned = world.learned(of, who, over).await;
        assert_eq!(learned, expected, "{of} {who}, override {over}");
    }
    // An auditor lists nothing, and opens with a basis.
    let learned = world.learned(PROVINCE, "auditor-001", false).await;
    let opens = Learned {
        says: [true, true, false, false, false, false],
        ..NOTHING
    };
    assert_eq!(learned, opens);
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_assessment_found_is_shown_to_whom_the_lead_is_assigned() {
    let world = World::start().await;
    world.sign("officer-001", false).await.unwrap();
    let assess = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(PROVINCE, Purpose::Case)),
        record_id: world.lead.clone(),
        action: pb::Action::LeadAssess.into(),
        outcome: pb::AssessmentOutcome::Verified.into(),
        ..pb::ActOnRecordRequest::default()
    };
    let mut officer = world.records(PROVINCE, "officer-001");
    officer.act_on_record(assess).await.unwrap();
    let assigned = world.assign("supervisor-001", &world.lead, "officer/001");
    assigned.await.unwrap();
    for (of, who, outcome) in [
        (PROVINCE, "officer-001", pb::AssessmentOutcome::Verified),
        (PROVINCE, "officer-002", pb::AssessmentOutcome::Unspecified),
        (COUNTY, "officer-001", pb::AssessmentOutcome::Unspecified),
    ] {
        let listed = world.listed(of, who).await;
        assert_eq!(listed[0].state(), pb::RecordState::Assessed);
        assert_eq!(listed[0].outcome(), outcome, "{of} {who}");
    }
    world.cluster.stop().await;
}
