//! Inputs to begin with, made by the encoders of the product and from the repository's samples: `cargo test --test it corpus:: --
//! --ignored` writes them to `fuzz/corpus/`, and `fuzz/run minimise` keeps of them what the fuzzer needs.

mod messages;

use super::{
    fuzz,
    targets::world,
    two_logs::{self, COUNTY, HandLog, PROVINCE, code, node, person, record},
};
use rust_xlsxwriter::Workbook;
use std::{
    fs,
    io::{Cursor, Read as _},
};
use yichuan::{
    access::{Quota, QuotaReport, Role},
    domain::{Action, Column, Timestamp},
    entry::{Kind, Refusal, checkpoint_to_bytes},
    note::{LogSigner, TlogProof},
    seal::{self, Keyring, PurgeMonth},
    tls::{Ca, CardFacts, NodeCard, dev},
};
use zip::ZipArchive;

#[test]
#[ignore = "writes into fuzz/corpus/"]
fn seeds() {
    let (county, province) = logs();
    notes(&county);
    entries(&county, &province);
    trust();
    messages::exchange(&county);
    messages::payloads();
    messages::requests();
    sheets();
    words();
    steps();
    keys();
}

fn seed(target: &str, name: &str, bytes: &[u8]) {
    let directory = fuzz().join("corpus").join(target);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("seed-{name}")), bytes).unwrap();
}

/// Bytes behind their length, as targets take them.
fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A log with an entry of most kinds, and its partner's.
fn logs() -> (HandLog, HandLog) {
    let (mut county, mut province) = (HandLog::started(COUNTY), HandLog::started(PROVINCE));
    befriend(&mut county, PROVINCE);
    befriend(&mut province, COUNTY);
    let sent = county.send(PROVINCE, 1);
    let received = province.receive(&county, sent);
    county.log_answer(&province, sent, received);
    let refused = county.send(PROVINCE, 2);
    let answer = province.refuse(&county, refused, Refusal::ChangedContent);
    county.log_answer(&province, refused, answer);
    let back = province.dispatch(COUNTY, Action::Sign, 3);
    let back = province.append(
        person(PROVINCE, Role::Officer, "7"),
        Kind::DispatchSent(back),
    );
    county.receive(&province, back);
    county.consult(
        person(COUNTY, Role::Officer, "001"),
        vec![record(1), record(2)],
    );
    let supervisor = || person(COUNTY, Role::Supervisor, "002");
    county.append(
        supervisor(),
        Kind::RecordAssigned {
            record: record(1),
            assignee: Some("unit/narcotics".parse().unwrap()),
        },
    );
    county.append(
        supervisor(),
        Kind::ReferralApproved {
            record: record(4),
            draft: [4; 32].into(),
        },
    );
    county.append(
        node(COUNTY),
        Kind::QuotaReached(QuotaReport {
            principal: person(PROVINCE, Role::Officer, "007").principal,
            quota: Quota::Misses,
            limit: 100,
            counted: 100,
            window_s: 3_600,
            refused: true,
        }),
    );
    let (first, second) = (
        two_logs::invented(&province.signer, 9, 1),
        two_logs::invented(&province.signer, 9, 2),
    );
    county.append(
        node(COUNTY),
        Kind::EvidenceKept {
            jurisdiction: code(PROVINCE),
            first,
            second,
            shown_by: None,
        },
    );
    (county, province)
}

/// With a card that its CA signed.
fn befriend(log: &mut HandLog, other: &str) {
    let card = node_card(other).as_str().as_bytes().to_vec();
    let approved = Kind::PartnerApproved {
        jurisdiction: code(other),
        card_sha256: seal::sha256(&card),
        abandoned: None,
    };
    let proposed = Kind::PartnerProposed { card };
    log.append(person(log.of, Role::Officer, "001"), proposed);
    log.append(person(log.of, Role::Supervisor, "002"), approved);
}

fn node_card(of: &str) -> NodeCard {
    let ca = dev::ca(code(of)).unwrap();
    let facts = CardFacts {
        name: ca.name,
        endpoint: &"https://127.0.0.1:7443".parse().unwrap(),
        vkey: &world::signer(of).verifier_key().to_string(),
    };
    let clock = At(Timestamp::from_millis(world::START_MS));
    let ca = Ca::from_pem(ca.certificate, ca.key).unwrap();
    NodeCard::make(&ca, &facts, &clock).unwrap()
}

