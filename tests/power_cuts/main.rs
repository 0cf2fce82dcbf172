//! Power cuts: what a node acknowledged or published is there when the power comes back.
//!
//! Every operation on files of two nodes at work is recorded (`recorder.c`, `workload`), the disk after a cut at any
//! point of it is built (`disk`, `survival`), and the node is opened with its own code and asked for all that it owes
//! (`reopen`).
//!
//! `YICHUAN_CUTS` says how many cuts, 1,000 unless told. They are drawn from a seed that is printed; `YICHUAN_SEED`
//! gives one. What the nodes did differs from run to run, so a failure keeps its recordings and what the first such cut
//! left, and says how to make that cut again: `YICHUAN_RECORDINGS` names the directory, `YICHUAN_CUT` the cut.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed; not every test needs every helper"
)]

mod campaign;
mod disk;
#[path = "../it/common/leads.rs"]
mod leads;
#[path = "../it/common/processes.rs"]
mod processes;
mod random;
mod record;
mod recording;
mod reopen;
mod segments;
mod studio;
mod survival;
mod workload;

use campaign::{Campaign, Cut, Outcome, table};
use disk::{FileSystem, Unsynced};
use recording::Recording;
use reopen::Failure;
use segments::Segments;
use std::{
    env,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    sync::{LazyLock, PoisonError},
};
use survival::Survival;
use workload::NODES;
use yichuan::{domain::Clock as _, telemetry::SystemClock};

/// Not a test of its own: what the recorder is preloaded into.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, with the recorder preloaded"]
async fn the_recorded_process() {
    if let Some(machine) = env::var_os(workload::MACHINE) {
        workload::run(PathBuf::from(machine)).await;
    }
}

fn setting<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

static SEED: LazyLock<u64> =
    LazyLock::new(|| setting("YICHUAN_SEED").unwrap_or_else(|| SystemClock.now().millis()));

static CUTS: LazyLock<u64> = LazyLock::new(|| setting("YICHUAN_CUTS").unwrap_or(1000));

/// Nodes are recorded anew for every so many cuts.
const CUTS_PER_NODES: u64 = 10_000;

static RECORDINGS: LazyLock<Vec<Recording>> = LazyLock::new(|| {
    println!("YICHUAN_SEED={} YICHUAN_CUTS={}", *SEED, *CUTS);
    if let Some(kept) = setting::<PathBuf>("YICHUAN_RECORDINGS") {
        let kept = (0..).map(|number| kept.join(format!("{number}")));
        let kept = kept.take_while(|directory| directory.is_dir());
        return kept.map(|directory| Recording::load(&directory)).collect();
    }
    let nodes = CUTS.div_ceil(CUTS_PER_NODES).max(1);
    (0..nodes)
        .flat_map(|number| studio::record(*SEED + number))
        .collect()
});

fn campaign(scratch: &Path) -> Campaign<'_> {
    Campaign {
        recordings: &RECORDINGS,
        seed: *SEED,
        unsynced: None,
        early: 0,
        scratch,
    }
}

/// Keeps what is needed to make these cuts again, and says how.
fn explain(campaign: &Campaign<'_>, failed: &[&Outcome]) -> String {
    let kept = setting("YICHUAN_RECORDINGS").unwrap_or_else(|| {
        let kept = tempfile::tempdir().unwrap().keep();
        for (number, recording) in RECORDINGS.iter().enumerate() {
            let directory = kept.join(format!("{number}"));
            fs::create_dir(&directory).unwrap();
            recording.save(&directory);
        }
        kept
    });
    let mut text = format!("{} cuts lost something:\n", failed.len());
    for (cut, outcome) in failed.iter().take(10) {
        text += &format!("{cut:?}\n  {outcome:?}\n");
    }
    if let Some((cut, _)) = failed.first() {
        let image = kept.join(format!("cut-{}", cut.number));
        campaign.keep_image(cut.number, &image);
        text += &format!(
            "what cut {} left is in {}; to make it again: YICHUAN_RECORDINGS={} YICHUAN_SEED={} YICHUAN_CUT={} \
             cargo test --test power_cuts\n",
            cut.number,
            image.display(),
            kept.display(),
            campaign.seed,
            cut.number
        );
    }
    text
}

#[test]
fn nothing_acknowledged_or_published_is_lost_when_the_power_is_cut() {
    let scratch = studio::scratch();
    let campaign = campaign(scratch.path());
    let only: Option<u64> = setting("YICHUAN_CUT");
    let numbers = only.map_or(0..*CUTS, |number| number..number + 1);
    let outcomes = campaign.run(numbers, |_| true);
    println!("{}", table(&outcomes));
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_err())
        .collect();
    assert!(failed.is_empty(), "{}", explain(&campaign, &failed));
}

/// A commit of many leads begins several of sled's segments, and what sled does by the way must not lie between them
/// unsynced: cuts that hit just that are rare, and cost the whole log.
#[test]
fn regression_no_segment_vouches_for_what_is_not_synced() {
    let all = RECORDINGS.iter().map(|recording| &recording.segments);
    let most = all.clone().map(|segments| segments.most_at_once).max();
    assert!(most >= Some(2), "no commit was long enough to tell");
    for Segments { vouched_early, .. } in all {
        assert!(vouched_early.is_empty(), "{vouched_early:?}");
    }
}

