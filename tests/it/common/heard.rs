//! What a node says in its log, so that a test can tell a refusal that is recorded from one that is not.

use std::{cell::RefCell, collections::BTreeMap, sync::Once};
use tokio::sync::mpsc;
use tracing::{
    Metadata,
    field::{Field, Visit},
    level_filters::LevelFilter,
    subscriber::Interest,
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// One event's fields.
pub(crate) type Said = BTreeMap<&'static str, String>;

thread_local! {
    /// Where what this thread says goes, while somebody listens.
    static LISTENER: RefCell<Option<mpsc::UnboundedSender<Said>>> = const { RefCell::new(None) };
}

/// One for all threads: callsites that several subscribers come and go by lose events.
struct Ear;

struct Fields(Said);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// What libraries say, and what is said below info, costs no test anything.
fn is_heard(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("yichuan") && *metadata.level() <= tracing::Level::INFO
}

impl<S: tracing::Subscriber> Layer<S> for Ear {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_heard(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_heard(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Said::new());
        event.record(&mut fields);
        LISTENER.with_borrow(|listener| {
            if let Some(listener) = listener {
                listener.send(fields.0).unwrap();
            }
        });
    }
}

/// Before anything speaks.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Ear);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Hears all events of this thread from `yichuan`, at info and above. A test's nodes run on its thread.
pub(crate) struct Heard(RefCell<mpsc::UnboundedReceiver<Said>>);

impl Heard {
    pub(crate) fn listen() -> Self {
        install();
        let (listener, said) = mpsc::unbounded_channel();
        LISTENER.set(Some(listener));
        Self(RefCell::new(said))
    }

    /// What was said since it was asked last.
    pub(crate) fn take(&self) -> Vec<Said> {
        let mut said = self.0.borrow_mut();
        std::iter::from_fn(|| said.try_recv().ok()).collect()
    }

    /// Waits until something is said that has this field, and gives its value.
    pub(crate) async fn next(&mut self, field: &str) -> String {
        loop {
            let mut said = self.0.get_mut().recv().await.unwrap();
            if let Some(value) = said.remove(field) {
                return value;
            }
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        LISTENER.set(None);
    }
}
