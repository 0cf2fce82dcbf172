//! The sheets that pushing leaves, with nodes that run as processes: the rejected rows, which are mended and pushed as they
//! are, and the receipt, which says what is in the log and no more.
#![allow(clippy::result_large_err, reason = "a test that panics has failed")]

use crate::common::{leads, processes};
use calamine::{Data, Reader as _, Xlsx, open_workbook};
use processes::{Home, Logs, Process};
use rust_xlsxwriter::Workbook;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use yichuan::{
    domain::{Column, LeadFields, RecordId},
    note::SignedCheckpoint,
};

const COUNTY: &str = "520624";
const PROVINCE: &str = "440000";

/// A county's node, and files of its officer.
struct County {
    dir: TempDir,
    home: Home,
    node: Option<Process>,
    _there: Process,
}

/// What a command left.
struct Ran {
    code: i32,
    said: String,
}

/// A sheet as it is read back: its header and its rows.
#[derive(Debug)]
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn open(path: &Path) -> Self {
        let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
        let range = workbook.worksheet_range_at(0).unwrap().unwrap();
        let mut rows = range
            .rows()
            .map(|row| row.iter().map(Data::to_string).collect());
        Self {
            header: rows.next().unwrap(),
            rows: rows.collect(),
        }
    }

    fn at(&self, name: &str) -> usize {
        self.header.iter().position(|h| h == name).unwrap()
    }

    fn get(&self, row: usize, name: &str) -> &str {
        &self.rows[row][self.at(name)]
    }

    fn set(&mut self, row: usize, name: &str, value: &str) {
        let at = self.at(name);
        value.clone_into(&mut self.rows[row][at]);
    }

    /// As an officer saves it.
    fn save(&self, path: &Path) {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        for (row, cells) in std::iter::once(&self.header).chain(&self.rows).enumerate() {
            sheet
                .write_row(u32::try_from(row).unwrap(), 0, cells)
                .unwrap();
        }
        workbook.save(path).unwrap();
    }
}

/// A sheet of leads, with the columns in order.
fn sheet(path: &Path, leads: &[LeadFields]) {
    let cells = |fields: &LeadFields| {
        let columns = Column::ALL.iter();
        columns.map(|c| fields.get(*c).to_owned()).collect()
    };
    Table {
        header: Column::ALL
            .iter()
            .map(|c| c.header_zh().to_owned())
            .collect(),
        rows: leads.iter().map(cells).collect(),
    }
    .save(path);
}