/// Syncs without which something must be lost, on which file systems, and what.
struct Missing {
    what: &'static str,
    unsynced: Unsynced,
    wanted: fn(&Cut) -> bool,
    expected: fn(&Failure) -> bool,
}

const MISSING: [Missing; 5] = [
    Missing {
        what: "sled's file, as sled has it by itself",
        unsynced: |path| path.ends_with("/sled/db"),
        wanted: |_| true,
        // Or the checkpoint file, which is synced, tells that the store is behind it.
        expected: |failure| match failure {
            Failure::Lost { .. } => true,
            Failure::Open(said) => said.contains("rolled back"),
            _ => false,
        },
    },
    Missing {
        what: "directories, and sled's configuration",
        unsynced: |path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            name.starts_with("conf")
                || NODES.contains(&name)
                || ["sled", "blobs", "data"].contains(&name)
        },
        wanted: |cut| cut.file_system == FileSystem::Strict,
        expected: |failure| {
            matches!(
                failure,
                Failure::NotMade | Failure::Lost { .. } | Failure::Open(_)
            )
        },
    },
    Missing {
        what: "the key file",
        unsynced: |path| path.ends_with("/bucket.new"),
        wanted: |cut| cut.survival != Survival::Everything,
        expected: |failure| matches!(failure, Failure::Open(said) if said.contains("bucket.keys")),
    },
    Missing {
        what: "the log key",
        unsynced: |path| path.ends_with("/log.key.new"),
        wanted: |cut| cut.survival != Survival::Everything && cut.recording % 3 == 0,
        expected: |failure| matches!(failure, Failure::Open(said) if said.contains("log.key")),
    },
    Missing {
        what: "the checkpoint file",
        unsynced: |path| path.ends_with("/checkpoint.next"),
        wanted: |cut| cut.survival != Survival::Everything,
        expected: |failure| matches!(failure, Failure::Open(said) if said.contains("checkpoint")),
    },
];

/// A test that finds nothing may be looking at nothing: without any one of the syncs it must find what is then lost.
#[test]
fn without_any_one_of_the_syncs_cuts_lose_what_was_acknowledged() {
    let scratch = studio::scratch();
    for missing in MISSING {
        let campaign = Campaign {
            unsynced: Some(missing.unsynced),
            ..campaign(scratch.path())
        };
        let outcomes = campaign.run(0..120, missing.wanted);
        let failures = outcomes
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref().err());
        let (expected, others): (Vec<_>, Vec<_>) =
            failures.partition(|failure| (missing.expected)(failure));
        println!(
            "without a sync of {}: {} of {} cuts",
            missing.what,
            expected.len() + others.len(),
            outcomes.len()
        );
        assert!(!expected.is_empty(), "{}: {others:?}", missing.what);
    }
}

/// Operations from the write of a commit to its sync, and a few for what others do meanwhile.
const ONE_COMMIT: usize = 12;

/// The notes of what was told are no later than they must be: had the nodes answered one commit earlier, cuts would find
/// that out.
#[test]
fn answers_that_come_before_their_commit_is_synced_are_found_out() {
    let scratch = studio::scratch();
    let campaign = Campaign {
        early: ONE_COMMIT,
        ..campaign(scratch.path())
    };
    let outcomes = campaign.run(0..300, |cut| cut.survival == Survival::Nothing);
    let lost = |(_, outcome): &&Outcome| matches!(outcome, Err(Failure::Lost { .. }));
    let found = outcomes.iter().filter(lost).count();
    println!("{found} of {} cuts", outcomes.len());
    assert!(found > 0);
}

/// What the model does not know must not pass unseen: the recorder ends a process that does it.
#[test]
fn the_recorder_ends_a_process_that_it_cannot_follow() {
    let _alone = studio::STARTING
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    let scratch = studio::scratch();
    let directory = scratch.path().canonicalize().unwrap();
    let recorder = studio::compile(&directory);
    let watched = directory.join("watched");
    fs::create_dir_all(watched.join("below")).unwrap();
    fs::write(watched.join("file"), "").unwrap();
    let run = |command: &[&str]| {
        let mut process = Command::new(command[0]);
        process.args(&command[1..]).current_dir(&watched);
        studio::preload(&mut process, &recorder, &watched, &directory.join("record"));
        process.output().unwrap()
    };
    for followed in [
        &["mkdir", "new"][..],
        &["mv", "file", "renamed"],
        &["rm", "renamed"],
    ] {
        let output = run(followed);
        assert!(output.status.success(), "{followed:?}: {output:?}");
    }
    for not_followed in [
        &["ln", "-s", "there", "link"][..],
        &["mv", "below", "elsewhere"],
    ] {
        let output = run(not_followed);
        assert!(!output.status.success(), "{not_followed:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("recorder: not recorded"), "{said}");
    }
}
