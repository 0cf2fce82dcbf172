//! Referrals about a person whom nobody knows: opened, answered and disputed, and what is in them put where it does not
//! belong.

use super::{GUANGDONG, Nodes, Seen, persons, processes::Home, run_for};
use std::collections::BTreeMap;
use tonic::{Code, transport::Channel};
use yichuan::{access::Purpose, rpc::pb};

type Client = pb::records_client::RecordsClient<Channel>;

/// What the `n`th of them says.
fn said(n: usize) -> pb::Referral {
    let lead = persons::lead(40 + n, "440305");
    pb::Referral {
        title: format!("鹯鹯案之{n}"),
        matter: format!("核实鹯家巷{n}号暗格内的账本，据其舅父口述。"),
        case_number: format!("A52062400000020261109{n:02}"),
        subject_name: format!("端木鹯{n}"),
        subject_number: lead.resident_number,
        place_code: "440305019".into(),
        substance: format!("鹯牌止痛片{n}"),
        lead_ids: Vec::new(),
    }
}

/// What a step says.
fn note(step: &str) -> String {
    format!("鹱某于夜间{step}时现身，其妻鹱氏知情")
}

/// The recipient's and the originator's steps, in order.
const STEPS: [(bool, &str); 10] = [
    (true, "sign"),
    (true, "supplement"),
    (false, "supply"),
    (true, "accept"),
    (true, "progress"),
    (true, "feedback"),
    (false, "dispute"),
    (true, "feedback"),
    (false, "confirm"),
    (false, "close"),
];

/// What nobody but who opens one may see, by label.
pub(crate) fn secrets() -> BTreeMap<String, String> {
    let mut secrets = BTreeMap::new();
    for n in 0..5 {
        let said = said(n);
        for (what, value) in [
            ("title", said.title),
            ("matter", said.matter),
            ("name", said.subject_name),
            ("birth", said.subject_number[..14].to_owned()),
            ("number", said.subject_number),
            ("substance", said.substance),
        ] {
            secrets.insert(format!("{what} of referral {n}"), value);
        }
    }
    for (_, step) in STEPS {
        secrets.insert(format!("note to {step}"), note(step));
    }
    for step in ["return", "recall"] {
        secrets.insert(format!("note to {step}"), note(step));
    }
    secrets
}

/// Labels of what was shown to those who opened.
pub(crate) fn shown() -> impl Iterator<Item = String> {
    let said = ["title", "matter", "name", "number", "substance"];
    let said = said.map(|what| [0, 2, 4].map(|n| format!("{what} of referral {n}")));
    let notes = secrets()
        .into_keys()
        .filter(|label| label.starts_with("note"));
    said.into_iter().flatten().chain(notes)
}

/// Says it on a command line as an officer does: what is about a person, and the matter, on stdin.
fn open<'a>(said: &'a pb::Referral, kind: &'a str) -> (Vec<&'a str>, String) {
    let stdin = format!(
        "{}\n{}\n{}",
        said.subject_name, said.subject_number, said.matter
    );
    let mut args = vec!["--format", "json", "referral"];
    args.extend(match kind {
        "assistance" | "transfer" => vec!["open", "--to", "440300", "--kind", kind],
        step => vec![step],
    });
    if args.contains(&"open") {
        args.extend(["--urgency", "urgent", "--handling", "H0"]);
    }
    args.extend(["--title", &said.title, "--matter", "-"]);
    args.extend(["--subject-name", "-", "--subject-number", "-"]);
    args.extend(["--place", &said.place_code, "--substance", &said.substance]);
    (args, stdin)
}

