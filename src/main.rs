//! The `yichuan` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    yichuan::cli::main().into()
}
