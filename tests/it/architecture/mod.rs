//! A part of the house knows only what lies below it. Reads the sources and names every import that runs up.

mod circles;
mod names;

use names::{Named, Source};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// The parts, from the ground up. Parts of one row do not know each other, except as in [`SIDEWAYS`].
const FLOORS: [&[&str]; 14] = [
    &["domain"],
    &["merkle"],
    &["note"],
    &["access"],
    &["seal"],
    &["entry"],
    &["store"],
    &["log"],
    &["exchange"],
    &["casework"],
    &["audit"],
    &["api"],
    &["rpc", "tls", "intake", "config", "telemetry"],
    &["node", "cli", "main"],
];

/// Who may know whom beside it.
const SIDEWAYS: [(&str, &str); 4] = [
    // The client of a peer dials through the gate's other side, and a handler asks who called.
    ("rpc", "tls"),
    // A configuration is read into the limits and addresses that the gate takes.
    ("config", "tls"),
    // Commands start a node; `main` hands over to the commands.
    ("cli", "node"),
    ("main", "cli"),
];

/// Parts that compute and nothing else.
const PURE: [&str; 6] = ["domain", "merkle", "note", "access", "seal", "entry"];

/// What would make a pure part wait, store, call or look at the clock.
const IMPURE: [&[&str]; 8] = [
    &["tokio"],
    &["tonic"],
    &["sled"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "*"],
    &["SystemTime"],
    &["Instant"],
];

/// Where generated protobuf may be named. The commands are a client and speak nothing else; nothing stands above them.
const KNOW_PROTOBUF: [&str; 3] = ["entry", "rpc", "cli"];

/// What holds for a call whatever carries it knows no transport.
const WITHOUT_TRANSPORT: &str = "api";

fn rank(part: &str) -> Option<usize> {
    FLOORS.iter().position(|parts| parts.contains(&part))
}

/// The part that a file below `src/` belongs to, and the file's module.
fn place(file: &str) -> (&str, Vec<&str>) {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Vec<&str> = stem.split('/').collect();
    let part = module.first().copied().unwrap_or_default();
    if matches!(module.last(), Some(&"mod" | &"lib" | &"main")) {
        module.pop();
    }
    (part, module)
}

/// What is wrong with a file below `src/`.
fn faults(file: &str, source: &str) -> Vec<String> {
    let (part, module) = place(file);
    if part == "lib" {
        return Vec::new();
    }
    let Some(own) = rank(part) else {
        return vec![format!(
            "{file}: {part} is no part of the house: give it a place in FLOORS"
        )];
    };
    let read = match names::read(source, &module) {
        Ok(read) => read,
        Err(error) => return vec![format!("{file}: {error}")],
    };
    let mut faults = Vec::new();
    for Named { line, path, .. } in read.names {
        let mut fault = |what: String| faults.push(format!("{file}:{line}: {what}"));
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["crate"] | ["crate", "*"] => {
                fault("names the crate's root, behind which any part can hide".to_owned());
            }
            ["crate", other, ..] if *other != part => match rank(other) {
                Some(rank) if rank < own || SIDEWAYS.contains(&(part, other)) => {}
                Some(_) => fault(format!("{part} must not know {other}")),
                None => fault(format!("{other} is no part of the house")),
            },
            _ => {}
        }
        let protobuf = path.contains(&"pb") && !KNOW_PROTOBUF.contains(&part);
        if protobuf {
            fault(
                "generated protobuf stops at entry and rpc, and is a client's language".to_owned(),
            );
        }
        if part == WITHOUT_TRANSPORT && path.contains(&"tonic") {
            fault(format!(
                "{part} knows no transport, and must not know tonic"
            ));
        }
        let impure = |name: &&[&str]| match name {
            [word] => path.contains(word),
            _ => path.starts_with(name),
        };
        if PURE.contains(&part)
            && let Some(name) = IMPURE.iter().copied().find(impure)
        {
            fault(format!(
                "{part} is pure and must not know {}",
                name.join("::")
            ));
        }
    }
    faults.dedup();
    faults
}

fn read(file: &str, source: &str) -> Source {
    names::read(source, &place(file).1).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every source file by its name below `src/`, without files that only tests are made of.
fn sources() -> &'static [(String, String)] {
    static SOURCES: LazyLock<Vec<(String, String)>> = LazyLock::new(read_sources);
    &SOURCES
}

fn read_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut test_modules) = (Vec::new(), Vec::new());
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for item in fs::read_dir(directory).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                test_modules.extend(test_files(name, &source));
                files.push((name.to_owned(), source));
            }
        }
    }
    files.retain(|(name, _)| {
        let stem = Path::new(name).with_extension("");
        !test_modules.iter().any(|module| stem.starts_with(module))
    });
    files.sort();
    files
}

