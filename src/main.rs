//! The `yichuan` command.

fn main() {}
