//! What a node says in its log, so that a test can tell a refusal that is recorded from one that is not.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::{cell::RefCell, collections::BTreeMap, sync::Once};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// One event's fields.
pub(crate) type Said = BTreeMap<&'static str, String>;

thread_local! {
    /// What this thread has said since it was listened to.
    static SAID: RefCell<Option<Vec<Said>>> = const { RefCell::new(None) };
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

impl<S: tracing::Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target().starts_with("yichuan") && *metadata.level() <= tracing::Level::INFO {
            let mut fields = Fields(Said::new());
            event.record(&mut fields);
            SAID.with_borrow_mut(|said| {
                if let Some(said) = said {
                    said.push(fields.0);
                }
            });
        }
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
pub(crate) struct Heard(());

impl Heard {
    pub(crate) fn listen() -> Self {
        install();
        SAID.set(Some(Vec::new()));
        Self(())
    }

    /// What was said since it was asked last.
    pub(crate) fn take(&self) -> Vec<Said> {
        SAID.with_borrow_mut(|said| said.replace(Vec::new()))
            .unwrap_or_default()
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        SAID.set(None);
    }
}
