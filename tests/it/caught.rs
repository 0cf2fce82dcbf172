//! Caught notices from a province to the county whose residents it caught: real nodes, real TLS, real stores, and the
//! program as officers run it.

use crate::common::leads;
use serde_json::Value;
use std::{io::Write as _, path::Path, process::Stdio, time::Duration};
use tonic::{Code, Status};
use yichuan::{
    access::Purpose,
    audit::{Inspector, ReplayFilter, Trusted},
    cli::demo::cluster::{Cluster, grounds},
    domain::{ArrestNoticeColumn, ArrestNoticeFields},
    exchange::CourierOptions,
    rpc::pb::{self, RecordState as S, Verdict as V},
    tls::Cards,
};

const COUNTY: &str = "520624";
const GUANGDONG: &str = "440000";
const ZHEJIANG: &str = "330000";

type Client = pb::records_client::RecordsClient<tonic::transport::Channel>;

struct World {
    cluster: Cluster,
    dir: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let codes = [COUNTY, GUANGDONG, ZHEJIANG];
        let cluster = Cluster::start(dir.path(), &codes, CourierOptions::default())
            .await
            .unwrap();
        cluster.introduce().await.unwrap();
        Self { cluster, dir }
    }

    fn client(&self, node: &str, of: &str) -> Client {
        Client::new(self.cluster.channel(node, of, "officer-001").unwrap())
    }

    async fn settled(&self) {
        let settled = self.cluster.settled();
        tokio::time::timeout(Duration::from_secs(30), settled)
            .await
            .unwrap()
            .unwrap();
    }

    /// Pushes at Guangdong's node, and waits until the other side has it.
    async fn push(&self, notices: &[pb::CaughtNotice]) -> Vec<pb::PushRecordsResponse> {
        let requests: Vec<_> = (1..)
            .zip(notices)
            .map(|(row, notice)| pb::PushRecordsRequest {
                grounds: (row == 1).then(|| grounds(GUANGDONG, Purpose::Case)),
                row,
                content: Some(notice.clone().into()),
            })
            .collect();
        let mut client = self.client(GUANGDONG, GUANGDONG);
        let answering = client.push_records(tokio_stream::iter(requests)).await;
        let mut verdicts = answering.unwrap().into_inner();
        let mut all = Vec::new();
        while let Some(verdict) = verdicts.message().await.unwrap() {
            all.push(verdict);
        }
        self.settled().await;
        all
    }

    async fn show(&self, node: &str, of: &str, id: &str) -> Result<pb::ShowRecordResponse, Status> {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::ArrestNotice.into(),
            grounds: Some(grounds(of, Purpose::Case)),
            record_id: id.to_owned(),
            override_assignment: false,
            standing_only: false,
        };
        let mut client = self.client(node, of);
        let shown = client.show_record(request).await;
        shown.map(tonic::Response::into_inner)
    }

    async fn list(&self, node: &str, of: &str, request: pb::ListRecordsRequest) -> Vec<String> {
        let request = pb::ListRecordsRequest {
            family: pb::RecordFamily::ArrestNotice.into(),
            grounds: Some(grounds(of, Purpose::Case)),
            ..request
        };
        let listed = self.client(node, of).list_records(request).await.unwrap();
        let notices = listed.into_inner().records;
        notices.into_iter().map(|n| n.record_id).collect()
    }

    /// The county pushes a lead to this destination; its id.
    async fn lead(&self, n: usize, destination: &str) -> String {
        let request = pb::PushRecordsRequest {
            grounds: Some(grounds(COUNTY, Purpose::Screening)),
            row: 1,
            content: Some(leads::lead(n, destination).into()),
        };
        let channel = self.cluster.channel(COUNTY, COUNTY, "officer-001").unwrap();
        let mut records = pb::records_client::RecordsClient::new(channel);
        let answering = records.push_records(tokio_stream::iter([request])).await;
        let verdict = answering.unwrap().into_inner().message().await.unwrap();
        self.settled().await;
        verdict.unwrap().record_id
    }

    /// Runs the program as Guangdong's officer; exit code and lines of JSON.
    async fn run(&self, args: &[&str], stdin: &'static str) -> (i32, Vec<Value>) {
        let home = self.cluster.member(GUANGDONG).dir.clone();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_yichuan"));
        command
            .env_clear()
            .env("LANG", "C")
            .args(["--config", home.join("node.toml").to_str().unwrap()])
            .args(["--as", "officer-001", "--purpose", "case"])
            .args(["--basis", "case:A4403040000002026060001"])
            .args(["--format", "json"])
            .args(args)
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let ran = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            // A command that reads nothing may have closed it.
            drop(input.write_all(stdin.as_bytes()));
            drop(input);
            child.wait_with_output().unwrap()
        });
        let ran = ran.await.unwrap();
        let lines = String::from_utf8(ran.stdout).unwrap();
        let lines = lines.lines().map(|l| serde_json::from_str(l).unwrap());
        (ran.status.code().unwrap(), lines.collect())
    }
}

