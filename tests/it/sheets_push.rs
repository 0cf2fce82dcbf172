//! A long sheet goes to a node: every row arrives, and neither the officer's command nor the order of the rows depends on
//! how many there are. `YICHUAN_SHEET_ROWS=100000` makes it as long as the figures in docs/RELIABILITY.md; without it, it
//! is short.

use crate::common::{leads, processes};
use processes::{Home, Logs};
use rust_xlsxwriter::Workbook;
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};
use tempfile::TempDir;
use yichuan::{
    domain::{Clock, Column},
    intake::JsonRow,
    telemetry::SystemClock,
};

const QUIET: Logs = Logs {
    level: "warn",
    format: "json",
};
/// The officer's command may hold so much for a sheet of any length up to a hundred thousand rows, in KiB.
const OFFICER_KIB: u64 = 384 * 1024;

/// The most memory that a process has held so far, in KiB; none where it has ended. Needs Linux.
fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Processor time that a process has used so far, in hundredths of a second, which other load does not change. Needs
/// Linux.
fn cpu(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(2);
    times.filter_map(|time| time.parse::<u64>().ok()).sum()
}

/// The cells of a row, in the order of the columns.
fn cells(n: usize) -> Vec<String> {
    let fields = leads::fields(n, "440232");
    let columns = Column::ALL.iter();
    columns
        .map(|column| fields.get(*column).to_owned())
        .collect()
}

fn csv(to: &Path, numbers: std::ops::Range<usize>) {
    let header: Vec<_> = Column::ALL.iter().map(|c| c.header_zh()).collect();
    let mut text = header.join(",") + "\r\n";
    for n in numbers {
        writeln!(text, "{}\r", cells(n).join(",")).unwrap();
    }
    fs::write(to, text).unwrap();
}

fn xlsx(to: &Path, numbers: std::ops::Range<usize>) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, at) in Column::ALL.iter().zip(0..) {
        sheet.write(0, at, column.header_zh()).unwrap();
    }
    for (n, row) in numbers.zip(1..) {
        for (cell, at) in cells(n).iter().zip(0..) {
            sheet.write(row, at, cell).unwrap();
        }
    }
    workbook.save(to).unwrap();
}

/// What became of a push.
struct Pushed {
    rows: Vec<JsonRow>,
    /// Milliseconds since the command began, for each verdict.
    at: Vec<u64>,
    peak_kib: u64,
    /// What the command had used, when last looked.
    cpu: u64,
    /// What the node had used at the beginning and after each tenth.
    node_cpu: Vec<u64>,
}

impl Pushed {
    /// Rows a second in a tenth of the sheet.
    fn rate(&self, tenth: usize) -> u64 {
        let rows = self.at.len() / 10;
        let (from, to) = (self.at[tenth * rows], self.at[(tenth + 1) * rows - 1]);
        u64::try_from(rows).unwrap() * 1000 / (to - from).max(1)
    }
}

fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{what}"));
    name.into()
}

fn push(county: &Home, node: u32, file: &Path, rows: usize) -> Pushed {
    let began = SystemClock.now().millis();
    let mut child = county
        .command(QUIET)
        .args(["--format", "json", "--as", "officer-001"])
        .args([
            "--purpose",
            "screening",
            "--basis",
            "campaign:520624-2026-01",
        ])
        .args(["lead", "push"])
        .arg(file)
        .arg("--receipt")
        .arg(beside(file, "receipt.xlsx"))
        .arg("--rejected")
        .arg(beside(file, "rejected.xlsx"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pushed = Pushed {
        rows: Vec::new(),
        at: Vec::new(),
        peak_kib: 0,
        cpu: 0,
        node_cpu: vec![cpu(node)],
    };
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        pushed
            .rows
            .push(serde_json::from_str(&line.unwrap()).unwrap());
        pushed.at.push(SystemClock.now().millis() - began);
        // It only grows; the last rows are printed with all before them behind.
        if pushed.rows.len().is_multiple_of(100) {
            pushed.peak_kib = peak_kib(child.id()).unwrap_or(pushed.peak_kib);
            pushed.cpu = pushed.cpu.max(cpu(child.id()));
        }
        if pushed.rows.len().is_multiple_of(rows / 10) {
            pushed.node_cpu.push(cpu(node));
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    pushed
}

#[tokio::test]
async fn a_long_sheet_is_pushed_whole_in_order_and_in_bounded_memory() {
    let rows: usize =
        std::env::var("YICHUAN_SHEET_ROWS").map_or(1_000, |rows| rows.parse().unwrap());
    let dir = TempDir::new().unwrap();
    let county = Home::make(dir.path(), "520624");
    let guangdong = Home::make(dir.path(), "440000");
    let node = county.serve(Logs::INFO);
    county.introduce(&guangdong).await;
    for (name, write, first) in [
        ("sheet.csv", csv as fn(&Path, std::ops::Range<usize>), 0),
        ("sheet.xlsx", xlsx, rows),
    ] {
        let file = dir.path().join(name);
        write(&file, first..first + rows);
        let (from, home, id) = (file.clone(), county.clone(), node.id());
        let pushed = tokio::task::spawn_blocking(move || push(&home, id, &from, rows))
            .await
            .unwrap();
        let numbers: Vec<_> = pushed.rows.iter().map(|row| row.row).collect();
        assert_eq!(numbers, (2..).take(rows).collect::<Vec<u32>>());
        assert!(pushed.rows.iter().all(|row| row.verdict == "accept"));
        let node_kib = peak_kib(node.id()).unwrap();
        println!(
            "{name}, {} bytes: {rows} rows in {} ms, the first verdict after {} ms; rows a second by tenths {:?}; \
             processor time: the command {} ms, the node by tenths {:?} ms; \
             peak memory: the command {} MiB, the node {} MiB",
            fs::metadata(&file).unwrap().len(),
            pushed.at.last().unwrap(),
            pushed.at[0],
            (0..10).map(|tenth| pushed.rate(tenth)).collect::<Vec<_>>(),
            pushed.cpu * 10,
            pushed
                .node_cpu
                .windows(2)
                .map(|pair| (pair[1] - pair[0]) * 10)
                .collect::<Vec<_>>(),
            pushed.peak_kib / 1024,
            node_kib / 1024,
        );
        assert!(pushed.peak_kib > 0 && pushed.peak_kib < OFFICER_KIB);
    }
    // Each lead once, and nothing else: two partners' entries and two sheets.
    let size = county.checkpoint().await.size();
    assert!(size >= 2 * u64::try_from(rows).unwrap());
}
