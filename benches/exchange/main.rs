//! Durable leads a second, beside what else does something like it on the same machine, in one run.
//!
//! `cargo bench --bench exchange` takes four minutes, `-- --short` half a minute; `-- --help` says what else there is.
//! Every server is a process of its own, all keep their files on one file system, and rounds of all rows alternate, so
//! that what disturbs the machine disturbs all alike. Compare rows of one run, never figures of two.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a benchmark reads clocks, and one that panics has failed"
)]

mod child;
mod echo;
#[path = "../../tests/it/common/leads.rs"]
mod leads;
mod machine;
mod measure;
mod nodes;
mod postgres;
#[path = "../../tests/it/common/processes.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod processes;
mod raw;

use clap::Parser;
use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use echo::EchoServer;
use measure::{Figure, Rounds, Sample, Window};
use nodes::Nodes;
use postgres::Postgres;
use raw::RawFile;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

/// As the `yichuan` command has it: this program is also the nodes that it measures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Args {
    /// One short round of each row: enough to see that all work, too little to compare
    #[arg(long)]
    short: bool,
    /// How often every row is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a row is measured each time
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Operations in flight
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 512])]
    in_flight: Vec<usize>,
    /// Only rows whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Afterwards, grows the officer's own node by so many leads and measures it again
    #[arg(long, num_args = 0..=1, default_missing_value = "1000000")]
    grown: Option<usize>,
    /// Where all files go: on the disk that is to be measured
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    echo_server: bool,
    #[arg(long, hide = true, num_args = 2)]
    node: Option<Vec<String>>,
}

/// What is measured, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Raw,
    EchoUnary,
    EchoStream,
    Postgres,
    OwnStream,
    OwnOfficers,
    EndToEnd,
}

impl Row {
    const ALL: [Self; 7] = [
        Self::Raw,
        Self::EchoUnary,
        Self::EchoStream,
        Self::Postgres,
        Self::OwnStream,
        Self::OwnOfficers,
        Self::EndToEnd,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw file, 1 KiB, write and fdatasync in groups",
            Self::EchoUnary => "tonic over mTLS, echo 1 KiB, unary",
            Self::EchoStream => "tonic over mTLS, echo 1 KiB, one stream",
            Self::Postgres => "PostgreSQL over mTLS, insert 1 KiB, a connection each",
            Self::OwnStream => "yichuan, officer to own node, one stream",
            Self::OwnOfficers => "yichuan, officers to own node, one lead each",
            Self::EndToEnd => "yichuan, end to end: receipt in the sender's log",
        }
    }
}

/// Everything that rows run against.
struct Contenders {
    raw: RawFile,
    echo: EchoServer,
    postgres: Option<Postgres>,
    own: Arc<Nodes>,
    pair: Nodes,
}

impl Contenders {
    /// Processor time that the servers of a row have taken so far.
    async fn cpu(&self, row: Row) -> Duration {
        match row {
            Row::Raw => Duration::ZERO,
            Row::EchoUnary | Row::EchoStream => self.echo.cpu(),
            Row::Postgres => self.postgres.as_ref().map_or(Duration::ZERO, Postgres::cpu),
            Row::OwnStream | Row::OwnOfficers => self.own.cpu().await,
            Row::EndToEnd => self.pair.cpu().await,
        }
    }

    async fn run(&self, row: Row, in_flight: usize, window: Window) -> Option<Sample> {
        Some(match row {
            Row::Raw => self.raw.run(in_flight, window).await,
            Row::EchoUnary => self.echo.unary(in_flight, window).await,
            Row::EchoStream => self.echo.stream(in_flight, window).await,
            Row::Postgres => self.postgres.as_ref()?.insert(in_flight, window).await,
            Row::OwnStream => self.own.stream(in_flight, window).await,
            Row::OwnOfficers => self.own.officers(in_flight, window).await,
            Row::EndToEnd => self.pair.end_to_end(in_flight, window).await,
        })
    }
}

fn main() {
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            if args.echo_server {
                child::end_with_parent();
                echo::serve().await;
            } else if let Some([config, partner]) = args.node.as_deref() {
                child::end_with_parent();
                nodes::serve(config.as_ref(), partner).await;
            } else {
                compare(&args).await;
            }
        });
}

