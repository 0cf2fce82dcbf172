//! The floor: records into a file, synced in groups, with nothing around them.

use crate::measure::{Sample, Window, closed_loop};
use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// Of one record, in bytes.
pub(crate) const RECORD: usize = 1024;

type Job = oneshot::Sender<()>;

/// One thread that writes whatever queued while the last group synced.
pub(crate) struct RawFile {
    jobs: mpsc::Sender<Job>,
}

impl RawFile {
    pub(crate) fn start(dir: &Path) -> Self {
        let path: PathBuf = dir.join("raw");
        let (jobs, mut queue) = mpsc::channel::<Job>(4096);
        thread::spawn(move || {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap();
            let (mut group, mut bytes) = (Vec::new(), Vec::new());
            while let Some(first) = queue.blocking_recv() {
                group.push(first);
                while let Ok(job) = queue.try_recv() {
                    group.push(job);
                }
                bytes.resize(group.len() * RECORD, 0x5a);
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
                for job in group.drain(..) {
                    // Nobody waits any more when the window is over.
                    job.send(()).ok();
                }
            }
        });
        Self { jobs }
    }

    pub(crate) async fn run(&self, in_flight: usize, window: Window) -> Sample {
        let workers = (0..in_flight)
            .map(|_| {
                let jobs = self.jobs.clone();
                move || {
                    let jobs = jobs.clone();
                    async move {
                        let (done, synced) = oneshot::channel();
                        jobs.send(done).await.unwrap();
                        synced.await.unwrap();
                    }
                }
            })
            .collect();
        closed_loop(workers, window).await.0
    }
}
