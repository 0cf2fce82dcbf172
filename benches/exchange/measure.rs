//! What is measured and how: operations per second in a window of time, and how long each took.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Warm-up, then the time that counts. Work goes on at the same pace through both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    warm: Duration,
    from: Instant,
    to: Instant,
}

impl Window {
    pub(crate) fn starting_now(warm: Duration, measured: Duration) -> Self {
        let from = Instant::now() + warm;
        Self {
            warm,
            from,
            to: from + measured,
        }
    }

    /// The same lengths again, from this moment on.
    pub(crate) fn restarted(self) -> Self {
        Self::starting_now(self.warm, self.to.duration_since(self.from))
    }

    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.to
    }
}

/// Latencies of what was finished within a window.
#[derive(Debug)]
pub(crate) struct Sample {
    window: Window,
    /// Finished before, within and after it.
    all: u64,
    micros: Vec<u32>,
}

impl Sample {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
            all: 0,
            micros: Vec::new(),
        }
    }

    /// Counts an operation that finishes now.
    pub(crate) fn finished(&mut self, started: Instant) {
        let now = Instant::now();
        self.all += 1;
        if (self.window.from..self.window.to).contains(&now) {
            let micros = now.duration_since(started).as_micros();
            self.micros.push(micros.try_into().unwrap_or(u32::MAX));
        }
    }

    fn merge(&mut self, other: Self) {
        self.all += other.all;
        self.micros.extend(other.micros);
    }

    fn per_second(&self) -> f64 {
        let seconds = self.window.to.duration_since(self.window.from);
        self.micros.len() as f64 / seconds.as_secs_f64()
    }
}

/// The same work by so many workers, each of which begins again when it is done.
pub(crate) async fn closed_loop<W, F>(workers: Vec<W>, window: Window) -> (Sample, Vec<W>)
where
    W: FnMut() -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let mut tasks = JoinSet::new();
    for mut work in workers {
        tasks.spawn(async move {
            let mut sample = Sample::new(window);
            while !window.is_over() {
                let started = Instant::now();
                work().await;
                sample.finished(started);
            }
            (sample, work)
        });
    }
    let mut total = Sample::new(window);
    let mut workers = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (sample, worker) = done.unwrap();
        total.merge(sample);
        workers.push(worker);
    }
    (total, workers)
}

/// All rounds of one row.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    per_second: Vec<f64>,
    micros: Vec<u32>,
    all: u64,
    cpu: Duration,
}

/// What a row comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// The median of the rounds.
    pub(crate) per_second: f64,
    /// The slowest round and the fastest.
    pub(crate) between: (f64, f64),
    /// Over all operations of all rounds, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor time that the servers took for each, in microseconds; on a busy machine too it tells what things cost.
    pub(crate) cpu: f64,
}

impl Rounds {
    /// A round, and the processor time that its servers took from its begin to its end.
    pub(crate) fn add(&mut self, sample: Sample, cpu: Duration) {
        self.all += sample.all;
        self.cpu += cpu;
        self.per_second.push(sample.per_second());
        self.micros.extend(sample.micros);
    }

    pub(crate) fn figure(&mut self) -> Option<Figure> {
        self.per_second.sort_by(f64::total_cmp);
        self.micros.sort_unstable();
        let (slowest, fastest) = (*self.per_second.first()?, *self.per_second.last()?);
        let at = |part: f64| {
            let last = self.micros.len().checked_sub(1)?;
            let micros = self.micros[(last as f64 * part).round() as usize];
            Some(f64::from(micros) / 1000.0)
        };
        let middle = self.per_second.len() / 2;
        let median = if self.per_second.len() % 2 == 1 {
            self.per_second[middle]
        } else {
            (self.per_second[middle - 1] + self.per_second[middle]) / 2.0
        };
        Some(Figure {
            per_second: median,
            between: (slowest, fastest),
            p50: at(0.50)?,
            p99: at(0.99)?,
            cpu: self.cpu.as_secs_f64() * 1e6 / self.all as f64,
        })
    }
}

/// Numbers that are given out once each.
#[derive(Debug, Default)]
pub(crate) struct Counter(Mutex<usize>);

impl Counter {
    pub(crate) fn next(&self) -> usize {
        let mut next = self.0.lock().unwrap();
        *next += 1;
        *next
    }
}
