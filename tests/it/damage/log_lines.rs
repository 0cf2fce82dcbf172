//! Log lines without end: a stranger, who needs no certificate for it, must not fill the disk with them.

use super::{
    full_disk::fetch,
    leads,
    processes::{DEADLINE, Home, Logs, Process},
    stopped::stop,
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use yichuan::{access::Purpose, rpc::pb};

const REFUSED: &str = "connection refused";

fn metric(home: &Home, name: &str) -> usize {
    let metrics = fetch(home.admin, "/metrics");
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refused_connections_leaves_few_lines_and_is_counted() {
    const FLOOD: usize = 1000;
    let dir = tempfile::tempdir().unwrap();
    let home = Home::make(dir.path(), "520624");
    let process = home.serve(Logs::INFO);
    for _ in 0..FLOOD {
        let mut tcp = TcpStream::connect_timeout(&home.config.listen.address, DEADLINE).unwrap();
        tcp.set_read_timeout(Some(DEADLINE)).unwrap();
        tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        // An alert, and the end.
        drop(tcp.read_to_end(&mut Vec::new()));
    }
    // What is no part of the flood has its line.
    let request = pb::PushRecordsRequest {
        grounds: home.grounds(Purpose::Screening),
        row: 1,
        content: Some(leads::lead(1, "440305").into()),
    };
    let mut auditor = pb::records_client::RecordsClient::new(home.channel("auditor-001"));
    let refused = auditor.push_records(tokio_stream::iter([request])).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
    process.wait_for("a call was refused");

    process.wait_for("log lines like others before them were left out");
    let all_are_told = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !is_told(&home, &process, FLOOD) {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, all_are_told).await.unwrap();
    assert!(process.count(REFUSED) < FLOOD / 2);
    stop(process);
}

/// Each refused connection is a line, or counted as left out.
fn is_told(home: &Home, process: &Process, flood: usize) -> bool {
    let refused = metric(home, "yichuan_tls_refused_total");
    let left_out = metric(home, "yichuan_log_lines_left_out_total");
    refused >= flood && process.count(REFUSED) + left_out == refused
}