fn notes(county: &HandLog) {
    let head = county.head();
    seed("note", "head", head.note().as_bytes());
    seed("note", "parts", &checkpoint_to_bytes(&head));
    let ours = world::signer(COUNTY).sign(7, [1; 32].into());
    seed("note", "ours", ours.note().as_bytes());
    seed("note", "our-parts", &checkpoint_to_bytes(&ours));
    let witness = LogSigner::from_seed("330000.yichuan", &[3; 32]).unwrap();
    let line = witness
        .cosign(ours.checkpoint(), 1_772_640_000)
        .line("330000.yichuan", &witness.verifier_key())
        .unwrap();
    seed(
        "note",
        "cosigned",
        format!("{}{line}", ours.note()).as_bytes(),
    );
    let text = piece(ours.checkpoint().body().as_bytes());
    seed("checkpoint", "body", &[&[0; 8][..], &text].concat());
    seed(
        "checkpoint",
        "cosigned",
        &[&[0; 8][..], &text, line.as_bytes()].concat(),
    );
    for (name, numbers) in [("one", [0, 0]), ("seven", [6, 3]), ("large", [299, 255])] {
        let [size, at] = numbers.map(u64::to_be_bytes);
        seed(
            "inclusion",
            name,
            &[&size[6..], &[0], &at, &[2; 40]].concat(),
        );
        seed(
            "consistency",
            name,
            &[&size[6..], &[0], &at, &[2; 40]].concat(),
        );
    }
    let honest = world::sender();
    let proof = TlogProof {
        extra: honest.leaves[2].clone(),
        index: 2,
        hashes: honest.tree.inclusion(2, honest.tree.size()),
        note: honest.head.note().to_owned(),
    };
    seed("proof", "text", proof.to_string().as_bytes());
    seed("proof", "honest", &3_u64.to_be_bytes());
    for size in 0..3 {
        seed("export", &size.to_string(), &[size; 24]);
    }
}

fn entries(county: &HandLog, province: &HandLog) {
    for (index, leaf) in county.leaves.iter().enumerate() {
        seed("entry", &format!("{index:02}"), leaf);
    }
    let pieces = |log: &HandLog| log.leaves.iter().flat_map(|leaf| piece(leaf)).collect();
    let (ours, theirs): (Vec<u8>, Vec<u8>) = (pieces(county), pieces(province));
    seed("log", "county", &[&[1][..], &ours].concat());
    seed("log", "started", &[0]);
    // An empty leaf ends the first of two logs.
    let two = [&[3][..], &ours, &[0, 0, 1], &theirs].concat();
    seed("reconcile", "two", &two);
    seed("reconcile", "started", &[2, 0, 0, 0]);
}

fn trust() {
    for ca in dev::CAS {
        let certificate = ca.certificate;
        seed(
            "certificate",
            &format!("{}-ca", ca.code),
            certificate.as_bytes(),
        );
        seed(
            "certificate",
            &format!("{}-ca-der", ca.code),
            &der(certificate),
        );
        seed("crl", ca.code, &[0, 0]);
        seed("crl", &format!("{}-pem", ca.code), ca.crl.as_bytes());
        // The county's list without its signature, which the target makes anew.
        let list = der(ca.crl);
        seed(
            "crl",
            &format!("{}-tbs", ca.code),
            &piece(contents(contents(&list))),
        );
        for name in ["node", "officer-001", "auditor-001"] {
            let identity = dev::identity(code(ca.code), name).unwrap();
            seed(
                "certificate",
                &format!("{}-{name}", ca.code),
                &der(identity.certificate),
            );
        }
        let card = node_card(ca.code);
        seed("card", ca.code, card.as_str().as_bytes());
        let (body, _) = card.as_str().split_once("\n\n").unwrap();
        seed(
            "card",
            &format!("{}-body", ca.code),
            format!("{body}\n").as_bytes(),
        );
    }
}

#[derive(Debug)]
struct At(Timestamp);

impl yichuan::domain::Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn der(pem: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(base64).unwrap()
}

/// Of the first DER element.
fn contents(der: &[u8]) -> &[u8] {
    match der[1] {
        length @ 0..=0x7f => &der[2..2 + usize::from(length)],
        0x81 => &der[3..3 + usize::from(der[2])],
        _ => &der[4..4 + usize::from(u16::from_be_bytes([der[2], der[3]]))],
    }
}

