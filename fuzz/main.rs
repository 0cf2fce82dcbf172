//! libFuzzer with all targets in one program, so that what they share is linked once. `YICHUAN_FUZZ_TARGET` chooses.
#![no_main]

mod bounded;
#[path = "targets/mod.rs"]
mod targets;

use std::{env, process, sync::OnceLock};
use targets::{TARGETS, Target};

static CHOSEN: OnceLock<&Target> = OnceLock::new();

fn choose() -> &'static Target {
    let name = env::var("YICHUAN_FUZZ_TARGET").unwrap_or_default();
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| {
            eprintln!("YICHUAN_FUZZ_TARGET names no target. There are:");
            TARGETS
                .iter()
                .for_each(|target| eprintln!("{}", target.name));
            process::exit(64)
        })
}

libfuzzer_sys::fuzz_target!(
    init: {
        CHOSEN.get_or_init(choose);
    },
    |data: &[u8]| (CHOSEN.get_or_init(choose).run)(data)
);
