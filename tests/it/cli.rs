//! The command line as people and scripts meet it: what is typed, what is printed, and the exit codes. No node runs here.

use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;
use yichuan::{
    access::Principal,
    audit::{LogVerifier, TileWriter},
    domain::{Column, EntryId, Timestamp},
    entry::{Cause, Entry, Kind},
    intake::{Content, JsonRow, Sheet},
    note::LogSigner,
};

const SAMPLE: &str = "tests/data/screening-sample.xlsx";
const EXPECTED: &str = include_str!("../data/screening-sample.expected.tsv");

/// What a command left.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// All that it said, to look for what it must not say.
    fn everything(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs the program in an environment of its own.
struct Yichuan {
    dir: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Yichuan {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            environment: vec![("LANG", "C".to_owned())],
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_yichuan"))
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have closed it.
        drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A new node's directory, with certificates.
    fn node(&self) -> String {
        let home = self.path("node");
        let made = self.run(&[
            "init",
            "--jurisdiction",
            "520624",
            "--name",
            "思南县公安局",
            "--dir",
            &home,
            "--listen",
            "127.0.0.1:1",
        ]);
        assert_eq!(made.code, 0, "{}", made.err);
        let certs = format!("{home}/certs");
        for args in [
            &["certs", "ca", "520624", "--dir", &certs][..],
            &["certs", "issue", "node", "officer-001", "--dir", &certs],
        ] {
            assert_eq!(self.run(args).code, 0);
        }
        format!("{home}/node.toml")
    }
}

const ID: &str = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";

/// Opens a referral, with all that must be stated.
const OPEN: [&str; 14] = [
    "referral",
    "open",
    "--kind",
    "assistance",
    "--to",
    "440000",
    "--urgency",
    "normal",
    "--handling",
    "H0",
    "--title",
    "协查住址",
    "--matter",
    "请核实住址",
];

/// The same, but for one option and its value.
fn without(option: &str) -> Vec<&'static str> {
    let (command, options) = OPEN.split_at(2);
    let kept = options
        .chunks(2)
        .filter(|pair| pair.first() != Some(&option));
    command.iter().chain(kept.flatten()).copied().collect()
}

#[test]
fn a_command_line_that_cannot_be_read_is_64_and_says_what_to_do() {
    let yichuan = Yichuan::new();
    for args in [
        &[][..],
        &["leed"],
        &["lead", "chek"],
        &["lead", "check"],
        &["lead", "show", "not-an-id"],
        &["lead", "list", "--state", "lost"],
        &["lead", "list", "--since", "yesterday"],
        &["lead", "list", "--limit", "0"],
        &["lead", "return", "0198c6de-7f3a-7cc0-b0f3-0123456789ab"],
        &["lead", "assign", "0198c6de-7f3a-7cc0-b0f3-0123456789ab"],
        &[
            "lead",
            "assign",
            "0198c6de-7f3a-7cc0-b0f3-0123456789ab",
            "--to",
            "supervisor/001",
        ],
        &["partner", "approve", "440000"],
        &["partner", "approve", "440000", "--fingerprint", "12"],
        &["certs", "ca", "99"],
        &["--lang", "fr", "config", "show"],
        &["--format", "xml", "config", "show"],
        &["--node", "http://127.0.0.1:1", "lead", "inbox"],
        &["referral", "return", ID],
        &["referral", "sign", ID, "--reason", "not_competent"],
        &["referral", "sign", "not-an-id"],
        &["referral", "progress", ID, "--title", "协查"],
        &["referral", "list", "--state", "lost"],
        &["referral", "list", "--kind", "favour"],
        &["referral", "list", "--place", "4401"],
        &["referral", "watch", "--after", "-1"],
        // Each without one thing that must be stated.
        &["referral", "open"],
        &without("--kind"),
        &without("--to"),
        &without("--urgency"),
        &without("--handling"),
        &without("--title"),
        &without("--matter"),
        &["referral", "resubmit", ID, "--title", "协查"],
    ] {
        let ran = yichuan.run(args);
        assert_eq!(ran.code, 64, "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
        assert!(ran.err.contains("help"), "{args:?}: {}", ran.err);
    }
    let typo = yichuan.run(&["lead", "chek"]);
    assert!(typo.err.contains("'check'"), "{}", typo.err);
    let chinese = yichuan.run(&["--lang", "zh", "lead", "chek"]);
    assert!(chinese.err.contains("用法见"), "{}", chinese.err);
}

#[test]
fn help_and_version_are_data_in_both_languages() {
    let yichuan = Yichuan::new();
    let help = yichuan.run(&["lead", "--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for command in [
        "check", "push", "list", "inbox", "show", "sign", "assess", "return", "assign",
    ] {
        assert!(help.out.contains(command), "{command}: {}", help.out);
    }
    assert!(help.out.contains("签收 / Sign"), "{}", help.out);
    assert_eq!(yichuan.run(&["--version"]).code, 0);
}

#[test]
fn every_step_of_a_referral_is_a_command() {
    let yichuan = Yichuan::new();
    let help = yichuan.run(&["referral", "--help"]).out;
    for command in [
        "open 发起",
        "approve 审批",
        "sign 签收",
        "accept 受理",
        "supplement 要求补充",
        "supply 补充材料",
        "return 退回",
        "resubmit 重新提交",
        "progress 阶段反馈",
        "feedback 结果反馈",
        "confirm 确认",
        "dispute 异议",
        "correct 更正",
        "close 办结",
        "recall 撤回",
        "list 列出",
        "show 查看",
        "watch 关注",
    ] {
        let (command, zh) = command.split_once(' ').unwrap();
        let line = help
            .lines()
            .find(|line| line.trim().starts_with(&format!("{command} ")));
        assert!(line.unwrap().contains(zh), "{command}: {help}");
    }
}

#[test]
fn a_number_typed_in_the_wrong_place_is_not_repeated() {
    let yichuan = Yichuan::new();
    let number = "522225190010142478";
    for args in [
        &["lead", "list", number][..],
        &["lead", "show", number],
        &["lead", "list", "--state", number],
    ] {
        let ran = yichuan.run(args);
        assert_eq!(ran.code, 64, "{args:?}");
        assert!(!ran.everything().contains(number), "{}", ran.err);
    }
}

#[test]
fn no_configuration_is_78_and_names_the_path() {
    let yichuan = Yichuan::new();
    let missing = yichuan.path("nowhere/node.toml");
    for args in [
        &["--config", &missing, "config", "show"][..],
        &["--config", &missing, "serve"],
        &["--config", &missing, "partner", "card"],
        &["--config", &missing, "lead", "check", SAMPLE],
        &[
            "--config",
            &missing,
            "--as",
            "officer-001",
            "--purpose",
            "case",
            "--basis",
            "campaign:520624-2026-01",
            "partner",
            "list",
        ],
    ] {
        let ran = yichuan.run(args);
        assert_eq!(ran.code, 78, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(&missing), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
    let ran = Yichuan::new()
        .with("YICHUAN_CONFIG", &missing)
        .run(&["--lang", "zh", "config", "check"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.starts_with("错误：配置有误"), "{}", ran.err);
    assert!(ran.err.contains(&missing), "{}", ran.err);
}

#[test]
fn the_sample_is_checked_as_its_key_says() {
    let yichuan = Yichuan::new();
    let args = [
        "--format",
        "json",
        "lead",
        "check",
        SAMPLE,
        "--jurisdiction",
        "520624",
        "--partners",
        "440000,330000",
    ];
    let ran = yichuan.run(&args);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(ran.err, "", "progress is for terminals");
    let got: Vec<_> = ran
        .out
        .lines()
        .map(|line| {
            let row: JsonRow = serde_json::from_str(line).unwrap();
            assert_eq!(row.lead_id, None);
            let reason = row.reasons.first().map_or("", |reason| &reason.code);
            format!("{}\t{}\t{reason}", row.row, row.verdict)
        })
        .collect();
    let expected: Vec<_> = EXPECTED.lines().filter(|l| !l.starts_with('#')).collect();
    assert_eq!(got, expected);

    let table = yichuan.run(&[&["--lang", "zh"], &args[2..]].concat());
    assert_eq!(table.code, 1);
    assert!(table.out.contains("拒绝10"), "{}", table.out);
    let said = ran.everything() + &table.everything();
    for row in Sheet::open(SAMPLE).unwrap().rows() {
        let Content::Filled { fields, .. } = row.content else {
            continue;
        };
        for column in [
            Column::Name,
            Column::ResidentNumber,
            Column::Phone,
            Column::Plate,
        ] {
            let value = fields.get(column).trim();
            assert!(
                value.is_empty() || !said.contains(value),
                "row {}",
                row.place.row
            );
        }
    }
}

#[test]
fn a_sheet_that_is_none_is_65_or_66_and_named() {
    let yichuan = Yichuan::new();
    let rules = ["--jurisdiction", "520624", "--partners", "440000"];
    let missing = yichuan.path("leads.xlsx");
    let ran = yichuan.run(&[&["lead", "check", &missing], &rules[..]].concat());
    assert_eq!(ran.code, 66, "{}", ran.err);
    assert!(ran.err.contains(&missing), "{}", ran.err);
    let ran = yichuan.run(&[&["--lang", "zh", "lead", "check", "Cargo.toml"], &rules[..]].concat());
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(ran.err.starts_with("错误：Cargo.toml："), "{}", ran.err);
    // Before a node is asked, and before anybody must say who they are.
    assert_eq!(yichuan.run(&["lead", "push", &missing]).code, 66);
}

#[test]
fn certificates_are_made_issued_shown_and_revoked() {
    let yichuan = Yichuan::new();
    let certs = yichuan.path("certs");
    let run = |args: &[&str]| yichuan.run(&[&["certs"], args, &["--dir", &certs]].concat());
    assert_eq!(run(&["show"]).code, 66);
    let made = run(&["ca", "520624"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let again = run(&["ca", "520624"]);
    assert_eq!(again.code, 77, "a CA is never overwritten: {}", again.err);
    let issued = run(&["issue", "node", "officer-001"]);
    assert_eq!(issued.code, 0, "{}", issued.err);
    assert!(issued.out.contains("spiffe://520624.yichuan/officer/001"));
    assert_eq!(run(&["issue", "chief-1"]).code, 64);
    assert_eq!(run(&["revoke", "officer-001"]).code, 0);
    assert_eq!(run(&["revoke", "officer-001"]).code, 66);
    let shown = run(&["show"]).out;
    let fingerprint = made.out.lines().last().unwrap();
    assert!(shown.contains(fingerprint), "{shown}");
    let line = |name: &str| shown.lines().find(|l| l.trim().starts_with(name)).unwrap();
    assert!(line("node").contains(" valid"), "{shown}");
    assert!(line("officer-001").contains("revoked"), "{shown}");
}

/// Whoever reads it is that officer.
#[test]
fn regression_a_persons_key_that_others_may_read_is_not_used() {
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    let key = yichuan.path("node/certs/officer-001.key");
    let list = || {
        let asks = ["--config", &config, "--as", "officer-001"];
        let why = ["--purpose", "case", "--basis", "campaign:520624-2026-01"];
        yichuan.run(&[&["lead", "list"], &asks[..], &why[..]].concat())
    };
    let nobody_answers = list();
    assert_eq!(nobody_answers.code, 69, "{}", nobody_answers.err);
    for mode in [0o604, 0o640, 0o660] {
        std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
        let ran = list();
        assert_eq!(ran.code, 78, "{}", ran.err);
        assert!(
            ran.err.contains(&format!("{key} has mode {mode:04o}")),
            "{}",
            ran.err
        );
        assert!(ran.err.contains(&format!("chmod 600 {key}")), "{}", ran.err);
        // Another certificate is no help.
        assert!(!ran.err.contains("certs issue"), "{}", ran.err);
    }
}

#[test]
fn a_node_is_made_once() {
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    let home = Path::new(&config).parent().unwrap();
    let key = std::fs::read(home.join("data/log.key")).unwrap();
    let again = yichuan.run(&[
        "init",
        "--jurisdiction",
        "520624",
        "--name",
        "x",
        "--dir",
        home.to_str().unwrap(),
    ]);
    assert_eq!(again.code, 77, "{}", again.err);
    assert!(again.err.contains("not empty"), "{}", again.err);
    assert_eq!(std::fs::read(home.join("data/log.key")).unwrap(), key);

    let nowhere = yichuan.path("other");
    let ran = yichuan.run(&[
        "init",
        "--jurisdiction",
        "520624",
        "--name",
        "x",
        "--dir",
        &nowhere,
        "--listen",
        "0.0.0.0:7443",
    ]);
    assert_eq!(ran.code, 64, "what partners dial is not known");
    assert!(!Path::new(&nowhere).exists(), "and nothing was made");
}

/// `init` refused a directory in which it had been cut off itself, though all it had made there could be made again.
#[test]
fn regression_init_that_was_cut_off_can_be_given_again() {
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    let text = std::fs::read_to_string(&config).unwrap();
    let home = Path::new(&config).parent().unwrap();
    let (toml, data) = (home.join("node.toml"), home.join("data"));
    let again = |left: &dyn Fn()| {
        std::fs::remove_dir_all(home).unwrap();
        std::fs::create_dir_all(&data).unwrap();
        left();
        let name = "思南县公安局";
        let dir = home.to_str().unwrap();
        yichuan.run(&[
            "init",
            "--jurisdiction",
            "520624",
            "--name",
            name,
            "--dir",
            dir,
            "--listen",
            "127.0.0.1:1",
        ])
    };
    let lefts: [&dyn Fn(); 4] = [
        &|| (),
        &|| std::fs::write(home.join("node.toml.new"), &text[..9]).unwrap(),
        &|| std::fs::write(&toml, &text).unwrap(),
        &|| {
            std::fs::write(&toml, &text).unwrap();
            std::fs::write(data.join("vkey"), "of the attempt before").unwrap();
            std::fs::write(data.join("log.key.new"), "").unwrap();
        },
    ];
    for left in lefts {
        let ran = again(left);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(std::fs::read_to_string(&toml).unwrap(), text);
        assert!(!home.join("node.toml.new").exists());
        let vkey = std::fs::read_to_string(data.join("vkey")).unwrap();
        assert!(ran.out.contains(vkey.trim()), "{}", ran.out);
    }
    // What somebody wrote, and what is left of a node, are no such remains.
    for (file, left) in [
        (toml.clone(), "another"),
        (home.join("notes"), ""),
        (data.join("bucket.keys"), ""),
        (data.join("log.key"), ""),
    ] {
        let ran = again(&|| std::fs::write(&file, left).unwrap());
        assert_eq!(ran.code, 77, "{}: {}", file.display(), ran.err);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), left);
    }
}

#[test]
fn what_init_makes_holds_and_shows_as_it_counts() {
    let yichuan = Yichuan::new().with("YICHUAN__LIMITS__DRAIN_S", "5");
    let config = yichuan.node();
    let checked = yichuan.run(&["--config", &config, "config", "check"]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);

    let shown = yichuan.run(&["--config", &config, "config", "show"]);
    let again = yichuan.path("node/again.toml");
    std::fs::write(&again, &shown.out).unwrap();
    let reread = yichuan.run(&["--config", &again, "--format", "json", "config", "show"]);
    let first = yichuan.run(&["--config", &config, "--format", "json", "config", "show"]);
    assert_eq!(reread.out, first.out);
    let shown: serde_json::Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(shown["jurisdiction"], "520624");
    assert_eq!(shown["limits"]["drain_s"], 5);

    std::fs::remove_file(Path::new(&config).with_file_name("certs/node.key")).unwrap();
    let checked = yichuan.run(&["--config", &config, "--format", "json", "config", "check"]);
    assert_eq!(checked.code, 78);
    let wrong: Vec<_> = checked
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|finding| finding["ok"] == false)
        .collect();
    assert_eq!(wrong.len(), 1, "{}", checked.out);
    assert_eq!(wrong[0]["key"], "tls.cert");
}

#[test]
fn a_card_is_made_once_and_says_its_fingerprints() {
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    let (certs, card) = (yichuan.path("node/certs"), yichuan.path("520624.card"));
    let args = [
        "--config", &config, "partner", "card", "--dir", &certs, "--out", &card,
    ];
    let made = yichuan.run(&args);
    assert_eq!(made.code, 0, "{}", made.err);
    let parsed = yichuan::tls::NodeCard::parse(&std::fs::read(&card).unwrap()).unwrap();
    assert_eq!(parsed.name(), "思南县公安局");
    assert!(made.out.contains(&parsed.fingerprint().to_string()));
    assert!(made.out.contains(&parsed.ca_fingerprint().to_string()));
    assert_eq!(yichuan.run(&args).code, 77, "a card is never overwritten");

    let forged = yichuan.path("forged.card");
    let text = parsed.as_str().replace("127.0.0.1", "127.0.0.2");
    std::fs::write(&forged, text).unwrap();
    let ran = yichuan.run(&["partner", "add", &forged]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(ran.err.contains("not signed"), "{}", ran.err);
}

#[test]
fn who_asks_and_why_is_stated_before_anybody_is_asked() {
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    let run =
        |args: &[&str]| yichuan.run(&[&["--config", &config], args, &["lead", "inbox"]].concat());
    let basis = "campaign:520624-2026-01";
    for (args, said) in [
        (&[][..], "state a purpose"),
        (&["--purpose", "curiosity"], "state a purpose"),
        (&["--purpose", "case"], "state a basis"),
        (
            &["--purpose", "case", "--basis", "because"],
            "state a basis",
        ),
        (&["--purpose", "case", "--basis", basis], "--as"),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, 64, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
    }
    let grounds = ["--purpose", "case", "--basis", basis];
    let ran = run(&[&grounds[..], &["--as", "officer-999"]].concat());
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains("officer-999.pem"), "{}", ran.err);
    let ran = run(&[
        &grounds[..],
        &["--as", "officer-001", "--node-jurisdiction", "440000"],
    ]
    .concat());
    assert_eq!(ran.code, 64, "a partner's node needs its card: {}", ran.err);
    // Port 1 of this machine listens to nobody.
    let ran = run(&[&grounds[..], &["--as", "officer-001"]].concat());
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("https://127.0.0.1:1"), "{}", ran.err);

    let environment = Yichuan::new()
        .with("YICHUAN_PURPOSE", "case")
        .with("YICHUAN_BASIS", basis)
        .with("YICHUAN_AS", "officer-001");
    let ran = environment.run(&["--config", &config, "lead", "inbox"]);
    assert_eq!(ran.code, 69, "{}", ran.err);
}

#[test]
fn a_number_to_search_for_comes_on_stdin_and_is_never_said() {
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    let args = [
        "--config",
        &config,
        "--as",
        "officer-001",
        "--purpose",
        "case",
        "--basis",
        "campaign:520624-2026-01",
        "lead",
        "list",
        "--number",
        "-",
    ];
    let (bad, good) = ("522225190010142479", "522225190010142478");
    let ran = yichuan.run_with(&args, &format!("{bad}\n"));
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(!ran.everything().contains(bad), "{}", ran.err);
    let ran = yichuan.run_with(&args, &format!("{good}\n"));
    assert_eq!(ran.code, 69, "sound, and there is no node: {}", ran.err);
    assert!(!ran.everything().contains(good), "{}", ran.err);
}

/// A node's officer, who asks nobody: port 1 of this machine listens to nobody.
fn officer(yichuan: &Yichuan) -> impl Fn(&[&str], &str) -> Ran + '_ {
    let config = yichuan.node();
    move |args, stdin| {
        let who = [
            "--config",
            &config,
            "--as",
            "officer-001",
            "--purpose",
            "case",
            "--basis",
            "campaign:520624-2026-01",
        ];
        yichuan.run_with(&[&who[..], args].concat(), stdin)
    }
}

#[test]
fn a_referral_is_checked_before_anybody_is_asked_and_says_nothing_of_a_person() {
    let yichuan = Yichuan::new();
    let run = officer(&yichuan);
    let (name, bad, good) = ("钱癸子", "522225190010142479", "522225190010142478");
    let subject = ["--subject-name", "-", "--subject-number", "-"];
    let opened = |more: &[&str], stdin: &str| run(&[OPEN.as_slice(), more].concat(), stdin);

    let ran = opened(&subject, &format!("{name}\n{good}\n"));
    assert_eq!(ran.code, 69, "sound, and there is no node: {}", ran.err);
    assert!(!ran.everything().contains(name), "{}", ran.err);
    assert!(!ran.everything().contains(good), "{}", ran.err);
    let ran = opened(&subject, &format!("{name}\n{bad}\n"));
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(ran.err.contains("--subject-number"), "{}", ran.err);
    assert!(!ran.everything().contains(bad), "{}", ran.err);
    let ran = opened(&subject, &format!("{name}\n"));
    assert_eq!(ran.code, 66, "a line is missing: {}", ran.err);

    let ran = opened(&["--subject-name", name], "");
    assert!(ran.err.contains("--subject-name -"), "{}", ran.err);
    assert!(!ran.everything().contains(name), "{}", ran.err);

    for (more, field) in [
        (["--case", "A1"], "case_number"),
        (["--substance", &"冰".repeat(101)], "substance"),
    ] {
        let ran = opened(&more, "");
        assert_eq!(ran.code, 65, "{}", ran.err);
        assert!(ran.err.contains(field), "{}", ran.err);
    }
}

#[test]
fn what_is_long_comes_from_a_file_or_from_stdin() {
    let yichuan = Yichuan::new();
    let run = officer(&yichuan);
    let file = yichuan.path("matter.txt");
    let at_file = format!("@{file}");
    let correct = |matter: &str, stdin: &str| {
        let args = [
            "referral", "correct", ID, "--title", "协查", "--matter", matter,
        ];
        run(&args, stdin)
    };
    assert_eq!(correct(&at_file, "").code, 66, "there is no such file");
    std::fs::write(&file, [0xff]).unwrap();
    assert_eq!(correct(&at_file, "").code, 65, "no text");
    std::fs::write(&file, "\n").unwrap();
    let ran = correct(&at_file, "");
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(ran.err.contains("matter is missing"), "{}", ran.err);
    std::fs::write(&file, "请核实住址\n").unwrap();
    assert_eq!(correct(&at_file, "").code, 69, "sound");

    assert_eq!(correct("-", "").code, 65);
    assert_eq!(correct("-", &"长".repeat(4_001)).code, 65);
    assert_eq!(correct("-", "请核实\n住址\n").code, 69);
    assert_eq!(
        run(&["referral", "feedback", ID, "--note", &at_file], "").code,
        69
    );
    let ran = run(&["lead", "sign", ID, "--note", "@/nowhere"], "");
    assert_eq!(ran.code, 66, "{}", ran.err);
}

#[test]
fn a_name_and_a_number_to_search_for_take_a_line_each() {
    let yichuan = Yichuan::new();
    let run = officer(&yichuan);
    let (name, number) = ("钱癸子", "522225190010142478");
    let both = ["referral", "list", "--name", "-", "--number", "-"];
    let ran = run(&both, &format!("{number}\n{name}\n"));
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(!ran.everything().contains(name), "{}", ran.err);
    assert!(!ran.everything().contains(number), "{}", ran.err);
    assert_eq!(run(&both, &format!("{name}\n{number}\n")).code, 65);
    // Nothing to search for is not everything.
    assert_eq!(run(&["referral", "list", "--name", "-"], "\n").code, 66);
}

/// An export of a young log, and the log's verifier key. The last entry is the node's own, or one that it may not write.
fn export(dir: &Path, in_order: bool) -> (PathBuf, String) {
    let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
    let key = signer.verifier_key().to_string();
    let own = "520624".parse().unwrap();
    let started = Kind::LogStarted {
        origin: signer.origin().to_owned(),
        verifier_key: key.clone(),
        jurisdiction: own,
    };
    let auditors = vec!["spiffe://520624.yichuan/auditor/001".to_owned()];
    let whose = if in_order {
        own
    } else {
        "440000".parse().unwrap()
    };
    let time = Timestamp::from_millis(1_772_640_000_000);
    let mut tiles = TileWriter::create(dir).unwrap();
    let mut log = LogVerifier::new();
    for (who, kind) in [
        (own, started),
        (
            whose,
            Kind::PolicyChanged {
                auditors,
                units: Default::default(),
            },
        ),
    ] {
        let entry = Entry {
            time,
            id: EntryId::new(time),
            cause: Cause {
                principal: Principal::node(who),
                grounds: None,
            },
            kind,
        };
        let leaf = entry.encode();
        tiles.push(&leaf).unwrap();
        log.push(&leaf).unwrap();
    }
    tiles.finish(&signer.sign(2, log.root())).unwrap();
    (dir.to_owned(), key)
}

#[test]
fn an_export_is_verified_with_a_key_and_nothing_else() {
    let yichuan = Yichuan::new();
    let (dir, key) = export(&yichuan.dir.path().join("export"), true);
    let dir_text = dir.to_str().unwrap();
    let verify = |key: &str| {
        yichuan.run(&[
            "--format", "json", "audit", "verify", "--export", dir_text, "--vkey", key,
        ])
    };
    let ran = verify(&key);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found["verified"], true);
    assert_eq!(
        (&found["origin"], &found["entries"]),
        (&"520624.yichuan/log/1".into(), &2.into())
    );
    let file = yichuan.path("vkey");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    assert_eq!(verify(&file).code, 0);

    let other = LogSigner::from_seed("520624.yichuan/log/1", &[8; 32]).unwrap();
    let ran = verify(&other.verifier_key().to_string());
    assert_eq!(ran.code, 65, "another's key: {}", ran.err);
    assert_eq!(
        verify("520624.yichuan/log/1+00000000+AQ==").code,
        65,
        "no key"
    );
    let ran = yichuan.run(&["audit", "verify", "--export", dir_text]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains("--vkey"), "{}", ran.err);

    let entries = dir.join("tile/entries/000.p/2");
    let mut bytes = std::fs::read(&entries).unwrap();
    bytes[2] ^= 1;
    std::fs::write(&entries, bytes).unwrap();
    let ran = verify(&key);
    assert_eq!((ran.code, ran.out.as_str()), (65, ""), "{}", ran.err);
    assert!(
        ran.err.contains("entry 0 in tile/entries/000.p/2"),
        "{}",
        ran.err
    );
    let ran = yichuan.run(&["audit", "verify", "--export", "src", "--vkey", &key]);
    assert_eq!(ran.code, 66, "{}", ran.err);
}

#[test]
fn a_signed_log_that_does_not_hold_together_is_bad_data_and_says_where() {
    let yichuan = Yichuan::new();
    let (dir, key) = export(&yichuan.dir.path().join("export"), false);
    let dir = dir.to_str().unwrap();
    let args = ["audit", "verify", "--export", dir, "--vkey", &key];
    let ran = yichuan.run(&args);
    assert_eq!(ran.code, 65, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("wrong_actor"), "{}", ran.out);
    let ran = yichuan.run(&[&["--format", "json"], &args[..]].concat());
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &found["verified"]), (65, &false.into()));
    assert_eq!(found["defects"]["first"][0]["index"], 1);
}