/// Files and directories, without `.rs`, of the modules that a file declares for tests only.
fn test_files(file: &str, source: &str) -> Vec<PathBuf> {
    let (_, module) = place(file);
    let declared = read(file, source).test_modules;
    let children: PathBuf = module.iter().collect();
    let beside = Path::new(file).parent().unwrap_or(Path::new(""));
    declared
        .iter()
        .flat_map(|name| [children.join(name), beside.join(name)])
        .collect()
}

#[test]
fn no_part_knows_what_lies_above_it() {
    let sources = sources();
    let faults: Vec<String> = sources
        .iter()
        .flat_map(|(file, source)| faults(file, source))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    // Reading nothing would find nothing: some imports that are there must have been seen.
    for (part, below) in [("entry", "seal"), ("log", "store"), ("exchange", "log")] {
        let knows = sources
            .iter()
            .filter(|(file, _)| place(file).0 == part)
            .any(|(file, source)| {
                let names = read(file, source).names;
                let wanted = ["crate".to_owned(), below.to_owned()];
                names.iter().any(|named| named.path.starts_with(&wanted))
            });
        assert!(knows, "{part} was not seen to know {below}");
    }
}

#[test]
fn the_library_lists_its_parts_from_the_ground_up() {
    let library = include_str!("../../../src/lib.rs");
    let listed = read("lib.rs", library).modules;
    let ranks: Vec<_> = listed.iter().map(|part| rank(part).expect(part)).collect();
    assert!(
        ranks.is_sorted(),
        "src/lib.rs lists a part above one that it knows: {listed:?}"
    );
    let parts = FLOORS.iter().map(|parts| parts.len()).sum::<usize>();
    assert_eq!(listed.len() + 1, parts, "all parts but main: {listed:?}");
}

#[test]
fn an_import_that_runs_up_is_found_however_it_is_written() {
    for (file, sources) in [
        (
            "store/memory.rs",
            &[
                "use crate::log::Log;",
                "use crate::{domain::Clock, log};",
                "use crate::{domain::{self, Clock as C}, casework::{push::{A, B}, *}};",
                "pub(crate) use crate::log::Log as Below;",
                "fn f() -> crate::log::Log { todo!() }",
                "fn f() { let x = || crate::rpc::serve::<u8>(); }",
                "use super::super::log::Log;",
            ][..],
        ),
        (
            "store/mod.rs",
            &[
                "use super::{domain::Clock, log::Log};",
                "mod inner { mod most { use super::super::super::log::Log; } }",
                "mod inner {} use super::log::Log;",
                "macro_rules! m { () => { $crate::log::Log } }",
                "#[cfg(test)] mod tests { fn f() { ['}', '\\'', '{']; } } use crate::log::X;",
                "#[cfg(test)] use crate::note::{A, B}; use crate::log::X;",
                "#[cfg(not(test))] use crate::log::X;",
                "const A: &str = r#\" \" #[cfg(test)] mod x { \"#; use crate::log::X;",
                "/* /* */ */ use crate::log::X;",
                "fn f<'a>(x: &'a str) -> char { '\"' } use crate::log::X;",
                "use r#crate::log::X;",
                "use crate::*;",
                "use crate as everything;",
                "use crate::attic::X;",
                "fn f() {{ }",
            ][..],
        ),
        ("attic/mod.rs", &[""][..]),
        ("seal/mod.rs", &["use crate::entry::Entry;"][..]),
        ("tls/mod.rs", &["use crate::rpc::Client;"][..]),
        (
            "api/mod.rs",
            &[
                "use crate::rpc::Meter;",
                "use crate::{access::Permit, tls::Peer};",
                "fn f() -> tonic::Status { todo!() }",
            ][..],
        ),
        ("intake/mod.rs", &["use crate::node::Node;"][..]),
        ("node.rs", &["use crate::cli::Cli;"][..]),
        ("cli/mod.rs", &["use crate::main::X;"][..]),
        ("main.rs", &["use yichuan::{cli, node};"][..]),
        (
            "domain/time.rs",
            &[
                "use std::time::{Duration, SystemTime};",
                "fn f() { std::time::Instant::now(); }",
            ][..],
        ),
        (
            "merkle/mod.rs",
            &[
                "use std::{fmt, fs::File};",
                "fn f() { ::std::net::lookup(); }",
            ][..],
        ),
        (
            "entry/mod.rs",
            &[
                "#[derive(tonic::Message)] struct A;",
                "async fn f() { tokio::time::sleep(D).await }",
            ][..],
        ),
        (
            "exchange/inbox.rs",
            &[
                "use crate::entry::{Entry, pb};",
                "use crate::entry; fn f() -> entry::pb::Entry { todo!() }",
            ][..],
        ),
    ] {
        for source in sources {
            let faults = faults(file, source);
            assert_eq!(faults.len(), 1, "{file}: {source}\n{faults:?}");
        }
    }
}

