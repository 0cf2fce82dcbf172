//! Metrics, rendered on request.

use metrics::SetRecorderError;
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use std::fmt;

/// Bucket bounds of histograms in seconds: from a store's commit to a slow network.
const SECONDS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// The metrics recorded so far.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Why metrics could not start.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The exporter could not be built.
    #[error("cannot start metrics: {0}")]
    Build(#[from] BuildError),
    /// Metrics have been started already.
    #[error("cannot start metrics: {0}")]
    Install(#[from] SetRecorderError<PrometheusRecorder>),
}

impl Metrics {
    /// Starts recording, for the whole process.
    ///
    /// # Errors
    /// A second start.
    pub fn install() -> Result<Self, MetricsError> {
        let (recorder, metrics) = Self::build()?;
        metrics::set_global_recorder(recorder)?;
        Ok(metrics)
    }

    pub(super) fn build() -> Result<(PrometheusRecorder, Self), BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .build_recorder();
        let metrics = Self(recorder.handle());
        Ok((recorder, metrics))
    }

    /// The metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Aggregates what histograms collected, which would grow forever if nobody requested it.
    pub(super) fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