#[test]
fn colours_are_for_terminals() {
    let yichuan = Yichuan::new();
    let ran = yichuan.run(&["lead", "chek"]);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
    let forced = Yichuan::new().with("CLICOLOR_FORCE", "1");
    assert!(forced.run(&["config", "show"]).err.contains('\u{1b}'));
    let forbidden = Yichuan::new()
        .with("CLICOLOR_FORCE", "1")
        .with("NO_COLOR", "1");
    let ran = forbidden.run(&["config", "show"]);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
}

/// Those of others are not read; ours must be text; and none is ever told.
#[test]
fn regression_a_variable_that_is_no_text_stops_nothing_and_is_not_told() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    for (name, code) in [
        ("SOME_TOKEN", 0),
        ("LANG", 0),
        ("LC_ALL", 0),
        ("LC_MESSAGES", 0),
        ("NO_COLOR", 0),
        ("TERM", 0),
        ("HOME", 0),
        ("YICHUAN_AS", 64),
        ("YICHUAN_PURPOSE", 64),
        ("YICHUAN_LOG", 78),
        ("YICHUAN_CONFIG", 78),
        ("YICHUAN__TLS__CA", 78),
    ] {
        let ran = Command::new(env!("CARGO_BIN_EXE_yichuan"))
            .args(["--lang", "en", "--config", &config, "config", "show"])
            .env_clear()
            .env(name, OsStr::from_bytes(b"s\xe9cret"))
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(ran.status.code(), Some(code), "{name}: {said}");
        assert!(
            !said.contains("cret") && !said.contains("panicked"),
            "{said}"
        );
    }
    // A variable of a library's own: it is not read.
    std::fs::remove_file(Path::new(&config).with_file_name("certs").join("ca.pem")).unwrap();
    for value in ["a-secret", "0"] {
        let foreign = Yichuan::new().with("TOKIO_WORKER_THREADS", value);
        let ran = foreign.run(&["--config", &config, "serve"]);
        assert_eq!(ran.code, 78, "{}", ran.err);
        assert!(!ran.err.contains("TOKIO"), "{}", ran.err);
    }
    // A value that is text and wrong is not told either.
    let wrong = Yichuan::new().with("YICHUAN__LIMITS__CONNECTIONS", "a-secret");
    let ran = wrong.run(&["--config", &config, "config", "show"]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(
        ran.err.contains("YICHUAN__LIMITS__CONNECTIONS"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("a-secret"), "{}", ran.err);
}

#[test]
fn ids_may_be_typed_in_capitals() {
    let yichuan = Yichuan::new();
    let config = yichuan.node();
    let capitals = ID.to_uppercase();
    let basis = format!("lead:{capitals}");
    let given = [
        "--config",
        &config,
        "--as",
        "officer-001",
        "--purpose",
        "screening",
    ];
    for command in [["lead", "show"], ["referral", "show"], ["caught", "show"]] {
        let args = [&given[..], &["--basis", &basis], &command[..], &[&capitals]].concat();
        // No node is there: all that is typed was understood.
        let ran = yichuan.run(&args);
        assert_eq!(ran.code, 69, "{command:?}: {}", ran.err);
    }
}