/// The `n`th notice, about the person of the `n`th lead.
pub(crate) fn notice(n: usize) -> pb::CaughtNotice {
    pb::CaughtNotice {
        number: format!("GD-2026-{n:04}"),
        name: format!("测试{n:06}"),
        sex: "M".into(),
        resident_number: leads::resident_number(n),
        registered_code: "520624101".into(),
        registered_place: "思南县".into(),
        caught_on: "2024-05-06".into(),
        caught_code: "440304".into(),
        caught_place: "深圳市福田区".into(),
        substance: "冰毒".into(),
        conduct: "贩卖毒品".into(),
        measure: "刑事拘留".into(),
        case_number: "A4403040000002024050001".into(),
        ..Default::default()
    }
}

fn reason(verdict: &pb::PushRecordsResponse) -> (&str, &str) {
    let reason = &verdict.reasons[0];
    (reason.column.as_str(), reason.code.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_county_hears_of_its_residents_with_and_without_a_lead_before() {
    let world = World::start().await;
    let lead_id = world.lead(1, "440304").await;
    let of_lead = pb::CaughtNotice {
        lead_id: lead_id.clone(),
        ..notice(1)
    };
    let pushed = world.push(&[of_lead.clone(), notice(2)]).await;
    assert_eq!(pushed.len(), 2);
    for (verdict, said) in pushed.iter().zip([of_lead, notice(2)]) {
        assert_eq!(verdict.verdict(), V::Accept, "{:?}", verdict.reasons);
        let there = world
            .show(COUNTY, COUNTY, &verdict.record_id)
            .await
            .unwrap();
        let here = world
            .show(GUANGDONG, GUANGDONG, &verdict.record_id)
            .await
            .unwrap();
        assert_eq!(
            there
                .content
                .clone()
                .and_then(pb::PayloadContent::notice)
                .as_ref(),
            Some(&said)
        );
        assert_eq!(
            here.content
                .clone()
                .and_then(pb::PayloadContent::notice)
                .as_ref(),
            Some(&said)
        );
        // Delivered is the end, and the sender holds the proof.
        for shown in [&there, &here] {
            assert_eq!(shown.summary.as_ref().unwrap().state(), S::Delivered);
            let [sent] = shown.events.as_slice() else {
                panic!("{:?}", shown.events)
            };
            assert_eq!(sent.principal, "spiffe://440000.yichuan/officer/001");
        }
        let receipt = here.events[0].receipt.as_ref().unwrap();
        assert_eq!(receipt.partner_index, there.summary.unwrap().log_index);
        assert!(there.events[0].receipt.is_none());
    }

    // The same again changes nothing; the number with other content does not pass.
    let again = world.push(&[notice(2)]).await;
    assert_eq!(again[0].verdict(), V::Duplicate);
    assert_eq!(
        (&again[0].record_id, again[0].log_index),
        (&pushed[1].record_id, pushed[1].log_index)
    );
    let changed = pb::CaughtNotice {
        measure: "取保候审".into(),
        ..notice(2)
    };
    let changed = world.push(&[changed]).await;
    assert_eq!(reason(&changed[0]), ("number", "changed_content"));

    audited(&world, GUANGDONG).await;
    audited(&world, COUNTY).await;
    world.cluster.stop().await;
}

/// An auditor finds nothing wrong in a node's log, and the notices in it by their action.
async fn audited(world: &World, code: &str) {
    let member = world.cluster.member(code);
    let (leaves, head) = member
        .node
        .log()
        .read(|reader| {
            let leaves: Vec<Vec<u8>> = (0..reader.size())
                .map(|index| reader.entry(index).unwrap().unwrap())
                .collect();
            (leaves, reader.checkpoint())
        })
        .await
        .unwrap();
    let trusted = Trusted {
        key: member.vkey.parse().unwrap(),
        partners: Vec::new(),
    };
    let mut inspector = Inspector::new(trusted, &Cards).unwrap();
    for leaf in &leaves {
        inspector.push(leaf).unwrap();
    }
    let inspection = inspector.finish(&head).unwrap();
    assert!(inspection.is_clean(), "{inspection:?}");
    let all = ReplayFilter::default();
    let rows = (0..).zip(&leaves).map(|(index, leaf)| {
        let row = serde_json::to_string(&all.row(index, leaf).unwrap()).unwrap();
        assert!(!row.contains("测试"), "{row}");
        row
    });
    let caught = rows.filter(|row| row.contains(r#""caught""#)).count();
    assert!(caught >= 2, "{caught} entries of notices at {code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_does_not_hold_is_refused_with_its_column() {
    let world = World::start().await;
    let of_another = world.lead(3, "330106").await;
    let wrong = |change: &dyn Fn(&mut pb::CaughtNotice)| {
        let mut notice = notice(3);
        change(&mut notice);
        notice
    };
    let cases = [
        (
            wrong(&|n| n.case_number.clear()),
            ("case_number", "missing_value"),
        ),
        (
            wrong(&|n| n.caught_on = "2099-01-01".into()),
            ("caught_on", "future_catch"),
        ),
        (
            wrong(&|n| n.registered_code = "440304".into()),
            ("registered_code", "own_resident"),
        ),
        (
            wrong(&|n| n.registered_code = "650100".into()),
            ("registered_code", "no_origin_partner"),
        ),
        // A lead between others is not said to be there.
        (
            wrong(&|n| n.lead_id.clone_from(&of_another)),
            ("lead_id", "unknown_lead"),
        ),
        (wrong(&|n| n.sex = "F".into()), ("sex", "sex_mismatch")),
    ];
    let notices: Vec<_> = cases.iter().map(|(notice, _)| notice.clone()).collect();
    let verdicts = world.push(&notices).await;
    for (verdict, (_, why)) in verdicts.iter().zip(&cases) {
        assert_eq!(verdict.verdict(), V::Reject, "{why:?}");
        assert_eq!(reason(verdict), *why);
        assert!(verdict.record_id.is_empty());
    }
    let any = pb::ListRecordsRequest::default;
    assert!(world.list(GUANGDONG, GUANGDONG, any()).await.is_empty());

    // Officers of another jurisdiction notify from their own node.
    let request = pb::PushRecordsRequest {
        grounds: Some(grounds(GUANGDONG, Purpose::Case)),
        row: 1,
        content: Some(notice(3).into()),
    };
    let mut foreign = world.client(COUNTY, GUANGDONG);
    let refused = foreign.push_records(tokio_stream::iter([request])).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    world.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_are_found_by_whom_they_concern_and_by_nobody_else() {
    let world = World::start().await;
    let pushed = world.push(&[notice(4), notice(5)]).await;
    let ids: Vec<_> = pushed.into_iter().map(|v| v.record_id).collect();
    let any = pb::ListRecordsRequest::default;

    // With their own certificate at the other node: what is between the two.
    assert_eq!(world.list(COUNTY, GUANGDONG, any()).await, ids);
    assert_eq!(world.list(GUANGDONG, COUNTY, any()).await, ids);
    assert!(world.list(COUNTY, ZHEJIANG, any()).await.is_empty());
    let hidden = world.show(COUNTY, ZHEJIANG, &ids[0]).await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);
    let elsewhere = world.show(GUANGDONG, COUNTY, &ids[0]).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::PermissionDenied);
    assert!(elsewhere.message().contains("at your own node"));
    let opened = world.show(COUNTY, COUNTY, &ids[0]).await.unwrap();
    assert_eq!(
        opened.content.and_then(pb::PayloadContent::notice),
        Some(notice(4))
    );

    let by_number = |n: usize| pb::ListRecordsRequest {
        family: pb::RecordFamily::ArrestNotice.into(),
        resident_number: leads::resident_number(n),
        ..any()
    };
    for node in [COUNTY, GUANGDONG] {
        assert_eq!(world.list(node, node, by_number(4)).await, ids[..1]);
        assert!(world.list(node, node, by_number(6)).await.is_empty());
    }
    // What it says is not found at the other node, as it is not opened there.
    for (node, of) in [(COUNTY, GUANGDONG), (GUANGDONG, COUNTY)] {
        assert!(world.list(node, of, by_number(4)).await.is_empty());
    }
    let named = |name: &str, n: usize| pb::ListRecordsRequest {
        name: name.into(),
        ..by_number(n)
    };
    let found = |request| world.list(COUNTY, COUNTY, request);
    assert_eq!(found(named("测试000004", 4)).await, ids[..1]);
    assert!(found(named("测试000005", 4)).await.is_empty());
    let by_name = pb::ListRecordsRequest {
        family: pb::RecordFamily::ArrestNotice.into(),
        name: "测试000005".into(),
        ..any()
    };
    assert_eq!(found(by_name).await, ids[1..]);
    let in_state = |state: S| pb::ListRecordsRequest {
        family: pb::RecordFamily::ArrestNotice.into(),
        states: vec![state.into()],
        direction: pb::Direction::Received.into(),
        counterpart: GUANGDONG.into(),
        ..any()
    };
    assert_eq!(found(in_state(S::Delivered)).await, ids);
    assert!(found(in_state(S::Refused)).await.is_empty());
    world.cluster.stop().await;
}

fn workbook(path: &Path, rows: &[ArrestNoticeFields]) {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (at, column) in (0u16..).zip(ArrestNoticeColumn::ALL) {
        sheet.write(0, at, column.header_zh()).unwrap();
        for (row, fields) in (1u32..).zip(rows) {
            sheet.write(row, at, fields.get(*column)).unwrap();
        }
    }
    book.save(path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_gets_one_verdict_a_row_and_a_form_one() {
    let world = World::start().await;
    let fields = |n: usize| {
        let said = notice(n);
        ArrestNoticeFields {
            number: said.number,
            name: said.name,
            sex: "男".into(),
            resident_number: said.resident_number,
            registered_code: said.registered_code,
            caught_on: "2024年5月6日".into(),
            caught_code: said.caught_code,
            conduct: said.conduct,
            measure: said.measure,
            case_number: said.case_number,
            ..Default::default()
        }
    };
    let no_case = ArrestNoticeFields {
        case_number: String::new(),
        ..fields(8)
    };
    let path = world.dir.path().join("caught.xlsx");
    workbook(&path, &[fields(7), no_case, fields(7), fields(9)]);
    let path = path.to_str().unwrap();
    let told = |rows: &[Value]| -> Vec<(u64, String)> {
        rows.iter()
            .map(|row| {
                (
                    row["row"].as_u64().unwrap(),
                    row["verdict"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    let (code, rows) = world.run(&["caught", "push", path], "").await;
    assert_eq!(code, 1, "{rows:?}");
    let verdicts = ["accept", "reject", "duplicate", "accept"];
    assert_eq!(
        told(&rows),
        (2..).zip(verdicts.map(str::to_owned)).collect::<Vec<_>>()
    );
    assert_eq!(rows[1]["reasons"][0]["column"], "case_number");
    assert_eq!(rows[2]["caught_id"], rows[0]["caught_id"]);
    // The same sheet again: nothing is sent twice.
    let (_, again) = world.run(&["caught", "push", path], "").await;
    assert_eq!(again[0]["verdict"], "duplicate");
    assert_eq!(again[3]["caught_id"], rows[3]["caught_id"]);

    let form = [
        "caught",
        "push",
        "--form",
        "通报编号=GD-FORM-1",
        "name=-",
        "sex=男",
        "resident_number=-",
        "registered_code=520624",
        "caught_on=2024-05-06",
        "caught_code=440304",
        "conduct=贩卖毒品",
        "measure=刑事拘留",
        "case_number=A4403040000002024050001",
    ];
    let (code, row) = world.run(&form, "钱癸子\n522225190010142478\n").await;
    assert_eq!(
        (code, &row[0]["verdict"]),
        (0, &Value::from("accept")),
        "{row:?}"
    );
    world.settled().await;

    let (code, listed) = world
        .run(&["caught", "list", "--name", "-"], "钱癸子\n")
        .await;
    assert_eq!((code, listed.len()), (0, 1));
    assert_eq!(listed[0]["state"], "delivered");
    let id = listed[0]["caught_id"].as_str().unwrap();
    assert_eq!(row[0]["caught_id"], id);
    let (code, shown) = world.run(&["caught", "show", id], "").await;
    assert_eq!(code, 0);
    assert_eq!(shown[0]["notice"]["caught_on"], "2024-05-06");
    assert!(shown[0]["receipt"]["partner_index"].is_u64());
    let any = pb::ListRecordsRequest::default();
    assert_eq!(world.list(COUNTY, COUNTY, any).await.len(), 3);
    world.cluster.stop().await;
}