async fn compare(args: &Args) {
    let (rounds, measured, warm) = if args.short {
        (1, Duration::from_millis(500), Duration::from_millis(150))
    } else {
        let measured = Duration::from_secs_f64(args.seconds);
        (args.rounds, measured, measured.mul_f64(0.25))
    };
    // On the disk of the build, unless told: `/tmp` is memory on many machines.
    let place = args.dir.clone().unwrap_or_else(|| {
        let built = std::env::current_exe().unwrap();
        built.parent().unwrap().to_owned()
    });
    let dir = tempfile::Builder::new()
        .prefix("yichuan-bench-")
        .tempdir_in(&place)
        .unwrap();
    // PostgreSQL's user must get to its directory.
    machine::let_others_through(dir.path());
    let at = |name: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let contenders = Contenders {
        raw: RawFile::start(&at("raw")),
        echo: EchoServer::start().await,
        postgres: Postgres::start(dir.path()).await,
        own: Arc::new(Nodes::sender_alone(&at("own")).await),
        pair: Nodes::pair(&at("pair")).await,
    };
    machine::print(
        dir.path(),
        contenders.postgres.as_ref().map(|p| &*p.version),
    );
    println!("{rounds} rounds of {measured:?} a row after {warm:?} of warm-up\n");

    let chosen = |row: &Row| {
        args.only.is_empty()
            || args
                .only
                .iter()
                .any(|part| row.name().contains(part.as_str()))
    };
    let mut all: BTreeMap<(usize, Row), Rounds> = BTreeMap::new();
    for _ in 0..rounds {
        for in_flight in &args.in_flight {
            for row in Row::ALL.into_iter().filter(chosen) {
                let window = Window::starting_now(warm, measured);
                let cpu = contenders.cpu(row).await;
                if let Some(sample) = contenders.run(row, *in_flight, window).await {
                    let cpu = contenders.cpu(row).await.saturating_sub(cpu);
                    all.entry((*in_flight, row)).or_default().add(sample, cpu);
                }
            }
        }
    }
    println!(
        "CPU µs: processor time of the servers for each operation, all their threads together\n"
    );
    print(&args.in_flight, &mut all, chosen);
    if let Some(leads) = args.grown {
        grown(
            &contenders.own,
            leads,
            &args.in_flight,
            measured,
            &at("empty"),
        )
        .await;
    }
}

fn print(
    in_flight: &[usize],
    all: &mut BTreeMap<(usize, Row), Rounds>,
    chosen: impl Fn(&Row) -> bool,
) {
    for in_flight in in_flight {
        let figures: Vec<(Row, Option<Figure>)> = Row::ALL
            .into_iter()
            .filter(&chosen)
            .map(|row| {
                (
                    row,
                    all.get_mut(&(*in_flight, row)).and_then(Rounds::figure),
                )
            })
            .collect();
        let postgres = figures
            .iter()
            .find(|(row, _)| *row == Row::Postgres)
            .and_then(|(_, figure)| figure.map(|figure| figure.per_second));
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        table.set_header([
            &format!("{in_flight} in flight"),
            "a second",
            "slowest … fastest round",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "× PostgreSQL",
        ]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for (row, figure) in figures {
            let mut cells = vec![row.name().to_owned()];
            match figure {
                Some(figure) => cells.extend([
                    format!("{:.0}", figure.per_second),
                    format!("{:.0} … {:.0}", figure.between.0, figure.between.1),
                    format!("{:.2}", figure.p50),
                    format!("{:.2}", figure.p99),
                    format!("{:.0}", figure.cpu),
                    postgres.map_or_else(String::new, |postgres| {
                        format!("{:.2}", figure.per_second / postgres)
                    }),
                ]),
                None if row == Row::Postgres => cells.push("not installed".into()),
                None => cells.push("nothing finished".into()),
            }
            table.add_row(cells);
        }
        println!("{table}\n");
    }
}

/// The same at a log with many entries and at a fresh one, in turn.
async fn grown(
    own: &Arc<Nodes>,
    leads: usize,
    in_flight: &[usize],
    measured: Duration,
    dir: &std::path::Path,
) {
    let began = std::time::Instant::now();
    own.grow(leads).await;
    let took = began.elapsed().as_secs_f64();
    println!(
        "grown by {leads} leads in {took:.0} s, {:.0} a second; the node's memory is {} MiB, its data {} MiB",
        leads as f64 / took,
        own.memory_mib().await,
        machine::size_mib(&own.data()),
    );
    let fresh = Nodes::sender_alone(dir).await;
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "in flight",
        "fresh log, a second",
        "grown log",
        "ratio",
        "p50 ms",
        "p50 ms, grown",
        "CPU µs",
        "CPU µs, grown",
    ]);
    for in_flight in in_flight {
        let (mut at_fresh, mut at_grown) = (Rounds::default(), Rounds::default());
        for _ in 0..3 {
            for (nodes, rounds) in [(&fresh, &mut at_fresh), (own.as_ref(), &mut at_grown)] {
                let window = Window::starting_now(measured.mul_f64(0.25), measured);
                let cpu = nodes.cpu().await;
                let sample = nodes.stream(*in_flight, window).await;
                rounds.add(sample, nodes.cpu().await.saturating_sub(cpu));
            }
        }
        let (fresh, grown) = (at_fresh.figure().unwrap(), at_grown.figure().unwrap());
        table.add_row([
            in_flight.to_string(),
            format!("{:.0}", fresh.per_second),
            format!("{:.0}", grown.per_second),
            format!("{:.2}", grown.per_second / fresh.per_second),
            format!("{:.2}", fresh.p50),
            format!("{:.2}", grown.p50),
            format!("{:.0}", fresh.cpu),
            format!("{:.0}", grown.cpu),
        ]);
    }
    println!("{table}");
}
