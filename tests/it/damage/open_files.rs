//! Files that a process may open: connections without end must not take those that the log writes, because a log that
//! cannot write closes; and a start that had too few of them is not a broken disk.

use super::{
    full_disk::fetch,
    leads,
    processes::{DEADLINE, Home, Logs, PROGRAM, Process, UP},
    stopped::{GUANGDONG, Stopped, stop},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{net::TcpStream, process::Command};
use tonic::transport::Channel;
use yichuan::{access::Purpose, rpc::pb};

/// The program, with a limit on open files: `-Sn` soft, `-Hn` hard too.
fn limited(home: &Home, limit: &str, args: &[&str]) -> Command {
    let program = home.command(Logs::INFO);
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("ulimit {limit}; exec \"$0\" \"$@\""),
            PROGRAM,
        ])
        .args(args)
        .env_clear()
        .envs(
            program
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .current_dir(&home.dir);
    command
}

async fn accepted(home: &Home, records: &mut pb::records_client::RecordsClient<Channel>, n: usize) {
    let request = pb::PushRecordsRequest {
        grounds: home.grounds(Purpose::Screening),
        row: 1,
        content: Some(leads::lead(n, "440305").into()),
    };
    let pushing = async {
        let pushed = records.push_records(tokio_stream::iter([request])).await?;
        pushed.into_inner().message().await
    };
    let pushed = tokio::time::timeout(DEADLINE, pushing).await.unwrap();
    assert_eq!(pushed.unwrap().unwrap().verdict(), pb::Verdict::Accept);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_end_leave_the_log_the_files_that_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), "520624");
    let mut command = limited(&home, "-Sn 256", &["serve", "--log-format", "json"]);
    command
        // One address has a quarter of them.
        .env("YICHUAN__LIMITS__HANDSHAKES", "2048")
        .env("YICHUAN__LIMITS__HANDSHAKE_TIMEOUT_S", "60");
    let process = Process::spawn(command);
    process.wait_for(UP);
    home.introduce(&Home::make(dir.path(), GUANGDONG)).await;
    let mut records = home.records();
    accepted(&home, &mut records, 0).await;

    let node = home.config.listen.address;
    let flood: Vec<TcpStream> = (0..330)
        .map(|_| TcpStream::connect_timeout(&node, DEADLINE).unwrap())
        .collect();
    // Over the connection that was there before, and over new ones.
    for n in 1..10 {
        accepted(&home, &mut records, 2 * n).await;
        accepted(&home, &mut home.records(), 2 * n + 1).await;
    }
    let ready = fetch(home.admin, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    drop(flood);
    stop(process);
}

/// Regression: the admin port, which asks nobody who they are, had no limit. Whoever was on the machine took the last open
/// file by connecting to it; the next commit could not look at a directory, and the log closed for good.
#[tokio::test(flavor = "multi_thread")]
async fn regression_idle_connections_to_the_admin_port_leave_the_log_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), "520624");
    let mut command = limited(&home, "-n 1300", &["serve", "--log-format", "json"]);
    command
        .env("YICHUAN__LIMITS__CONNECTIONS", "64")
        .env("YICHUAN__LIMITS__HANDSHAKES", "64");
    let process = Process::spawn(command);
    process.wait_for(UP);
    home.introduce(&Home::make(dir.path(), GUANGDONG)).await;
    let mut records = home.records();
    accepted(&home, &mut records, 0).await;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let idle: Vec<_> = (0..2_000)
        .map_while(|_| TcpStream::connect_timeout(&home.admin, DEADLINE).ok())
        .collect();
    assert!(idle.len() > 1_300, "{}", idle.len());
    for n in 1..10 {
        accepted(&home, &mut records, 2 * n).await;
        accepted(&home, &mut home.records(), 2 * n + 1).await;
    }
    let ready = fetch(home.admin, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    drop(idle);
    stop(process);
}

#[test]
fn a_node_that_may_open_too_few_files_says_so_and_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), "520624");
    let ended = Process::spawn(limited(&home, "-n 1500", &["serve"])).ended();
    assert_eq!(ended.status.code(), Some(78), "{}", ended.text());
    assert!(
        ended.text().contains("1500") && ended.text().contains("LimitNOFILE"),
        "{}",
        ended.text()
    );
}

/// Regression: whatever kept a store from opening was taken for a storage error, and the directory was given up.
#[tokio::test(flavor = "multi_thread")]
async fn regression_a_start_without_files_to_open_leaves_no_word_of_a_storage_error() {
    let stopped = Stopped::new().await;
    let copy = stopped.copy();
    let home = copy.home(&stopped.home);
    let (mut short, mut done) = (0, 0);
    for files in 4..40 {
        let limit = format!("-n {files}");
        let rebuild = ["audit", "replay", "--rebuild"];
        let ran = limited(&home, &limit, &rebuild).output().unwrap();
        if ran.status.success() {
            done += 1;
        } else {
            let said = String::from_utf8_lossy(&ran.stderr);
            short += u32::from(said.contains("os error 24"));
        }
        assert!(
            !copy.data().join("checkpoint.failed").exists(),
            "{files}: {ran:?}"
        );
    }
    assert!(short > 3 && done > 0, "{short} {done}");
    stop(home.serve(Logs::INFO));
}
