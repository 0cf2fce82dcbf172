//! `audit prove` as it is typed, against two nodes that are up.

use super::{leads, processes, two_logs::signer};
use processes::{Home, Logs};
use std::{fs, path::Path, process::Output};
use yichuan::{access::Purpose, rpc::pb};

fn prove(home: &Home, args: &[&str]) -> Output {
    audit(home, "prove", args)
}

/// Runs a command of `audit` as the county's auditor.
fn audit(home: &Home, what: &str, args: &[&str]) -> Output {
    let mut command = home.command(Logs {
        level: "error",
        format: "text",
    });
    let grounds = ["--as", "auditor-001", "--purpose", "audit", "--basis"];
    command.args(["--lang", "en"]).args(grounds);
    command.args(["campaign:520624-2026-01", "audit", what]);
    command.args(args).output().unwrap()
}

fn assert_code(output: &Output, code: i32, words: &str) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{words}: {said}");
}

async fn push(home: &Home) -> String {
    let request = pb::PushRecordsRequest {
        grounds: home.grounds(Purpose::Screening),
        row: 1,
        content: Some(leads::lead(1, "440305").into()),
    };
    let mut verdicts = home
        .records()
        .push_records(tokio_stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    verdicts.message().await.unwrap().unwrap().record_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_proves_a_lead_and_the_check_needs_no_node() {
    let dir = tempfile::tempdir().unwrap();
    let county = Home::make(dir.path(), "520624");
    let province = Home::make(dir.path(), "440000");
    let served = [county.serve(Logs::INFO), province.serve(Logs::INFO)];
    county.introduce(&province).await;
    province.introduce(&county).await;
    let lead = push(&county).await;
    county.drained().await;

    // Keys that the log alone names are for the auditor to compare; keys that they hold go before those.
    let (ours, theirs) = (county.vkey.to_string(), province.vkey.to_string());
    let unheld = audit(&county, "verify", &["--vkey", &ours]);
    assert_code(
        &unheld,
        0,
        &format!("out of band, and give it with --vkey or --partner-card\n{theirs}"),
    );
    let held = audit(&county, "verify", &["--vkey", &ours, "--vkey", &theirs]);
    assert_code(&held, 0, "sent 1 (1 receipt, 0 refusals, 0 unanswered)");
    let said = String::from_utf8(held.stdout).unwrap();
    assert!(!said.contains("out of band"), "{said}");
    let another = signer("440000", 9).verifier_key().to_string();
    let found = audit(&county, "verify", &["--vkey", &ours, "--vkey", &another]);
    assert_code(&found, 65, "but 2 things in them are wrong");
    assert_code(&found, 65, "key_not_pinned");

    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (case, json) = (
        text(&dir.path().join("case")),
        text(&dir.path().join("json")),
    );
    assert_code(
        &prove(&county, &[&lead, "--out", &case]),
        0,
        "3 entries proved and written to",
    );
    assert_code(
        &prove(&county, &[&lead, "--out", &case]),
        77,
        "is not empty",
    );
    let told = prove(
        &county,
        &["--entry", "0", "--out", &json, "--format", "json"],
    );
    assert_code(&told, 0, "");
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["statements"][0]["kind"], "log_started");
    assert_eq!(told["keys"][0], county.vkey.to_string());
    let elsewhere = text(&dir.path().join("elsewhere"));
    let nobody = "019cb993-d800-7000-8000-000000000001";
    let told = prove(&county, &[nobody, "--out", &elsewhere]);
    assert_code(&told, 66, "nothing in the log is about it");
    assert!(!Path::new(&elsewhere).exists());
    assert_code(&prove(&county, &["--out", &elsewhere]), 64, "");
    assert_code(&prove(&county, &[&lead]), 64, "--out");

    drop(served);
    let both = ["--check", &case, "--vkey", &ours, "--key", &theirs];
    assert_code(
        &prove(&county, &both),
        0,
        "verified: 3 entries; the keys that this rests on, 2, were all given",
    );
    assert_code(&prove(&county, &both[..4]), 65, "was not given");
    let card = dir.path().join("card");
    fs::write(&card, province.card().as_str()).unwrap();
    let with_card = ["--check", &case, "--partner-card", card.to_str().unwrap()];
    assert_code(&prove(&county, &with_card), 0, "verified: 3 entries");

    // One proof alone is a file that can be handed over.
    let proofs = fs::read_dir(&case)
        .unwrap()
        .map(|item| item.unwrap().path());
    let sent = proofs
        .filter(|path| path.to_string_lossy().contains("/520624-1-"))
        .min()
        .unwrap();
    let sent = text(&sent);
    let check = ["--check", &sent, "--vkey", &ours, "--vkey", &theirs];
    assert_code(&prove(&county, &check), 0, "verified: 1 entry;");
    let changed = fs::read_to_string(&sent)
        .unwrap()
        .replacen("extra C", "extra D", 1);
    fs::write(&sent, changed).unwrap();
    assert_code(
        &prove(&county, &check),
        65,
        "the entry is not in the log that was signed",
    );
    assert_code(
        &prove(&county, &["--check", &elsewhere, "--vkey", &ours]),
        66,
        "No such file",
    );
}
