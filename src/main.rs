//! The `yichuan` command.

use std::process::ExitCode;

// sled copies the node of a tree for each row that is put into it. With glibc's allocator a push took half as long again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    yichuan::cli::main().into()
}