#[test]
fn what_runs_down_or_is_no_import_is_let_through() {
    for (file, sources) in [
        (
            "store/memory.rs",
            &[
                "use crate::{domain::Clock, seal::{self, Keyring}, store::keys};",
                "use super::{Batch, keys}; use self::inner::X; use std::fs;",
                "// use crate::log::Log;\n/// See [`crate::log::Log`].\nfn f() {}",
                "const A: &str = \"\\\" use crate::log::Log; {\"; const B: char = '{';",
                "#[cfg(test)] mod tests { use crate::log::Log; fn f() { {} } }",
                "#[cfg(test)] #[allow(x)] pub(crate) fn f() { crate::log::f() }",
                "#[cfg(test)] use crate::log::{A, B};",
                "struct A { #[cfg(test)] log: crate::log::Log, b: u8 }",
                "fn f() -> impl Fn() + use<> { |log: u8| log }",
            ][..],
        ),
        (
            "rpc/client.rs",
            &["use crate::{entry::pb, tls::Dialer};"][..],
        ),
        (
            "entry/mod.rs",
            &["use crate::seal; fn f(instant: u8, fs: u8) {}"][..],
        ),
        (
            "cli/lead.rs",
            &["use crate::rpc::pb::records_client::RecordsClient;"][..],
        ),
        ("main.rs", &["fn main() { yichuan::cli::run() }"][..]),
        ("lib.rs", &["pub mod log; pub mod domain;"][..]),
    ] {
        for source in sources {
            let faults = faults(file, source);
            assert_eq!(faults, [""; 0], "{file}: {source}");
        }
    }
}

#[test]
fn files_of_tests_are_told_from_others() {
    let source = "#[cfg(test)]\nmod reference;\nmod real;\n#[cfg(test)]\n#[path = \"x_tests.rs\"]\nmod tests;";
    let files = test_files("merkle/mod.rs", source);
    assert!(files.contains(&"merkle/reference".into()) && files.contains(&"merkle/x_tests".into()));
    assert!(!files.contains(&"merkle/real".into()));
    let names: Vec<_> = sources().iter().map(|(name, _)| name.clone()).collect();
    assert!(names.contains(&"merkle/hash.rs".to_owned()));
    assert!(!names.contains(&"merkle/reference.rs".to_owned()));
    assert!(!names.contains(&"domain/lead_tests.rs".to_owned()));
}

/// Files in which the words occur, but for those that may say them.
fn saying(words: &[&str], may: &[&str]) -> Vec<String> {
    sources()
        .iter()
        .filter(|(file, source)| {
            !may.contains(&&**file) && words.iter().any(|word| source.contains(word))
        })
        .map(|(file, _)| file.clone())
        .collect()
}

/// What a screen lets through, whoever wrote it: so nothing may go past it.
#[test]
fn regression_nothing_is_printed_but_through_the_screen() {
    let words = [
        "io::stdout",
        "io::stderr",
        "io::{stdout",
        "io::{stderr",
        "anstream",
        "println!",
        "print!(",
        "dbg!",
    ];
    let past = saying(&words, &["telemetry/screen.rs", "telemetry/logs.rs"]);
    assert_eq!(past, Vec::<String>::new());
    assert_eq!(
        saying(&["unscreened()"], &["telemetry/screen.rs"]),
        ["cli/mod.rs", "telemetry/logs.rs"]
    );
}

#[test]
fn regression_there_is_one_way_to_refuse_an_argument_and_it_carries_its_details() {
    let words = ["invalid_argument(", "Status::new(Code::InvalidArgument"];
    assert_eq!(saying(&words, &[]), Vec::<String>::new());
}

#[test]
fn regression_no_variables_but_ours_are_looked_at() {
    assert_eq!(
        saying(&["env::vars(", "env::var("], &[]),
        Vec::<String>::new()
    );
    assert_eq!(saying(&["vars_os("], &[]), ["config/overlay.rs"]);
}

/// Nobody takes a crate in without saying what for, nor keeps the reason when the crate is gone.
#[test]
fn every_dependency_has_its_reason() {
    let page = include_str!("../../../docs/ARCHITECTURE.md");
    let (_, section) = page.split_once("\n## Dependencies\n").unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---"));
    let named = rows
        .skip(1)
        .map_while(|row| row.strip_prefix("| "))
        .flat_map(|row| {
            let (crates, _why) = row.split_once(" | ").unwrap();
            crates.split(", ").map(|name| name.trim_matches('`'))
        });
    let manifest: toml::Table = include_str!("../../../Cargo.toml").parse().unwrap();
    let tables = ["dependencies", "build-dependencies", "dev-dependencies"];
    let used = tables
        .iter()
        .flat_map(|table| manifest[*table].as_table().unwrap().keys());
    let (named, used): (BTreeSet<&str>, BTreeSet<&str>) =
        (named.collect(), used.map(String::as_str).collect());
    assert_eq!(named, used);
}
