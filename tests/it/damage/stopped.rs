//! A node that has exchanged and is stopped, whose directory can be copied and damaged.

use super::{
    leads,
    processes::{Home, Logs, Process, Signal},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};
use yichuan::{
    access::Purpose,
    audit::TileWriter,
    node::{data_dir::DataDir, open_log},
    rpc::pb,
    store::{Batch, Order, Row, SledStore, Store, keys},
    telemetry::SystemClock,
};

pub(crate) const COUNTY: &str = "520624";
pub(crate) const GUANGDONG: &str = "440000";
pub(crate) const ZHEJIANG: &str = "330000";

/// The county's node after an exchange with Guangdong; what it sent to Zhejiang is still in its outbox.
pub(crate) struct Stopped {
    _dir: tempfile::TempDir,
    pub(crate) home: Home,
    pub(crate) partner: Home,
    /// Zhejiang's, which was never up.
    pub(crate) away: Home,
    /// Of its log, under its last checkpoint.
    pub(crate) export: PathBuf,
    pub(crate) leaves: Vec<Vec<u8>>,
}

pub(crate) fn stop(process: Process) {
    process.signal(Signal::Term);
    let ended = process.ended();
    assert!(ended.status.success(), "{}", ended.text());
}

/// The log of a node that is stopped, as an export, to its last entry: an auditor's look would be one more.
async fn exported(home: &Home, to: &Path) -> Vec<Vec<u8>> {
    let (files, own) = (DataDir::at(&home.config.data), home.config.jurisdiction);
    let (log, _vault) = open_log(
        &files,
        own,
        Arc::new(SystemClock),
        Box::new(|store| Arc::new(store)),
    )
    .unwrap();
    let (reader, checkpoint) = (log.reader(), log.checkpoint());
    let entries = (0..checkpoint.size()).map(|index| reader.entry(index).unwrap().unwrap());
    let leaves: Vec<_> = entries.collect();
    let mut writer = TileWriter::create(to).unwrap();
    for leaf in &leaves {
        writer.push(leaf).unwrap();
    }
    writer.finish(&checkpoint).unwrap();
    log.close().await;
    leaves
}

pub(crate) async fn push(home: &Home, leads: Vec<pb::Lead>) -> Vec<pb::PushRecordsResponse> {
    let grounds = home.grounds(Purpose::Screening);
    let requests = (1..)
        .zip(leads)
        .map(move |(row, lead)| pb::PushRecordsRequest {
            grounds: grounds.clone(),
            row,
            content: Some(lead.into()),
        });
    let requests = tokio_stream::iter(requests.collect::<Vec<_>>());
    let mut verdicts = home
        .records()
        .push_records(requests)
        .await
        .unwrap()
        .into_inner();
    let mut all = Vec::new();
    while let Some(verdict) = verdicts.message().await.unwrap() {
        all.push(verdict);
    }
    all
}

impl Stopped {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let homes = [COUNTY, GUANGDONG, ZHEJIANG].map(|code| Home::make(dir.path(), code));
        let [home, partner, away] = homes;
        let processes = [&home, &partner].map(|home| home.serve(Logs::INFO));
        home.introduce(&partner).await;
        partner.introduce(&home).await;
        push(&home, (0..12).map(|n| leads::lead(n, "440305")).collect()).await;
        home.drained().await;
        // It is not up: what goes to it stays.
        home.introduce(&away).await;
        push(&home, (12..15).map(|n| leads::lead(n, "330106")).collect()).await;
        let export = dir.path().join("export");
        processes.into_iter().for_each(stop);
        let leaves = exported(&home, &export).await;
        Self {
            _dir: dir,
            home,
            partner,
            away,
            export,
            leaves,
        }
    }

    /// A copy of the node's whole directory.
    pub(crate) fn copy(&self) -> Copy {
        Self::copy_of(&self.home)
    }

    /// A copy of any node's.
    pub(crate) fn copy_of(home: &Home) -> Copy {
        let dir = tempfile::tempdir().unwrap();
        copy_directory(&home.dir, &dir.path().join("node"));
        Copy { dir }
    }
}

/// A copy of a node's directory: `node.toml`, `certs/`, `data/`.
pub(crate) struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    /// A copy with other data.
    pub(crate) fn again_with(&self, data: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = dir.path().join("node");
        copy_directory(&self.path(), &node);
        fs::remove_dir_all(node.join("data")).unwrap();
        copy_directory(data, &node.join("data"));
        Self { dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("node")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same node, as this directory has it.
    pub(crate) fn home(&self, like: &Home) -> Home {
        let path = self.path().join("node.toml");
        let text = fs::read_to_string(&path).unwrap();
        let config = yichuan::config::Config::parse(&path, &text, []).unwrap();
        Home {
            dir: self.path(),
            config,
            ..like.clone()
        }
    }

    /// Runs the program on this directory.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(super::processes::PROGRAM);
        command
            .env_clear()
            .env("YICHUAN_CONFIG", self.path().join("node.toml"))
            .current_dir(self.dir.path())
            .args(["--lang", "en", "--format", "json"])
            .args(args);
        command.output().unwrap()
    }

    pub(crate) fn doctor(&self, more: &[&str]) -> Checked {
        let scratch = self.dir.path().to_str().unwrap().to_owned();
        let args = [&["doctor", "--scratch", &scratch], more].concat();
        Checked::of(self.run(&args))
    }

    pub(crate) fn open(&self) -> SledStore {
        SledStore::open(&self.data()).unwrap()
    }

    /// Writes rows behind everybody's back.
    pub(crate) fn tamper(&self, rows: &[(Vec<u8>, Option<Vec<u8>>)]) {
        let store = self.open();
        let head = store.get(&keys::HEAD).unwrap().unwrap();
        let mut batch = Batch::new();
        for (key, value) in rows {
            match value {
                Some(value) => batch.put(key.clone(), value.clone()),
                None => batch.delete(key.clone()),
            }
        }
        store
            .commit(keys::head_size(&head).unwrap(), &batch)
            .unwrap();
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        rows(&self.open())
    }

    /// Every file below `data/`.
    pub(crate) fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.data()];
        while let Some(directory) = directories.pop() {
            for item in fs::read_dir(directory).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        files
    }
}

pub(crate) fn rows(store: &dyn Store) -> Vec<Row> {
    store
        .range(&[1], &[0x80], Order::Ascending, usize::MAX)
        .unwrap()
}

/// What `doctor` said.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) code: i32,
    pub(crate) report: Value,
    pub(crate) stderr: String,
}

impl Checked {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn state(&self, part: &str) -> &str {
        let parts = self.report["parts"].as_array();
        let found = parts
            .unwrap_or_else(|| panic!("{self:?}"))
            .iter()
            .find(|found| found["part"] == part);
        found.unwrap_or_else(|| panic!("no {part} in {self:?}"))["state"]
            .as_str()
            .unwrap()
    }

    /// All parts that are not sound.
    pub(crate) fn unsound(&self) -> Vec<(&str, &str)> {
        let parts = self.report["parts"].as_array();
        parts
            .unwrap_or_else(|| panic!("{self:?}"))
            .iter()
            .map(|found| {
                (
                    found["part"].as_str().unwrap(),
                    found["state"].as_str().unwrap(),
                )
            })
            .filter(|(_, state)| *state != "sound")
            .collect()
    }
}

/// With its modes: a node does not start in a directory that others may enter.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
