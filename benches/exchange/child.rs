//! This program again, as a process of its own: servers and clients share no memory and no runtime, as in life.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{self, Command, Stdio},
    thread,
};
use tokio::sync::mpsc;

/// A process that ends with this one.
pub(crate) struct Child {
    process: process::Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Child {
    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> String {
        self.lines.recv().await.expect("the process ended")
    }

    /// Lines from here on.
    pub(crate) fn lines(&mut self) -> &mut mpsc::UnboundedReceiver<String> {
        &mut self.lines
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Starts this program with a role.
pub(crate) fn start(role: &[&str]) -> Child {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(process.stdout.take().unwrap());
    let (sender, lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in said.lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Child { process, lines }
}

/// Ends a child when its parent is gone, however it went.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        process::exit(0);
    });
}