/// A command whose output is searched; answers with the id in it.
fn take(home: &Home, who: &str, args: &[&str], stdin: &str, seen: &mut Seen) -> String {
    let output = run_for(home, who, "case", args, stdin);
    assert!(output.status.success(), "{output:?}");
    seen.command(&args[..4.min(args.len())].join(" "), &output);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    answer["referral_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Everything that officers do with referrals. Answers with what was shown on purpose.
pub(crate) async fn exchange(nodes: &Nodes, seen: &mut Seen) -> Vec<u8> {
    let (county, guangdong) = (&nodes.county, &nodes.guangdong);
    let [whole, returned, transfer] = [0, 1, 2].map(|n| {
        let said = said(n);
        let (args, stdin) = open(&said, if n == 2 { "transfer" } else { "assistance" });
        take(county, "officer-001", &args, &stdin, seen)
    });
    let approve = ["--format", "json", "referral", "approve", &transfer];
    take(county, "supervisor-001", &approve, "", seen);
    nodes.settle().await;

    for (by_recipient, step) in STEPS {
        let home = if by_recipient { guangdong } else { county };
        let args = ["--format", "json", "referral", step, &whole, "--note", "-"];
        take(home, "officer-001", &args, &note(step), seen);
        nodes.settle().await;
    }
    let sign = ["--format", "json", "referral", "sign", &returned];
    take(guangdong, "officer-001", &sign, "", seen);
    let give_back = [
        "--format",
        "json",
        "referral",
        "return",
        &returned,
        "--reason",
        "duplicate_of",
        "--note",
        "-",
    ];
    take(guangdong, "officer-001", &give_back, &note("return"), seen);
    nodes.settle().await;
    for (step, n) in [("resubmit", 3), ("correct", 4)] {
        let said = said(n);
        let (mut args, stdin) = open(&said, step);
        args.push(&returned);
        take(county, "officer-001", &args, &stdin, seen);
    }
    let recall = [
        "--format", "json", "referral", "recall", &returned, "--note", "-",
    ];
    take(county, "officer-001", &recall, &note("recall"), seen);
    nodes.settle().await;

    let mut shown = Vec::new();
    for (home, id) in [
        (guangdong, &whole),
        (county, &returned),
        (guangdong, &transfer),
    ] {
        for format in ["table", "json"] {
            let args = ["--format", format, "referral", "show", id];
            let output = run_for(home, "officer-001", "case", &args, "");
            assert!(output.status.success(), "{output:?}");
            seen.add("stderr of referral show", output.stderr);
            shown.extend(output.stdout);
        }
    }
    find(guangdong, seen);
    shown
}

/// By who it is about, and in a list.
fn find(home: &Home, seen: &mut Seen) {
    let said = said(0);
    let about = format!("{}\n{}\n", said.subject_number, said.subject_name);
    let substance = ["--substance", said.substance.as_str()];
    let list = ["--format", "json", "referral", "list"];
    let both = [&list[..], &["--number", "-", "--name", "-"]].concat();
    let by_substance = [&list[..], &substance].concat();
    for (args, stdin) in [(both, about.as_str()), (by_substance, "")] {
        let id = take(home, "officer-001", &args, stdin, seen);
        assert!(!id.is_empty(), "nothing was found");
    }
    let table = ["--format", "table", "referral", "list"];
    take(home, "officer-001", &table, "", seen);
}

/// The same in the wrong places: command lines and calls that are refused.
pub(crate) async fn put_wrongly(nodes: &Nodes, seen: &mut Seen) {
    let county = &nodes.county;
    let wrong = said(0);
    let id = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";
    for secret in [
        &wrong.title,
        &wrong.matter,
        &wrong.subject_name,
        &wrong.subject_number,
        &wrong.substance,
    ] {
        let secret = secret.as_str();
        let (long, longest) = (secret.repeat(300), secret.repeat(1200));
        let opening = ["referral", "open", "--to", "440300", "--kind", "assistance"];
        let opening = [&opening[..], &["--urgency", "normal", "--handling", "H0"]].concat();
        let mut commands = vec![
            vec!["referral", "show", secret],
            vec!["referral", secret],
            vec!["referral", "sign", id, secret],
            vec!["referral", "return", id, "--reason", secret],
            vec!["referral", "sign", id, "--note", secret],
            vec!["referral", "list", "--kind", secret],
            vec!["referral", "list", "--state", secret],
            vec!["referral", "list", "--name", secret],
            vec!["referral", "list", "--place", secret],
            vec!["referral", "list", "--due-before", secret],
            vec!["referral", "watch", "--after", secret],
        ];
        for more in [
            ["--title", &long, "--matter", "x"],
            ["--title", "x", "--matter", &longest],
            ["--title", "x", "--subject-name", secret],
            ["--title", "x", "--subject-number", secret],
            ["--title", "x", "--case", secret],
            ["--title", "x", "--place", secret],
            ["--title", "x", "--lead", secret],
        ] {
            let mut args = opening.clone();
            args.extend(more);
            if !args.contains(&"--matter") {
                args.extend(["--matter", "x"]);
            }
            commands.push(args);
        }
        for mut args in commands {
            args.extend(["--lang", "zh"]);
            let output = run_for(county, "officer-001", "case", &args, "");
            // Who it is about may be typed, with a warning.
            let person = ["--name", "--subject-name", "--subject-number"];
            let may = person.iter().any(|option| args.contains(option));
            assert!(may || !output.status.success(), "{:?}", &args[..3]);
            seen.command(&args[..2].join(" "), &output);
        }
        call_wrongly(nodes, secret, seen).await;
    }
}

/// To the node itself, which no command would send.
async fn call_wrongly(nodes: &Nodes, secret: &str, seen: &mut Seen) {
    let county = &nodes.county;
    let mut client = Client::new(county.channel("officer-001"));
    let grounds = || county.grounds(Purpose::Case);
    let fine = pb::OpenReferralRequest {
        grounds: grounds(),
        kind: pb::RecordKind::Assistance.into(),
        to: GUANGDONG.into(),
        referral: Some(said(0)),
        urgency: pb::Urgency::Normal.into(),
        handling: pb::Handling::H0.into(),
    };
    let changes: [fn(&mut pb::Referral, String); 6] = [
        |referral, long| referral.title = long,
        |referral, long| referral.matter = long,
        |referral, long| referral.subject_name = long,
        |referral, long| referral.subject_number = long,
        |referral, long| referral.place_code = long,
        |referral, long| referral.lead_ids = vec![long],
    ];
    for change in changes {
        let mut request = fine.clone();
        let mut referral = said(0);
        change(&mut referral, secret.repeat(1100));
        request.referral = Some(referral);
        seen.refusal("an opening", client.open_referral(request).await);
    }
    let to = pb::OpenReferralRequest {
        to: secret.to_owned(),
        ..fine
    };
    seen.refusal("an opening", client.open_referral(to).await);
    let show = pb::ShowRecordRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: grounds(),
        record_id: secret.to_owned(),
        override_assignment: false,
        standing_only: false,
    };
    seen.refusal("a referral", client.show_record(show).await);
    let act = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: grounds(),
        record_id: secret.to_owned(),
        action: pb::Action::ReferralSign.into(),
        note: secret.repeat(2000),
        ..Default::default()
    };
    seen.refusal("a step", client.act_on_record(act).await);
    let approve = pb::ApproveRecordRequest {
        grounds: grounds(),
        record_id: secret.to_owned(),
    };
    seen.refusal("an approval", client.approve_record(approve).await);
    let list = pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: grounds(),
        counterpart: secret.to_owned(),
        ..Default::default()
    };
    seen.refusal("a list", client.list_records(list).await);
    // Somebody else's officer finds nothing of it, and steps at their own node only.
    let channel = county.channel_of(nodes.zhejiang.code, "officer-001");
    let list = pb::ListRecordsRequest {
        family: pb::RecordFamily::Referral.into(),
        grounds: nodes.zhejiang.grounds(Purpose::Case),
        name: said(0).subject_name,
        ..Default::default()
    };
    let listed = Client::new(channel).list_records(list).await;
    match listed {
        Ok(listed) => assert!(listed.into_inner().records.is_empty()),
        Err(status) => {
            assert_eq!(status.code(), Code::PermissionDenied);
            seen.status("another's list", &status);
        }
    }
}
