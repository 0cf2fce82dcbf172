//! Records that a supervisor assigned: whose they are, who overrides that, and what the log says of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

#[path = "common/leads.rs"]
mod leads;

use std::time::Duration;
use tonic::{Code, Response, Status};
use yichuan::{
    access::Purpose,
    audit::{Inspection, Inspector, TileWriter, Trusted, verify_export},
    cli::demo::cluster::{Cluster, grounds},
    exchange::CourierOptions,
    record::{Consultation, Entry, Kind},
    rpc::pb::{self, desk_client::DeskClient, referrals_client::ReferralsClient},
    tls::Cards,
};

const COUNTY: &str = "520624";
const PROVINCE: &str = "440000";

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
        let push = pb::PushLeadsRequest {
            grounds: Some(grounds(COUNTY, Purpose::Screening)),
            row: 1,
            lead: Some(leads::lead(1, "440304")),
        };
        let mut desk = DeskClient::new(channel.clone());
        let pushed = desk.push_leads(tokio_stream::iter([push])).await;
        let verdict = pushed.unwrap().into_inner().message().await.unwrap();
        let open = pb::OpenReferralRequest {
            grounds: Some(grounds(COUNTY, Purpose::Case)),
            kind: pb::ReferralKind::Assistance.into(),
            to: PROVINCE.into(),
            referral: Some(pb::Referral {
                title: "协查".into(),
                matter: "核实居住情况".into(),
                ..pb::Referral::default()
            }),
            urgency: pb::Urgency::Normal.into(),
            handling: pb::Handling::H0.into(),
        };
        let opened = ReferralsClient::new(channel).open_referral(open).await;
        let world = Self {
            cluster,
            lead: verdict.unwrap().lead_id,
            referral: opened.unwrap().into_inner().referral_id,
            _dir: dir,
        };
        world.settled().await;
        world
    }

    async fn settled(&self) {
        let settled = self.cluster.settled();
        let settled = tokio::time::timeout(Duration::from_secs(30), settled).await;
        settled.unwrap().unwrap();
    }

    fn desk(&self, of: &str, who: &str) -> DeskClient<tonic::transport::Channel> {
        DeskClient::new(self.cluster.channel(PROVINCE, of, who).unwrap())
    }

    fn referrals(&self, of: &str, who: &str) -> ReferralsClient<tonic::transport::Channel> {
        ReferralsClient::new(self.cluster.channel(PROVINCE, of, who).unwrap())
    }

    async fn assign(&self, who: &str, record: &str, assignee: &str) -> Result<u64, Status> {
        let request = pb::AssignRecordRequest {
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            record_id: record.to_owned(),
            assignee: assignee.to_owned(),
        };
        let assigned = self.desk(PROVINCE, who).assign_record(request).await;
        assigned.map(|answer| answer.into_inner().log_index)
    }

    /// Somebody opens the lead at the province's node.
    async fn show(
        &self,
        of: &str,
        who: &str,
        overriding: bool,
    ) -> Result<pb::ShowLeadResponse, Status> {
        let request = pb::ShowLeadRequest {
            grounds: Some(grounds(of, Purpose::Case)),
            lead_id: self.lead.clone(),
            override_assignment: overriding,
        };
        let shown = self.desk(of, who).show_lead(request).await;
        shown.map(Response::into_inner)
    }

    async fn sign(&self, who: &str, overriding: bool) -> Result<u64, Status> {
        let request = pb::AnswerLeadRequest {
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            lead_id: self.lead.clone(),
            action: pb::Action::LeadSign.into(),
            override_assignment: overriding,
            ..pb::AnswerLeadRequest::default()
        };
        let signed = self.desk(PROVINCE, who).answer_lead(request).await;
        signed.map(|answer| answer.into_inner().log_index)
    }

    async fn listed(&self, of: &str, who: &str) -> Vec<pb::LeadSummary> {
        let request = pb::ListLeadsRequest {
            grounds: Some(grounds(of, Purpose::Case)),
            ..pb::ListLeadsRequest::default()
        };
        let listed = self.desk(of, who).list_leads(request).await;
        listed.unwrap().into_inner().leads
    }

    async fn show_referral(&self, who: &str, overriding: bool) -> Result<u64, Status> {
        let request = pb::ShowReferralRequest {
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            referral_id: self.referral.clone(),
            override_assignment: overriding,
        };
        let shown = self.referrals(PROVINCE, who).show_referral(request).await;
        shown.map(|answer| answer.into_inner().consulted_index)
    }

    async fn sign_referral(&self, who: &str, overriding: bool) -> Result<u64, Status> {
        let request = pb::ActOnReferralRequest {
            grounds: Some(grounds(PROVINCE, Purpose::Case)),
            referral_id: self.referral.clone(),
            action: pb::Action::ReferralSign.into(),
            override_assignment: overriding,
            ..pb::ActOnReferralRequest::default()
        };
        let signed = self.referrals(PROVINCE, who).act_on_referral(request).await;
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

    fn size(&self) -> u64 {
        let log = self.cluster.member(PROVINCE).node.log();
        log.checkpoint().size()
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
    assert_eq!(world.size(), before, "what is refused leaves no entry");

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

    // The county that sent it opens it, and does not learn whose it is there.
    let shown = world.show(COUNTY, "officer-002", false).await.unwrap();
    assert_eq!(shown.summary.unwrap().assigned_to, "");
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
    let (lead, referral) = (world.lead.as_str(), world.referral.as_str());
    for (kind, id) in [("lead", lead), ("referral", referral)] {
        let assign = |who, to| world.command(who, &[kind, "assign", id, "--to", to]);
        let (code, _, said) = assign("officer-001", "officer/001");
        assert_eq!(code, 77, "{said}");
        let (code, said, _) = assign("supervisor-001", "officer/001");
        assert_eq!(code, 0);
        let begins = format!("{id}: assigned to officer/001, entry ");
        assert!(said.starts_with(&begins), "{said}");

        let (code, list, _) =
            world.command("officer-002", &[kind, "list", "--direction", "received"]);
        assert_eq!(code, 0);
        assert!(
            list.contains("assigned to") && list.contains("officer/001"),
            "{list}"
        );
        for args in [&[kind, "show", id][..], &[kind, "sign", id]] {
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
