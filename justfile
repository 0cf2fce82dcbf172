# What CI runs, one recipe a command, cheapest first. CI itself is .ci/run, which needs no just; tests/it/docs.rs compares the
# two. Tests that take minutes or hours are run by hand: CONTRIBUTING.md.

_default:
    @just --list --unsorted

# Formatting; `cargo fmt` mends it
fmt:
    cargo fmt --check

# Lints, as errors
lint:
    cargo clippy --all-targets --locked -- -D warnings

# All tests
test:
    cargo test --locked

# A client and a verifier in Python against two nodes; needs `cargo build`, Python 3.10 and a registry
stranger:
    tests/stranger/run

# Each fuzz target for five seconds
fuzz:
    fuzz/run

# The API's documentation, without a warning
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked

# Three nodes and a story
demo:
    cargo run --release --locked -- demo

# The benchmark, short: shows that it works, and no figures
bench:
    cargo bench --locked --bench exchange -- --short

# What may come in from outside; needs cargo-deny
deny:
    cargo deny --locked check bans licenses sources

# All of it, as CI does
ci:
    .ci/run
