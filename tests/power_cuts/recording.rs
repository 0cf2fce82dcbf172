//! Recordings: runs of two nodes, with every operation on their files, and what the world was told meanwhile.

use super::{
    disk::{Disk, Drive, FileSystem, Tree, tree},
    record::Record,
    segments::Segments,
    workload::NODES,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    path::Path,
};
use yichuan::{
    config::Config,
    entry::{Entry, Kind},
};

/// One run of two nodes.
pub(crate) struct Recording {
    pub(crate) record: Record,
    /// All files as they were at its begin.
    before: Tree,
    /// What was told before it, as notes.
    told_before: Vec<String>,
    pub(crate) told: BTreeMap<&'static str, Told>,
    /// What became of sled's segments in it.
    pub(crate) segments: Segments,
}

/// What the world was told of a node.
#[derive(Default)]
pub(crate) struct Told {
    /// The whole log, as it was in the end.
    pub(crate) leaves: Vec<Vec<u8>>,
    /// After how many operations the log must have how many entries.
    owed: Vec<(usize, u64)>,
    /// After how many operations the node was there.
    made: Option<usize>,
    /// Checkpoints that were published: size and root, as it is printed.
    pub(crate) published: BTreeMap<u64, String>,
}

/// What a node owes the world.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owed {
    /// `init` said that the node was made.
    pub(crate) made: bool,
    /// Entries that were acknowledged, or are under a checkpoint that was published.
    pub(crate) entries: u64,
}

impl Told {
    /// What must be there when `operations` were done.
    pub(crate) fn owed_after(&self, operations: usize) -> Owed {
        let end = self.owed.partition_point(|(after, _)| *after <= operations);
        Owed {
            made: self.made.is_some_and(|after| after <= operations),
            entries: self.owed[..end].last().map_or(0, |(_, size)| *size),
        }
    }

    fn owe(&mut self, after: usize, size: u64) {
        if self.owed.last().is_none_or(|(_, owed)| *owed < size) {
            self.owed.push((after, size));
        }
    }

    /// Somebody saw a checkpoint.
    fn show(&mut self, after: usize, size: u64, root: &str) {
        let before = self.published.insert(size, root.to_owned());
        let same = before.is_none_or(|before| before == root);
        assert!(same, "two roots at {size}");
        self.owe(after, size);
    }

    /// The partner's checkpoints in this log: index of the entry, size and root.
    fn shown_by_partner(&self) -> VecDeque<(u64, u64, String)> {
        let mut shown = VecDeque::new();
        for (index, leaf) in (0..).zip(&self.leaves) {
            let checkpoint = match Entry::decode(leaf).unwrap().kind {
                Kind::DispatchReceived(received) => received.checkpoint,
                Kind::ReceiptLogged { proof, .. } => proof.checkpoint,
                _ => continue,
            };
            shown.push_back((index, checkpoint.size, checkpoint.root.to_string()));
        }
        shown
    }

    /// Takes in a note. What it says must be so in the whole log.
    fn hear(&mut self, after: usize, kind: &str, words: &[&str]) {
        match (kind, words) {
            ("made", _) => self.made = self.made.or(Some(after)),
            ("published", [size, root]) => self.show(after, size.parse().unwrap(), root),
            ("told", [index, of @ ..]) => {
                let index: usize = index.parse().unwrap();
                if let [record] = of {
                    let entry = Entry::decode(&self.leaves[index]).unwrap();
                    let Kind::DispatchSent(sent) = entry.kind else {
                        panic!("an officer was told of {record} at {index}, where it is not");
                    };
                    assert_eq!(sent.record.to_string(), *record, "entry {index}");
                }
                self.owe(after, u64::try_from(index).unwrap() + 1);
            }
            other => panic!("a note of {other:?}"),
        }
    }
}

/// Files in a recording's directory: all files at its begin, the record, each log at the end, and notes from before.
const BEFORE: &str = "before";
const RECORD: &str = "record";
const TOLD_BEFORE: &str = "told-before";

impl Recording {
    /// Reads what [`Recording::save`] wrote.
    pub(crate) fn load(directory: &Path) -> Self {
        let told_before = fs::read_to_string(directory.join(TOLD_BEFORE)).unwrap_or_default();
        let mut recording = Self {
            record: Record::new(fs::read(directory.join(RECORD)).unwrap()),
            before: tree(&directory.join(BEFORE)),
            told_before: told_before.lines().map(str::to_owned).collect(),
            told: BTreeMap::new(),
            segments: Segments::default(),
        };
        let before = |path: &str| recording.before.get(path)?.as_deref();
        recording.segments = Segments::of(&recording.record, before);
        for code in NODES {
            let leaves = unpack(&fs::read(directory.join(format!("{code}.leaves"))).unwrap());
            let told = Told {
                leaves,
                ..Told::default()
            };
            recording.told.insert(code, told);
        }
        let mut shown = NODES.map(|code| (code, recording.told[code].shown_by_partner()));
        for (after, note) in recording.notes() {
            let words: Vec<&str> = note.split(' ').collect();
            let told = recording.told.get_mut(words[1]).unwrap();
            told.hear(after, words[0], &words[2..]);
            // What a node has in its log by now, its partner must have shown it.
            let here = told.owed_after(after).entries;
            for (at, (code, shown)) in shown.iter_mut().enumerate() {
                let partner = NODES[1 - at];
                while *code == words[1] && shown.front().is_some_and(|(index, ..)| *index < here) {
                    let (_, size, root) = shown.pop_front().unwrap();
                    let told = recording.told.get_mut(partner).unwrap();
                    told.show(after, size, &root);
                }
            }
        }
        recording
    }

