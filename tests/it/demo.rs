//! `yichuan demo` as anybody runs it first: it ends well in both languages, what it keeps verifies with the ordinary
//! commands, and it prints nobody's name or number.

use std::{
    collections::BTreeSet,
    process::{Command, Output, Stdio},
};
use yichuan::{
    domain::Column,
    intake::{Content, Sheet},
};

const SAMPLE: &str = "tests/data/screening-sample.xlsx";
const NODES: [&str; 3] = ["520624", "440000", "330000"];

fn yichuan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_yichuan"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(all).unwrap()
}

/// All that the sheet says of people and nobody but police may read.
fn private() -> BTreeSet<String> {
    let columns = [
        Column::Name,
        Column::ResidentNumber,
        Column::Phone,
        Column::Plate,
    ];
    let mut private = BTreeSet::new();
    for row in Sheet::open(SAMPLE).unwrap().rows() {
        if let Content::Filled { fields, .. } = row.content {
            let values = columns.map(|column| fields.get(column).trim().to_owned());
            // One character is in every sentence.
            private.extend(values.into_iter().filter(|v| v.chars().count() > 1));
        }
    }
    private
}

fn demo_in(lang: &str, marks: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let keep = dir.path().join("kept");
    let told = yichuan(&["demo", "--lang", lang, "--keep", keep.to_str().unwrap()]);
    let text = said(&told);
    assert_eq!(told.status.code(), Some(0), "{text}");
    for mark in marks {
        assert!(text.contains(mark), "{mark}: {text}");
    }

    let private = private();
    assert!(private.len() > 200, "the sheet names nobody");
    for value in &private {
        assert!(!text.contains(value.as_str()), "what is private is printed");
    }

    for node in NODES {
        let export = keep.join(node).join("export");
        let vkey = keep.join(node).join("vkey");
        let verified = yichuan(&[
            "audit",
            "verify",
            "--export",
            export.to_str().unwrap(),
            "--vkey",
            vkey.to_str().unwrap(),
        ]);
        let text = said(&verified);
        assert_eq!(verified.status.code(), Some(0), "{node}: {text}");
        assert!(text.contains(&format!("{node}.yichuan/log/1")), "{text}");

        // I8: whatever the story did, the views are what the log and the payloads make them.
        let config = keep.join(node).join("node.toml");
        let config = config.to_str().unwrap();
        let rebuilt = yichuan(&["--config", config, "audit", "replay", "--rebuild"]);
        assert_eq!(rebuilt.status.code(), Some(0), "{node}: {}", said(&rebuilt));
    }
    // A key of another node's log: the export is not its.
    let export = keep.join(NODES[0]).join("export");
    let vkey = keep.join(NODES[1]).join("vkey");
    let wrong = yichuan(&[
        "audit",
        "verify",
        "--export",
        export.to_str().unwrap(),
        "--vkey",
        vkey.to_str().unwrap(),
    ]);
    assert_eq!(wrong.status.code(), Some(65), "{}", said(&wrong));
}

#[test]
fn the_story_in_english_ends_with_logs_that_verify() {
    demo_in(
        "en",
        &[
            "Sinan: close, now closed",
            "refused: the drafter approving it",
            "verified and inspected",
            "reconciled",
        ],
    );
}

#[test]
fn the_story_in_chinese_ends_with_logs_that_verify() {
    demo_in(
        "zh",
        &[
            "思南：办结，已办结",
            "不予办理：拟稿民警自己批准",
            "核验通过",
            "对账一致",
        ],
    );
}
