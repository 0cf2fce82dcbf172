//! The machine that the figures are of. Reads `/proc`; elsewhere it says less.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn line(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once([':', '=']));
    value.map_or_else(String::new, |(_, value)| {
        value.trim().trim_matches('"').to_owned()
    })
}

/// Prints processor, memory, system, file system and versions.
pub(crate) fn print(dir: &Path, postgres: Option<&str>) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let dir = dir.to_str().unwrap_or_default();
    let system = said("df", &["--output=fstype", dir]);
    let system = system.lines().last().unwrap_or_default();
    println!(
        "yichuan {}, PostgreSQL {}, {}",
        env!("CARGO_PKG_VERSION"),
        postgres.unwrap_or("not installed"),
        line("/etc/os-release", "PRETTY_NAME"),
    );
    println!(
        "{cores} cores of {}, {} of memory, load {load} before the start; all files on {system}",
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
    );
    if system == "tmpfs" {
        println!("WARNING: tmpfs is memory, nothing here is durable; give --dir a place on a disk");
    }
}

/// Other users may pass through a directory, though not read it.
pub(crate) fn let_others_through(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
}

/// Of a process.
pub(crate) fn memory_mib(process: u32) -> u64 {
    let resident = line(&format!("/proc/{process}/status"), "VmRSS");
    let kib = resident.split(' ').next().unwrap_or_default();
    kib.parse::<u64>().unwrap_or_default() / 1024
}

/// Of all files below a directory.
pub(crate) fn size_mib(dir: &Path) -> u64 {
    let said = said("du", &["-sm", dir.to_str().unwrap_or_default()]);
    let size = said.split_whitespace().next().unwrap_or_default();
    size.parse().unwrap_or_default()
}

/// Processor time that a process has taken so far, and its children with it, as far as they are alive.
pub(crate) fn cpu(process: u32) -> Duration {
    let children = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = children.filter_map(|item| item.file_name().to_str()?.parse().ok());
    let family = children
        .filter_map(times)
        .filter(|times| times.id == process || times.parent == process);
    // Ticks are hundredths of a second on every Linux there is.
    Duration::from_millis(family.map(|times| times.ticks).sum::<u64>() * 10)
}

struct Times {
    id: u32,
    parent: u32,
    ticks: u64,
}

/// `/proc/<id>/stat`: see proc(5). The name, in brackets, may contain anything.
fn times(id: u32) -> Option<Times> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let at = |n: usize| fields.get(n)?.parse::<u64>().ok();
    Some(Times {
        id,
        parent: at(1)?.try_into().ok()?,
        ticks: at(11)? + at(12)?,
    })
}
