//! Makes recordings: the recorder is compiled and preloaded into a process that runs two nodes; then the power is cut,
//! and another process goes on with what is left, recorded too.

use super::{
    campaign::{DRIVES, FILE_SYSTEMS},
    processes::free_address,
    random::Random,
    recording::{Recording, copy},
    survival::{Survival, leave},
    workload::{MACHINE, NODES, RUN},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{PoisonError, RwLock},
};
use tempfile::TempDir;
use yichuan::cli::demo::cluster::write_node;

/// How much longer than the file system's own a sync of the recorded process takes, in microseconds.
const SYNC_US: &str = "400";
/// Runs one after the other over the same nodes, with a power cut after each.
const RUNS: u64 = 3;

/// A directory in memory, if there is one: the model, and not this machine's disk, says what is durable.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Records runs over two new nodes. The cuts between them are drawn from the seed.
pub(crate) fn record(seed: u64) -> Vec<Recording> {
    let _alone = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    let scratch = scratch();
    // The recorder knows files by their paths without links.
    let directory = scratch.path().canonicalize().unwrap();
    let recorder = compile(&directory);
    let machine = directory.join("machine");
    for code in NODES {
        let (home, address) = (machine.join(code), free_address().to_string());
        write_node(&home, code.parse().unwrap(), &address).unwrap();
    }
    let mut recordings: Vec<Recording> = Vec::new();
    for run in 0..RUNS {
        let take = directory.join(format!("run-{run}"));
        copy(&machine, &take.join("before"));
        if let Some(last) = recordings.last() {
            let told = cut(last, &mut Random::for_number(seed, run), &machine);
            fs::remove_dir_all(take.join("before")).unwrap();
            copy(&machine, &take.join("before"));
            fs::write(take.join("told-before"), told).unwrap();
        }
        let said = play(run, &recorder, &machine, &take);
        let recording = match said {
            Ok(()) => Recording::load(&take),
            Err(said) => {
                let kept = scratch.keep();
                panic!(
                    "run {run} of YICHUAN_SEED={seed} in {}:\n{said}",
                    kept.display()
                );
            }
        };
        recording.assert_complete(&machine);
        recording.assert_delivered_once();
        recordings.push(recording);
    }
    recordings
}

/// Cuts the power of both nodes somewhere in the second half of a recording. Gives what was told until then.
fn cut(recording: &Recording, random: &mut Random, machine: &Path) -> String {
    let (file_system, drive) = (random.pick(&FILE_SYSTEMS), random.pick(&DRIVES));
    let survival = random.pick(&Survival::ALL);
    let ops = &recording.record.ops;
    let after = ops.len() / 2 + random.below(ops.len() / 2);
    println!(
        "both nodes are cut off after {after} operations: {file_system:?}, {drive:?}, {survival:?}"
    );
    let mut disk = recording.disk(file_system, drive);
    ops[..after].iter().for_each(|op| disk.step(op));
    fs::remove_dir_all(machine).unwrap();
    fs::create_dir(machine).unwrap();
    leave(&disk, survival, random, "", machine);
    recording.told_after(after)
}

/// Held for writing while processes are started, for reading while nodes are opened: a process that was just forked has
/// all files of this one open for a moment, their locks too, and a node that is closed could not be opened again.
pub(crate) static STARTING: RwLock<()> = RwLock::new(());

/// Compiles the recorder. Start no process with it without [`STARTING`].
pub(crate) fn compile(to: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_cuts/recorder.c");
    let library = to.join("recorder.so");
    let compiled = Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"])
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .args(["-ldl", "-lpthread"])
        .status()
        .expect("a C compiler, `cc`");
    assert!(compiled.success(), "the recorder does not compile");
    library
}

/// Has a process recorded: all that it does to files below a directory.
pub(crate) fn preload(process: &mut Command, recorder: &Path, directory: &Path, record: &Path) {
    process
        .env("LD_PRELOAD", recorder)
        .env("RECORDER_DIRECTORY", directory)
        .env("RECORDER_FILE", record)
        .env("RECORDER_SYNC_US", SYNC_US);
}

/// Runs the recorded process. An error is what it said.
fn play(run: u64, recorder: &Path, machine: &Path, take: &Path) -> Result<(), String> {
    let mut process = Command::new(env::current_exe().unwrap());
    process
        .args([
            "--exact",
            "the_recorded_process",
            "--ignored",
            "--nocapture",
        ])
        .env(MACHINE, machine)
        .env(RUN, run.to_string())
        .stdin(Stdio::null());
    preload(&mut process, recorder, machine, &take.join("record"));
    let output = process.output().unwrap();
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&said)
        ));
    }
    for code in NODES {
        let leaves = format!("{code}.leaves");
        fs::rename(machine.with_file_name(&leaves), take.join(&leaves)).unwrap();
    }
    Ok(())
}
