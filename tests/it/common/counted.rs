//! What a node counts, so that a test can tell a refusal that is counted from one that is not.

use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Counts what this thread counts, until it is dropped. A test's nodes run on its thread.
pub(crate) struct Counted {
    counters: PrometheusHandle,
    _guard: LocalRecorderGuard<'static>,
}

impl Counted {
    pub(crate) fn start() -> Self {
        // The guard borrows it, and a test has no owner that outlives its world.
        let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        Self {
            counters: recorder.handle(),
            _guard: metrics::set_default_local_recorder(recorder),
        }
    }

    /// A counter, by its name and labels as Prometheus writes them.
    pub(crate) fn of(&self, counter: &str) -> u64 {
        let rendered = self.counters.render();
        let mut lines = rendered.lines();
        let value = lines.find_map(|line| line.strip_prefix(counter));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }
}