    /// Writes all of it into a directory, so that a cut can be made again.
    pub(crate) fn save(&self, directory: &Path) {
        write(&self.before, &directory.join(BEFORE));
        fs::write(directory.join(RECORD), self.record.as_bytes()).unwrap();
        fs::write(directory.join(TOLD_BEFORE), self.told_before.join("\n")).unwrap();
        for (code, told) in &self.told {
            fs::write(directory.join(format!("{code}.leaves")), pack(&told.leaves)).unwrap();
        }
    }

    /// All notes, and after how many operations each holds.
    fn notes(&self) -> Vec<(usize, String)> {
        let before = self.told_before.iter().map(|note| (0, note.clone()));
        let during = self
            .record
            .notes()
            .map(|(at, note)| (at + 1, note.to_owned()));
        before.chain(during).collect()
    }

    /// Notes that hold after so many operations.
    pub(crate) fn told_after(&self, operations: usize) -> String {
        let notes = self.notes().into_iter();
        let held = notes.filter(|(after, _)| *after <= operations);
        held.map(|(_, note)| note + "\n").collect()
    }

    /// After how many operations both nodes had published something: until then they were made.
    pub(crate) fn made_after(&self) -> usize {
        let first = |told: &Told| told.owed.first().map_or(0, |(after, _)| *after);
        self.told.values().map(first).max().unwrap()
    }

    /// The disk as it was before the first operation.
    pub(crate) fn disk(&self, file_system: FileSystem, drive: Drive) -> Disk<'_> {
        Disk::new(&self.record, &self.before, file_system, drive)
    }

    /// A node's configuration.
    pub(crate) fn config(&self, code: &str) -> Config {
        let path = format!("{code}/node.toml");
        let text = self.before[&path].clone().unwrap();
        Config::parse(Path::new(&path), &String::from_utf8(text).unwrap(), []).unwrap()
    }

    /// The record says all: replayed, it gives the directory, byte for byte. A write that went past the recorder would
    /// be missed here.
    pub(crate) fn assert_complete(&self, machine: &Path) {
        let mut disk = self.disk(FileSystem::Journal, Drive::Volatile);
        self.record.ops.iter().for_each(|op| disk.step(op));
        let mut there = tree(machine);
        there.remove(".notes");
        let replayed = disk.seen();
        for path in there.keys().chain(replayed.keys()) {
            let same = there.get(path) == replayed.get(path);
            assert!(same, "{path} went past the recorder");
        }
    }

    /// Everything that left one node is in the other's log, once, and the first has its receipt.
    pub(crate) fn assert_delivered_once(&self) {
        for (here, there) in [(NODES[0], NODES[1]), (NODES[1], NODES[0])] {
            let mut arrived: HashMap<Vec<u8>, usize> = HashMap::new();
            for leaf in &self.told[there].leaves {
                if let Kind::DispatchReceived(received) = Entry::decode(leaf).unwrap().kind {
                    *arrived.entry(received.sender_entry).or_default() += 1;
                }
            }
            let mut receipts = 0;
            for leaf in &self.told[here].leaves {
                match Entry::decode(leaf).unwrap().kind {
                    Kind::DispatchSent(_) => assert_eq!(arrived.remove(leaf), Some(1)),
                    Kind::ReceiptLogged { .. } => receipts += 1,
                    _ => {}
                }
            }
            assert!(arrived.is_empty(), "{there} has what {here} never sent");
            let sent = self.told[here].leaves.iter();
            let sent = sent
                .filter(|leaf| matches!(Entry::decode(leaf).unwrap().kind, Kind::DispatchSent(_)));
            assert_eq!(receipts, sent.count(), "receipts at {here}");
        }
    }
}

/// Length and bytes of each leaf.
pub(crate) fn pack(leaves: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for leaf in leaves {
        bytes.extend(u32::try_from(leaf.len()).unwrap().to_le_bytes());
        bytes.extend(leaf);
    }
    bytes
}

fn unpack(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap();
        leaves.push(after[..length].to_vec());
        rest = &after[length..];
    }
    leaves
}

fn write(tree: &Tree, to: &Path) {
    for (path, content) in tree {
        let target = to.join(path);
        match content {
            None => fs::create_dir_all(target).unwrap(),
            Some(bytes) => fs::write(target, bytes).unwrap(),
        }
    }
}

/// Copies a directory.
pub(crate) fn copy(from: &Path, to: &Path) {
    write(&tree(from), to);
}
