//! Many cuts: drawn from a seed, replayed on two threads, counted.

use super::{
    disk::{Disk, Drive, FileSystem, Unsynced},
    random::Random,
    recording::Recording,
    reopen::{Failure, Reopened},
    studio::STARTING,
    survival::{Survival, leave},
    workload::NODES,
};
use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process,
    sync::{
        PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

const THREADS: usize = 2;
/// A node that takes longer to open does not open.
const DEADLINE: Duration = Duration::from_secs(120);
/// Says so after so many cuts.
const PROGRESS: usize = 1000;
/// Operations from the begin of a segment until what it says is synced, and some more.
const A_SEGMENT: usize = 24;
/// One cut in so many also compares the views.
const VIEWS: usize = 20;
pub(crate) const FILE_SYSTEMS: [FileSystem; 2] = [FileSystem::Journal, FileSystem::Strict];
pub(crate) const DRIVES: [Drive; 2] = [Drive::Volatile, Drive::Protected];

/// One power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) number: u64,
    pub(crate) recording: usize,
    pub(crate) file_system: FileSystem,
    pub(crate) drive: Drive,
    pub(crate) survival: Survival,
    /// Operations before it.
    pub(crate) after: usize,
    pub(crate) victim: &'static str,
    views: bool,
}

impl Cut {
    /// The cut of this number under this seed.
    pub(crate) fn draw(seed: u64, number: u64, recordings: &[Recording]) -> (Self, Random) {
        let mut random = Random::for_number(seed, number);
        let recording = random.below(recordings.len());
        let chosen = &recordings[recording];
        let all = chosen.record.ops.len();
        let after = match random.below(4) {
            // The first moments of a node are short, and nothing comes back to them.
            0 => random.below(chosen.made_after() + 1),
            // So are those in which sled begins a segment.
            1 => {
                let begun = chosen.segments.begun.iter();
                let begun: Vec<usize> = begun.copied().chain([0]).collect();
                (random.pick(&begun) + random.below(A_SEGMENT)).min(all)
            }
            _ => random.below(all + 1),
        };
        let cut = Self {
            number,
            recording,
            file_system: random.pick(&FILE_SYSTEMS),
            drive: random.pick(&DRIVES),
            survival: random.pick(&Survival::ALL),
            after,
            victim: random.pick(&NODES),
            views: random.below(VIEWS) == 0,
        };
        (cut, random)
    }

    fn model(&self) -> (usize, FileSystem, Drive) {
        (self.recording, self.file_system, self.drive)
    }
}

/// Cuts to make, and where.
pub(crate) struct Campaign<'a> {
    pub(crate) recordings: &'a [Recording],
    pub(crate) seed: u64,
    /// Syncs that the disk does not have.
    pub(crate) unsynced: Option<Unsynced>,
    /// How many operations before it was, all that was told is taken to have been told.
    pub(crate) early: usize,
    /// Where images go.
    pub(crate) scratch: &'a Path,
}

/// A cut, and what became of the node.
pub(crate) type Outcome = (Cut, Result<(), Failure>);

