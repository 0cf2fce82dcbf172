//! ENOSPC on a real small file system, filled by real pushes.
//!
//! Needs the right to mount. Without it this says that it was not run; with `YICHUAN_REQUIRE_ENOSPC=1` that is a failure.

use super::{
    leads,
    processes::{Home, Logs, Process, UP},
    stopped::{GUANGDONG, copy_directory, push, stop},
};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};
use yichuan::{
    access::Purpose,
    entry::{Entry, Kind},
    rpc::pb,
};

/// A small ext4, unmounted when it is dropped.
pub(crate) struct SmallDisk {
    pub(crate) at: PathBuf,
}

impl SmallDisk {
    /// Nothing where none can be mounted here.
    pub(crate) fn mount(dir: &Path, mib: u32) -> Option<Self> {
        match Self::try_mount(dir, mib) {
            Ok(disk) => Some(disk),
            Err(why) => {
                assert!(
                    std::env::var_os("YICHUAN_REQUIRE_ENOSPC").is_none(),
                    "no small disk: {why}"
                );
                eprintln!(
                    "NOT RUN: no small disk can be filled, because none can be mounted here: {why}"
                );
                None
            }
        }
    }

    fn try_mount(dir: &Path, mib: u32) -> Result<Self, String> {
        let (image, at) = (dir.join("disk.img"), dir.join("disk"));
        fs::create_dir(&at).unwrap();
        let file = fs::File::create(&image).unwrap();
        file.set_len(u64::from(mib) * 1024 * 1024).unwrap();
        let run = |program: &str, args: &[&str]| {
            let ran = Command::new(program).args(args).output();
            let ran = ran.map_err(|error| format!("{program}: {error}"))?;
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            if ran.status.success() {
                Ok(())
            } else {
                Err(format!("{program}: {said}"))
            }
        };
        let (image, place) = (image.to_str().unwrap(), at.to_str().unwrap());
        run("mkfs.ext4", &["-q", "-F", "-m", "0", image])?;
        run("mount", &["-o", "loop", image, place])?;
        Ok(Self { at })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.at).output());
    }
}

pub(crate) fn fetch(address: SocketAddr, path: &str) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    write!(
        tcp,
        "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer
}

/// What is acknowledged of leads `from..from + 40`, and how the push ended where it did not go through.
pub(crate) async fn fill(home: &Home, from: usize) -> (Vec<(u64, String)>, Option<tonic::Status>) {
    let grounds = home.grounds(Purpose::Screening);
    let requests: Vec<_> = (from..from + 40)
        .map(|n| pb::PushRecordsRequest {
            grounds: grounds.clone(),
            row: n as u64 + 1,
            content: Some(leads::lead(n, "440305").into()),
        })
        .collect();
    let answered = home
        .records()
        .push_records(tokio_stream::iter(requests))
        .await;
    let mut verdicts = match answered {
        Ok(answered) => answered.into_inner(),
        Err(status) => return (Vec::new(), Some(status)),
    };
    let mut indexes = Vec::new();
    loop {
        match verdicts.message().await {
            Ok(None) => return (indexes, None),
            Ok(Some(verdict)) => indexes.push((verdict.log_index, verdict.record_id)),
            Err(status) => return (indexes, Some(status)),
        }
    }
}

/// A process that serves the node, up, and keeps so many MiB free.
pub(crate) fn serve_with_reserve(home: &Home, mib: u32) -> Process {
    let mut command = home.command(Logs::INFO);
    command
        .env("YICHUAN__LIMITS__DISK_RESERVE_MIB", mib.to_string())
        .args(["serve", "--log-format", "json"]);
    let process = Process::spawn(command);
    process.wait_for(UP);
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_full_disk_closes_the_log_and_a_larger_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), 32) else {
        return;
    };
    let mut home = Home::make(&disk.at, "520624");
    let away = Home::make(dir.path(), GUANGDONG);
    let process = serve_with_reserve(&home, 0);
    // It is never up: what is sent to it stays in the outbox.
    home.introduce(&away).await;
    let (mut acknowledged, mut pushed) = (Vec::new(), 0);
    let refused = loop {
        let (indexes, ended) = fill(&home, pushed).await;
        acknowledged.extend(indexes);
        pushed += 40;
        if let Some(status) = ended {
            break status;
        }
        assert!(pushed < 20_000, "the disk never filled");
    };
    println!(
        "{} leads were acknowledged; then: {refused}",
        acknowledged.len()
    );
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    let (none, again) = fill(&home, pushed).await;
    assert!(none.is_empty() && again.is_some());
    let ready = fetch(home.admin, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("yichuan doctor"), "{ready}");
    let metrics = fetch(home.admin, "/metrics");
    assert!(metrics.contains("yichuan_log_closed 1"), "{metrics}");
    // An auditor still reads all that was acknowledged, but for pages that sled must split and cannot.
    let read = home.try_export(&dir.path().join("export")).await;
    if let Err(status) = &read {
        println!("an auditor is refused the newest entries: {status}");
        assert_eq!(status.code(), tonic::Code::Internal, "{status}");
    }
    stop(process);

    // A larger disk: the directory without its data, and the data as repaired.
    let larger = dir.path().join("larger");
    copy_directory(&home.dir, &larger);
    fs::remove_dir_all(larger.join("data")).unwrap();
    let into = larger.join("data");
    let mut doctor = home.command(Logs::INFO);
    doctor.args(["--lang", "en", "--format", "json", "doctor", "--scratch"]);
    doctor.arg(dir.path()).arg("--repair-into").arg(&into);
    let repaired = doctor.output().unwrap();
    assert!(repaired.status.success(), "{repaired:?}");
    let path = larger.join("node.toml");
    let text = fs::read_to_string(&path).unwrap();
    home.config = yichuan::config::Config::parse(&path, &text, []).unwrap();
    home.dir = larger;
    let process = home.serve(Logs::INFO);
    let after = home.export(&dir.path().join("again")).await;
    if let Ok(leaves) = read {
        assert_eq!(after[..leaves.len()], leaves);
    }
    assert!(acknowledged.len() > 1000, "{}", acknowledged.len());
    for (index, lead) in &acknowledged {
        let Kind::DispatchSent(sent) = Entry::decode(&after[*index as usize]).unwrap().kind else {
            panic!("entry {index} is no lead");
        };
        assert_eq!(sent.record.to_string(), *lead);
    }
    let verdicts = push(&home, vec![leads::lead(30_000, "440305")]).await;
    assert_eq!(verdicts[0].verdict(), pb::Verdict::Accept);
    stop(process);
}