/// Everything in all cells of a workbook's first sheet.
fn text(path: &Path) -> String {
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
    let range = workbook.worksheet_range_at(0).unwrap().unwrap();
    let rows = range.rows().map(|row| {
        let cells: Vec<_> = row.iter().map(Data::to_string).collect();
        cells.join("\t")
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// One row of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    number: String,
    outcome: String,
    lead_id: String,
    log_index: String,
    destination: String,
    state: String,
    reason: String,
}

/// The rows of a receipt, by number in the sheet, and its facts by name.
fn receipt(path: &Path) -> (BTreeMap<u32, Line>, BTreeMap<String, String>) {
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
    let range = workbook.worksheet_range("回执单").unwrap();
    let (mut lines, mut facts, mut inside) = (BTreeMap::new(), BTreeMap::new(), false);
    for row in range.rows() {
        let cells: Vec<_> = row.iter().map(Data::to_string).collect();
        if cells[1] == "行" {
            inside = true;
        } else if inside && cells[1].is_empty() {
            inside = false;
        }
        if let (true, Ok(number)) = (inside, cells[1].parse()) {
            let line = Line {
                number: cells[2].clone(),
                outcome: cells[3].clone(),
                lead_id: cells[4].clone(),
                log_index: cells[5].clone(),
                destination: cells[6].clone(),
                state: cells[7].clone(),
                reason: cells[8].clone(),
            };
            assert!(lines.insert(number, line).is_none());
        } else if !inside {
            facts.insert(cells[0].clone(), cells[2].clone());
        }
    }
    (lines, facts)
}

impl County {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let home = Home::make(dir.path(), COUNTY);
        let province = Home::make(dir.path(), PROVINCE);
        let (node, there) = (home.serve(Logs::INFO), province.serve(Logs::INFO));
        home.introduce(&province).await;
        province.introduce(&home).await;
        Self {
            dir,
            home,
            node: Some(node),
            _there: there,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program as the county's officer runs it, in Chinese.
    fn process(&self, args: &[&str]) -> Process {
        let mut command = self.home.command(Logs::INFO);
        command
            .current_dir(self.dir.path())
            .args([
                "--as",
                "officer-001",
                "--lang",
                "zh",
                "--purpose",
                "screening",
            ])
            .args(["--basis", "campaign:520624-2026-01", "lead"])
            .args(args);
        Process::spawn(command)
    }

    fn run(&self, args: &[&str]) -> Ran {
        let ended = self.process(args).ended();
        Ran {
            code: ended.status.code().unwrap(),
            said: ended.text(),
        }
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap();
        let names = names.map(|item| item.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".unfinished")).collect()
    }

    fn sent(&self) -> usize {
        let listed = self.run(&["list", "--all", "--format", "json"]);
        assert_eq!(listed.code, 0, "{}", listed.said);
        listed.said.matches("\"lead_id\"").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_come_back_with_reasons_and_are_taken_once_mended() {
    let county = County::new().await;
    let [good, bad_grade, bare, taken, far, lost] =
        [1, 2, 3, 4, 5, 6].map(|n| leads::fields(n, "440305"));
    sheet(&county.path("first.xlsx"), std::slice::from_ref(&taken));
    assert_eq!(county.run(&["push", "first.xlsx"]).code, 0);
    let rows = [
        good,
        LeadFields {
            source_grade: "Z".into(),
            urgency: "加急".into(),
            ..bad_grade
        },
        LeadFields {
            facts: String::new(),
            ..bare
        },
        // Refused by the node alone.
        LeadFields {
            facts: "另有内容".into(),
            ..taken
        },
        LeadFields {
            destination_code: "330102".into(),
            ..far
        },
        LeadFields {
            resident_number: String::new(),
            // What Excel would make of it is a formula; what we write is its text.
            remarks: "=1+1".into(),
            ..lost.clone()
        },
    ];
    sheet(&county.path("leads.xlsx"), &rows);
    // What stands there is not written over, and then nothing is sent.
    fs::write(county.path("bad.xlsx"), "theirs").unwrap();
    let refused = county.run(&["push", "leads.xlsx", "--rejected", "bad.xlsx"]);
    assert_eq!(refused.code, 77, "{}", refused.said);
    assert_eq!(fs::read(county.path("bad.xlsx")).unwrap(), b"theirs");
    assert_eq!(county.sent(), 1);
    let itself = county.run(&["push", "leads.xlsx", "--rejected", "leads.xlsx", "--force"]);
    assert_eq!(itself.code, 64, "{}", itself.said);

    let pushed = county.run(&["push", "leads.xlsx", "--rejected", "bad.xlsx", "--force"]);
    assert_eq!(pushed.code, 1, "{}", pushed.said);
    assert!(
        pushed.said.contains("退回的 5 行已写入 bad.xlsx"),
        "{}",
        pushed.said
    );
    let bad = county.path("bad.xlsx");
    let mode = fs::metadata(&bad).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(county.names().is_empty());

    let mut table = Table::open(&bad);
    assert_eq!(table.header.len(), 4 + Column::ALL.len());
    let numbers: Vec<_> = (0..5).map(|row| table.get(row, "驿传：原行号")).collect();
    assert_eq!(numbers, ["3", "4", "5", "6", "7"]);
    for (row, reason, todo) in [
        (0, "来源可靠性：评级不属于", "标红"),
        (0, "紧急程度：", "标红"),
        (1, "事实依据：缺少事实依据", "补写"),
        (2, "线索编号：编号已用于内容不同的记录", "新编号"),
        (3, "流入地代码：", "交换名片"),
        (4, "公民身份号码：", "标红"),
    ] {
        let said = table.get(row, "驿传：退回原因");
        assert!(said.contains(reason), "{said}");
        let said = table.get(row, "驿传：如何处理");
        assert!(said.contains(todo), "{said}");
    }
    assert_eq!(table.get(0, "紧急程度"), "加急");
    assert_eq!(table.get(2, "事实依据"), "另有内容");
    assert_eq!(table.get(4, "备注"), "=1+1");

    // As it is, all of it is refused again, and gets no second set of columns.
    let again = county.run(&["push", "bad.xlsx", "--rejected", "again.xlsx"]);
    assert_eq!(again.code, 1, "{}", again.said);
    assert_eq!(Table::open(&county.path("again.xlsx")).header, table.header);

    table.set(0, "来源可靠性", "B");
    table.set(0, "紧急程度", "特急");
    table.set(1, "事实依据", "流入地查获包裹指向该人寄递");
    table.set(2, "线索编号", "SN-2026-100004");
    table.set(3, "流入地代码", "440305");
    table.set(4, "公民身份号码", &lost.resident_number);
    table.save(&county.path("mended.xlsx"));
    let mended = county.run(&["push", "mended.xlsx", "--rejected", "none.xlsx"]);
    assert_eq!(mended.code, 0, "{}", mended.said);
    assert!(mended.said.contains("接受5"), "{}", mended.said);
    assert!(mended.said.contains("没有退回的行"), "{}", mended.said);
    assert!(!county.path("none.xlsx").exists());
    assert_eq!(county.sent(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_names_entries_and_nobody_and_a_second_push_gets_the_same() {
    let county = County::new().await;
    let mut rows: Vec<_> = (1..=4).map(|n| leads::fields(n, "440305")).collect();
    rows.push(rows[0].clone());
    rows.push(LeadFields {
        handling: "H9".into(),
        ..leads::fields(6, "440305")
    });
    // An officer who numbers leads by what is about the person.
    rows[3].number = rows[3].resident_number.clone();
    // Cells that have shifted by one, and a number without end: refused, and named nowhere.
    rows.push(LeadFields {
        number: "张三丰".into(),
        sex: String::new(),
        ..leads::fields(7, "440305")
    });
    rows.push(LeadFields {
        number: format!("SN{}", "9-".repeat(10_000)),
        ..leads::fields(8, "440305")
    });
    sheet(&county.path("leads.xlsx"), &rows);
    let push = |out| county.run(&["push", "leads.xlsx", "--receipt", out]);
    let pushed = push("first.xlsx");
    assert_eq!(pushed.code, 1, "{}", pushed.said);
    county.home.drained().await;
    let again = push("second.xlsx");
    assert_eq!(again.code, 1, "{}", again.said);

    let (first, facts) = receipt(&county.path("first.xlsx"));
    let outcomes = |lines: &BTreeMap<u32, Line>| -> Vec<_> {
        lines.values().map(|line| line.outcome.clone()).collect()
    };
    let logged = "新入日志";
    assert_eq!(
        outcomes(&first),
        [
            logged,
            logged,
            logged,
            logged,
            "表内重复",
            "退回",
            "退回",
            "退回"
        ]
    );
    assert_eq!(first[&2].number, rows[0].number);
    for row in [5, 8, 9] {
        assert_eq!(first[&row].number, "…");
    }
    assert_eq!(first[&6].lead_id, first[&2].lead_id);
    assert!(
        first[&7].reason.contains("处理限制：处理限制应为"),
        "{:?}",
        first[&7]
    );
    let mut indexes = Vec::new();
    for row in 2..=5 {
        first[&row].lead_id.parse::<RecordId>().unwrap();
        assert_eq!(first[&row].destination, PROVINCE);
        assert_eq!(first[&row].state, "已发");
        indexes.push(first[&row].log_index.parse::<u64>().unwrap());
    }
    assert!(indexes.is_sorted_by(|a, b| a < b));

    let checkpoint: SignedCheckpoint = county
        .home
        .vkey
        .verify(facts["签名原文"].as_bytes())
        .unwrap();
    assert_eq!(facts["日志"], "520624.yichuan/log/1");
    assert_eq!(facts["条目数"], checkpoint.size().to_string());
    assert!(indexes.iter().all(|index| *index < checkpoint.size()));
    assert!(facts["签名"].contains("已用本机保存"), "{}", facts["签名"]);
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        &fs::read(county.path("leads.xlsx")).unwrap(),
    );
    assert_eq!(facts["文件 SHA-256"], hex::encode(digest));
    assert_eq!(facts["发送人"], "spiffe://520624.yichuan/officer/001");
    assert_eq!(facts["用途和依据"], "线索核查　campaign:520624-2026-01");
    assert!(facts["合计"].contains("共 8 行"), "{}", facts["合计"]);

    let (second, facts) = receipt(&county.path("second.xlsx"));
    let already = "先前已入日志";
    assert_eq!(
        outcomes(&second),
        [
            already,
            already,
            already,
            already,
            "表内重复",
            "退回",
            "退回",
            "退回"
        ]
    );
    for row in 2..=5 {
        assert_eq!(second[&row].lead_id, first[&row].lead_id);
        assert_eq!(second[&row].log_index, first[&row].log_index);
        assert_eq!(second[&row].state, "已送达");
    }
    county
        .home
        .vkey
        .verify(facts["签名原文"].as_bytes())
        .unwrap();

    for path in ["first.xlsx", "second.xlsx"] {
        let text = text(&county.path(path));
        for fields in &rows {
            for personal in [&fields.name, &fields.resident_number, &fields.facts] {
                assert!(!text.contains(personal.as_str()), "{path} says {personal}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_breaks_off_leaves_a_receipt_of_what_is_known() {
    const ROWS: u32 = 4_000;
    let mut county = County::new().await;
    let rows: Vec<_> = (1..=ROWS)
        .map(|n| leads::fields(n.try_into().unwrap(), "440305"))
        .collect();
    sheet(&county.path("leads.xlsx"), &rows);
    let args = ["push", "leads.xlsx", "--format", "json", "--receipt"];
    let push = |county: &County, out: &'static str| {
        county.process(&[&args[..], &[out, "--rejected", "bad.xlsx"]].concat())
    };
    let broken = push(&county, "broken.xlsx");
    // The first verdicts are out, and most are not.
    broken.wait_for("\"accept\"");
    county.node.as_mut().unwrap().kill();
    let broken = broken.ended();
    assert_eq!(broken.status.code(), Some(69), "{}", broken.text());
    assert!(!county.path("bad.xlsx").exists());
    let (lines, facts) = receipt(&county.path("broken.xlsx"));
    let of = |outcome: &str| -> Vec<u32> {
        let lines = lines.iter().filter(|(_, line)| line.outcome == outcome);
        lines.map(|(row, _)| *row).collect()
    };
    let (logged, unknown) = (of("新入日志"), of("未得到答复"));
    assert!(!logged.is_empty() && !unknown.is_empty());
    assert_eq!(logged.len() + unknown.len(), usize::try_from(ROWS).unwrap());
    assert!(unknown.iter().all(|row| lines[row].log_index.is_empty()));
    assert!(facts["未完成"].contains("再推一次"), "{}", facts["未完成"]);
    assert!(facts["证明"].contains("没有给出"), "{}", facts["证明"]);

    // Nobody there: nothing was sent, and nothing is claimed.
    let nobody = push(&county, "nobody.xlsx").ended();
    assert_eq!(nobody.status.code(), Some(69), "{}", nobody.text());
    assert!(!county.path("nobody.xlsx").exists());
    assert!(county.names().is_empty());

    county.node = Some(county.home.serve(Logs::INFO));
    let whole = push(&county, "whole.xlsx").ended();
    assert_eq!(whole.status.code(), Some(0), "{}", whole.text());
    let (whole, facts) = receipt(&county.path("whole.xlsx"));
    for row in logged {
        assert_eq!(
            whole[&row].outcome, "先前已入日志",
            "row {row} was acknowledged"
        );
        assert_eq!(whole[&row].lead_id, lines[&row].lead_id);
        assert_eq!(whole[&row].log_index, lines[&row].log_index);
    }
    assert_eq!(whole.len(), usize::try_from(ROWS).unwrap());
    assert!(whole.values().all(|line| !line.log_index.is_empty()));
    county
        .home
        .vkey
        .verify(facts["签名原文"].as_bytes())
        .unwrap();
}

/// More calls than a minute has, and more rows than one table holds: the command comes back when it is told to, prints
/// while it reads, and leaves nothing out. What waits for a partner is counted in full.
#[tokio::test(flavor = "multi_thread")]
async fn regression_a_list_of_all_waits_as_it_is_told_and_is_whole() {
    const LEADS: usize = 2_000;
    let dir = TempDir::new().unwrap();
    let (home, province) = (
        Home::make(dir.path(), COUNTY),
        Home::make(dir.path(), PROVINCE),
    );
    // A call a second, and a minute's worth of them at once.
    let mut config = fs::read_to_string(&home.config.path).unwrap();
    config = config.replace("calls_per_minute = 6000", "calls_per_minute = 60");
    fs::write(&home.config.path, config).unwrap();
    let _served = home.serve(Logs::INFO);
    home.introduce(&province).await;
    let grounds = home.grounds(yichuan::access::Purpose::Screening);
    let requests = (1..=LEADS).map(move |n| yichuan::rpc::pb::PushRecordsRequest {
        grounds: grounds.clone(),
        row: n as u64,
        content: Some(leads::lead(n, PROVINCE).into()),
    });
    let mut verdicts = home
        .records()
        .push_records(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let mut pushed = std::collections::BTreeSet::new();
    while let Some(verdict) = verdicts.message().await.unwrap() {
        pushed.insert(verdict.record_id);
    }
    assert_eq!(pushed.len(), LEADS);
    assert_eq!(home.outbox().await.unwrap(), LEADS as u64);

    let mut command = home.command(Logs {
        level: "error",
        format: "text",
    });
    command.args([
        "--lang",
        "en",
        "--as",
        "officer-001",
        "--purpose",
        "screening",
    ]);
    command.args([
        "--basis",
        "campaign:520624-2026-01",
        "lead",
        "list",
        "--all",
    ]);
    command.args(["--limit", "30"]);
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
    let ran = ran.await.unwrap();
    let (out, err) = (
        String::from_utf8(ran.stdout).unwrap(),
        String::from_utf8(ran.stderr).unwrap(),
    );
    assert_eq!(ran.status.code(), Some(0), "{err}");
    assert!(err.contains("says to come back in 1 s: waiting"), "{err}");
    assert!(out.ends_with(&format!("{LEADS} leads\n")), "{out}");
    let cells = out.split(|c: char| c.is_whitespace() || c == '│' || c == '┆');
    let listed: std::collections::BTreeSet<_> = cells
        .filter(|cell| cell.parse::<RecordId>().is_ok())
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, pushed);
    // In two pieces, each with its header.
    assert_eq!(out.matches("lead id").count(), 2);
}