impl Campaign<'_> {
    /// Cuts of these numbers for which `wanted` holds. In the order of their numbers.
    pub(crate) fn run(
        &self,
        numbers: impl Iterator<Item = u64>,
        wanted: impl Fn(&Cut) -> bool,
    ) -> Vec<Outcome> {
        let _none = STARTING.read().unwrap_or_else(PoisonError::into_inner);
        let mut cuts: Vec<(Cut, Random)> = numbers
            .map(|number| Cut::draw(self.seed, number, self.recordings))
            .filter(|(cut, _)| wanted(cut))
            .collect();
        // A disk is replayed once for all its cuts.
        cuts.sort_by_key(|(cut, _)| (cut.model(), cut.after));
        let mut shares: Vec<Vec<(Cut, Random)>> = (0..THREADS).map(|_| Vec::new()).collect();
        for (at, cut) in cuts.into_iter().enumerate() {
            shares[at % THREADS].push(cut);
        }
        let (sender, outcomes) = mpsc::channel();
        let mut all = Vec::new();
        thread::scope(|scope| {
            for (at, share) in shares.into_iter().enumerate() {
                let sender = sender.clone();
                scope.spawn(move || {
                    let image = self.scratch.join(format!("image-{at}"));
                    self.replay(share, &image, |outcome| sender.send(outcome).unwrap());
                });
            }
            drop(sender);
            loop {
                match outcomes.recv_timeout(DEADLINE) {
                    Ok(outcome) => {
                        all.push(outcome);
                        if all.len().is_multiple_of(PROGRESS) {
                            println!("{} cuts", all.len());
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        // Its thread cannot be told to stop.
                        eprintln!(
                            "a node did not open within {DEADLINE:?}; YICHUAN_SEED={}",
                            self.seed
                        );
                        process::exit(101);
                    }
                }
            }
        });
        all.sort_by_key(|(cut, _)| cut.number);
        all
    }

    fn replay(&self, cuts: Vec<(Cut, Random)>, image: &Path, done: impl Fn(Outcome)) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut disk: Option<((usize, FileSystem, Drive), Disk<'_>, usize)> = None;
        for (cut, mut random) in cuts {
            let recording = &self.recordings[cut.recording];
            let (_, state, at) = match &mut disk {
                Some(same) if same.0 == cut.model() => same,
                other => {
                    let mut fresh = recording.disk(cut.file_system, cut.drive);
                    if let Some(unsynced) = self.unsynced {
                        fresh = fresh.without(unsynced);
                    }
                    other.insert((cut.model(), fresh, 0))
                }
            };
            for op in &recording.record.ops[*at..cut.after] {
                state.step(op);
            }
            *at = cut.after;
            self.make_image(state, &cut, &mut random, image);
            done((cut, self.reopen(&cut, image, &runtime)));
        }
    }

    fn make_image(&self, disk: &Disk<'_>, cut: &Cut, random: &mut Random, image: &Path) {
        if image.exists() {
            fs::remove_dir_all(image).unwrap();
        }
        fs::create_dir_all(image).unwrap();
        leave(disk, cut.survival, random, cut.victim, image);
    }

    fn reopen(&self, cut: &Cut, image: &Path, runtime: &Runtime) -> Result<(), Failure> {
        let recording = &self.recordings[cut.recording];
        let mut config = recording.config(cut.victim);
        config.data = image.join("data");
        let told = &recording.told[cut.victim];
        let reopened = Reopened {
            config: &config,
            told,
            owed: told.owed_after(cut.after + self.early),
            views: cut.views,
        };
        catch_unwind(AssertUnwindSafe(|| reopened.check(runtime))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(Failure::Panic(text.unwrap_or_else(|| "?".into())))
        })
    }

    /// Makes what one cut left, for looking at.
    pub(crate) fn keep_image(&self, number: u64, image: &Path) {
        let (cut, mut random) = Cut::draw(self.seed, number, self.recordings);
        let recording = &self.recordings[cut.recording];
        let mut disk = recording.disk(cut.file_system, cut.drive);
        recording.record.ops[..cut.after]
            .iter()
            .for_each(|op| disk.step(op));
        self.make_image(&disk, &cut, &mut random, image);
    }
}

/// Cuts by model and survival.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut rows: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for (cut, outcome) in outcomes {
        let row = rows
            .entry((cut.file_system, cut.drive, cut.survival))
            .or_default();
        row.0 += 1;
        row.1 += usize::from(outcome.is_err());
    }
    let mut text = String::from(
        "| file system | drive | what survives | cuts | failures |\n|---|---|---|--:|--:|\n",
    );
    for ((file_system, drive, survival), (cuts, failures)) in rows {
        text += &format!("| {file_system:?} | {drive:?} | {survival:?} | {cuts} | {failures} |\n");
    }
    text
}