fn sheets() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let (lead, columns) = (messages::lead_fields(), Column::ALL);
    for (at, column) in (0..).zip(columns) {
        sheet.write(0, at, column.header_zh()).unwrap();
        sheet.write(1, at, lead.get(*column)).unwrap();
    }
    sheet.write(3, 0, 45_000.5).unwrap();
    let file = workbook.save_to_buffer().unwrap();
    seed("xlsx", "lead", &file);
    let rows = |delimiter: &str, end: &str| {
        let header: Vec<_> = columns.iter().map(|column| column.header_zh()).collect();
        let cells: Vec<_> = columns
            .iter()
            .map(|column| format!("\"{}\"", lead.get(*column).replace('"', "\"\"")))
            .collect();
        format!(
            "{}{end}{}{end}",
            header.join(delimiter),
            cells.join(delimiter)
        )
    };
    seed("csv", "utf-8", rows(",", "\n").as_bytes());
    seed(
        "csv",
        "marked",
        format!("\u{feff}{}", rows(";", "\r\n")).as_bytes(),
    );
    let text = rows(",", "\r\n");
    let (text, _, unmapped) = encoding_rs::GB18030.encode(&text);
    assert!(!unmapped);
    seed("csv", "gb18030", &text);
    let wide = format!("\u{feff}{}", rows("\t", "\r\n"));
    let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    seed("csv", "utf-16", &wide);
    let mut archive = ZipArchive::new(Cursor::new(file)).unwrap();
    let parts = ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"].map(|name| {
        let mut bytes = Vec::new();
        let mut part = archive.by_name(name).unwrap();
        part.read_to_end(&mut bytes).unwrap();
        piece(&bytes)
    });
    seed("workbook", "lead", &parts.concat());
    let sheet = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>线索编号</t></is></c>\
        <c r=\"B1\" t=\"inlineStr\"><is><t>姓名</t></is></c><c r=\"C1\" t=\"s\"><v>0</v></c></row>\
        <row r=\"3\"><c r=\"A3\"><v>12</v></c><c r=\"B3\" t=\"str\"><v>钱癸子</v></c>\
        <c r=\"C3\" s=\"1\"><v>45000.5</v></c><c r=\"D3\" t=\"b\"><v>1</v></c></row></sheetData></worksheet>";
    let strings = "<sst uniqueCount=\"1\"><si><t>采集时间</t></si></sst>";
    let parts = [sheet, strings].map(|part| piece(part.as_bytes()));
    seed("workbook", "small", &parts.concat());
}

fn words() {
    let signer = world::signer(COUNTY);
    let key = signer.verifier_key().to_string();
    let id = record(1).to_string();
    let texts = [
        "520624",
        "spiffe://520624.yichuan/officer/001",
        "campaign:520624-2026-01",
        "screening",
        "officer/001",
        "officer/001",
        "narcotics",
        &id,
        &id,
        &id,
        &key,
        "tile/0/x001/234.p/7",
        "referral_accept",
        "dispatch_sent",
        "https://[::1]:7443",
        "520624101",
        "520624190001010012",
        "e3b0 c442",
        "身份证号 *",
        "spiffe://520624.yichuan/node",
        &key,
        "case:A5206240000002026010001",
    ];
    for (index, text) in (0..).zip(texts) {
        seed(
            "words",
            &format!("{index:02}"),
            &[&[index][..], text.as_bytes()].concat(),
        );
    }
    seed(
        "words",
        "case",
        &[&[2][..], b"case:A5206240000002026010001"].concat(),
    );
    seed(
        "words",
        "lead",
        &[&[2][..], format!("lead:{id}").as_bytes()].concat(),
    );
    seed(
        "words",
        "entries",
        &[&[11][..], b"tile/entries/000.p/17"].concat(),
    );
}

fn steps() {
    seed(
        "history",
        "lead",
        &[0, 0, 0, 9, 0, 1, 1, 8, 0, 2, 1, 7, 0, 3, 1, 5, 0x81, 9],
    );
    seed(
        "history",
        "referral",
        &[1, 1, 0, 1, 0, 2, 1, 2, 0, 3, 1, 3, 0, 15, 0, 4, 0x81, 2],
    );
}

fn keys() {
    let mut ring = Keyring::generate().unwrap();
    for month in [203_101, 203_102] {
        ring.add_bucket(PurgeMonth::new(month).unwrap()).unwrap();
    }
    let file = ring.to_bytes();
    seed("keys", "two", &file);
    seed("keys", "two-unsummed", &file[..file.len() - 32]);
    seed(
        "sealed",
        "lead",
        &[&piece(b"content")[..], &[0; 8]].concat(),
    );
}
