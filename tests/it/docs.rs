//! What the pages say of the code is so: each link, path, test, metric and reason that they name is there, and what is drawn
//! from code is what the code says. `UPDATE_DOCS=1 cargo test --test it docs::` draws it again.
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

const ARCHITECTURE: &str = include_str!("../../docs/ARCHITECTURE.md");
const GLOSSARY: &str = include_str!("../../docs/GLOSSARY.md");
const THREATS: &str = include_str!("../../docs/THREATS.md");
const RELIABILITY: &str = include_str!("../../docs/RELIABILITY.md");
const OPERATIONS: &str = include_str!("../../docs/OPERATIONS.md");

fn holds(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, drawn).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == drawn,
        "docs/{name} is not what the code says; run: UPDATE_DOCS=1 cargo test --test it docs::"
    );
}

#[test]
fn the_states_of_a_referral() {
    holds("referral-states.md", &crate::drawing::draw());
}

/// The pages that people read, by their path from the root.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    for directory in ["", "docs", "fuzz", "certs-dev", "tests/data"] {
        for item in fs::read_dir(root.join(directory)).unwrap() {
            let path = item.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                pages.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    pages
}

/// A page's lines outside of blocks of code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("\n```").step_by(2);
    blocks.flat_map(|block| block.lines())
}

/// The anchors that a browser finds on a page: each heading as GitHub spells it.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut followed, mut broken) = (0, Vec::new());
    for (name, page) in pages() {
        let links = prose(&page).flat_map(|line| line.split("](").skip(1));
        for link in links.filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root.join(&name),
                file => root.join(&name).with_file_name(file),
            };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor));
            if !is_there {
                broken.push(format!("{name}: {link}"));
            }
            followed += 1;
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 60, "{followed} links were followed");
}

/// A page that names a path names one that is there; what a command makes or takes is not named from the root.
#[test]
fn every_path_that_a_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut gone) = (0, Vec::new());
    for (name, page) in pages() {
        // What was is history.
        if name == "CHANGELOG.md" {
            continue;
        }
        for path in quoted(&page) {
            let beginning = path.split('/').next().unwrap_or_default();
            let parts = [
                "src", "tests", "proto", "docs", "benches", "examples", "fuzz", ".ci",
            ];
            let is_path = path.contains('/') && parts.contains(&beginning) && !path.contains(' ');
            if is_path && !path.contains(['<', '*', '…', '{']) {
                found += 1;
                if !root.join(path).exists() {
                    gone.push(format!("{name}: {path}"));
                }
            }
        }
    }
    assert!(gone.is_empty(), "{gone:#?}");
    assert!(found > 100, "{found} paths were found");
}

/// Whoever runs `just` tries what CI will.
#[test]
fn just_runs_the_commands_of_ci() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (ci, justfile) = (text(".ci/run"), text("justfile"));
    let (_, commands) = ci.split_once("COMMANDS=(\n").unwrap();
    let (commands, _) = commands.split_once("\n)").unwrap();
    let of_ci = commands.lines().map(|line| line.trim().trim_matches('"'));
    let recipes = justfile
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    let of_just = recipes.filter(|command| !command.starts_with('@') && *command != ".ci/run");
    assert_eq!(of_just.collect::<Vec<_>>(), of_ci.collect::<Vec<_>>());
}

/// Text between backticks, outside of blocks.
fn quoted(markdown: &str) -> Vec<&str> {
    let mut quoted = Vec::new();
    for (number, block) in markdown.split("```").enumerate() {
        if number % 2 == 0 {
            quoted.extend(block.split('`').skip(1).step_by(2));
        }
    }
    quoted
}

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(below)];
    while let Some(directory) = directories.pop() {
        for item in fs::read_dir(directory).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// A promise is worth the test that shows it.
#[test]
fn every_test_and_file_that_the_threats_name_is_there() {
    named_tests_are_there(THREATS);
}

#[test]
fn every_test_and_file_that_reliability_names_is_there() {
    named_tests_are_there(RELIABILITY);
}

fn named_tests_are_there(document: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut source, mut tests) = (None, 0);
    for name in quoted(document) {
        if name.ends_with(".rs") {
            let text = fs::read_to_string(root.join(name));
            source = Some(text.unwrap_or_else(|error| panic!("{name}: {error}")));
        } else if let Some(text) = &source
            && name.contains('_')
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            let is_there = text.contains(&format!("fn {name}("));
            tests += usize::from(is_there);
            let is_kind = [
                "attempt_refused",
                "evidence_kept",
                "changed_content",
                "quota_reached",
            ]
            .contains(&name);
            let is_other = [
                "sync_file_range",
                "signed_note",
                "tlog_tiles",
                "nothing_acknowledged",
            ]
            .contains(&name)
                || name.starts_with("yichuan_");
            assert!(
                is_there || is_kind || is_other,
                "no test {name} in the file named before it"
            );
        }
    }
    assert!(tests > 30, "{tests} tests were found");
}

/// The glossary names files and directories below `src/`.
#[test]
fn every_word_of_the_glossary_leads_to_a_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = 0;
    for name in quoted(GLOSSARY) {
        if name.ends_with(".rs") || name.ends_with('/') {
            let is_there = name == "mod.rs" || name == "src/" || root.join(name).exists();
            assert!(is_there, "{name}");
            found += 1;
        }
    }
    assert!(found > 80, "{found} places were found");
}

#[test]
fn every_file_on_the_map_is_there() {
    let sources = sources("src");
    let mut found = 0;
    for name in quoted(ARCHITECTURE)
        .into_iter()
        .filter(|name| name.ends_with(".rs"))
    {
        let is_there = sources.iter().any(|(path, _)| path.ends_with(name))
            || Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists();
        assert!(is_there, "{name}");
        found += 1;
    }
    assert!(found > 40, "{found} files were found");
}

/// Whoever is woken by a metric or a reason finds it.
#[test]
fn operations_know_every_metric_and_every_reason() {
    let known: BTreeSet<_> = quoted(OPERATIONS).into_iter().collect();
    let mut counted = BTreeSet::new();
    for (path, text) in sources("src") {
        let (code, _tests) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        for call in code.split("metrics::").skip(1) {
            let name = call.split('"').nth(1).unwrap_or_default();
            if name.starts_with("yichuan_") {
                assert!(known.contains(name), "{} counts {name}", path.display());
                counted.insert(name.to_owned());
            }
        }
    }
    let listed = known.iter().filter(|name| name.starts_with("yichuan_"));
    let gone: Vec<_> = listed.filter(|name| !counted.contains(**name)).collect();
    assert!(gone.is_empty(), "nothing counts {gone:?} any more");
    for reason in yichuan::tls::Reason::ALL {
        assert!(known.contains(reason.as_str()), "{reason}");
    }
}
