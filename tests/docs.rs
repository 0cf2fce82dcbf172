//! What is drawn from code into `docs/` is what the code says. `UPDATE_DOCS=1 cargo test --test docs` writes it again.
#![expect(
    clippy::unwrap_used,
    reason = "a document that cannot be written fails the test"
)]

use std::{env, fs, path::Path};

fn holds(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, drawn).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == drawn,
        "docs/{name} is not what the code says; run: UPDATE_DOCS=1 cargo test --test docs"
    );
}

#[test]
fn the_states_of_a_referral() {
    holds("referral-states.md", &yichuan::domain::referral::draw());
}
