//! What the tours show is run as written, with processes and directories of their own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::{fs::symlink, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::sync::mpsc;

const TOUR: &str = include_str!("../../docs/TOUR.md");
const CHINESE: &str = include_str!("../../docs/TOUR.zh-CN.md");

/// Begins the output of a command.
const COMMAND: char = '\u{1}';
/// A node was started: the script waits until it is told that it is up.
const STARTED: char = '\u{2}';
/// A command that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// A command of the tour and what it is shown to print.
#[derive(Debug, Default)]
struct Step {
    line: usize,
    command: String,
    shown: Vec<String>,
}

impl Step {
    fn starts_a_node(&self) -> bool {
        self.command.contains(" serve ") && self.command.ends_with('&')
    }
}

/// The commands in ```` ```console ```` blocks.
fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (line, text) in (1..).zip(markdown.lines()) {
        match (inside, text.strip_prefix("$ ")) {
            (_, None) if text.starts_with("```") => inside = text == "```console",
            (true, Some(command)) => steps.push(Step {
                line,
                command: command.to_owned(),
                shown: Vec::new(),
            }),
            (true, None) => steps.last_mut().unwrap().shown.push(text.to_owned()),
            (false, _) => {}
        }
    }
    steps
}

/// True where `…` in what is shown stands for what was printed.
fn line_fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap();
    let Some(mut rest) = printed.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The same for lines; a line that is `…` alone stands for any number of them.
fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((any, rest)) if any == "…" => {
            (0..=printed.len()).any(|skip| fits(rest, &printed[skip..]))
        }
        Some((line, rest)) => {
            let next = printed.split_first();
            next.is_some_and(|(first, others)| line_fits(line, first) && fits(rest, others))
        }
    }
}

/// The tour with ports that are free now instead of those that it names.
fn with_free_ports(text: &str) -> String {
    let named = [7443, 7444, 7480, 7481];
    let held = named.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let pairs = named
        .iter()
        .zip(&held)
        .map(|(port, held)| (*port, held.local_addr().unwrap().port()));
    pairs.fold(text.to_owned(), |text, (port, free)| {
        text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{free}"))
    })
}

fn script(steps: &[Step]) -> String {
    let mut script = "exec 2>&1\n".to_owned();
    for (number, step) in steps.iter().enumerate() {
        script += &format!("echo '{COMMAND}{number}'\n{}\n", step.command);
        if step.starts_a_node() {
            script += &format!("echo '{STARTED}'\nread -r\n");
        }
    }
    script + &format!("echo '{COMMAND}{}'\n", steps.len())
}

/// A shell that takes what it started with it.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).output());
        drop(self.0.wait());
    }
}

/// One of the two, with the language in which it shows what is printed.
struct Tour {
    name: &'static str,
    text: &'static str,
    lang: [(&'static str, &'static str); 2],
}

fn shell(home: &Path, steps: &[Step], lang: [(&str, &str); 2]) -> Shell {
    let bin = home.join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_yichuan"), bin.join("yichuan")).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    symlink(tests, home.join("tests")).unwrap();
    let file = home.join("script");
    fs::write(&file, script(steps)).unwrap();
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let child = Command::new("bash")
        .arg("-e")
        .arg(file)
        .current_dir(home)
        .env_clear()
        .envs(lang)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    Shell(child)
}

/// What the shell prints, line by line.
fn lines_of(shell: &mut Shell) -> mpsc::UnboundedReceiver<String> {
    let stdout = shell.0.stdout.take().unwrap();
    let (lines, printed) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8(line.unwrap()).unwrap();
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    printed
}

/// Waits until the node that a command starts is up: it says so to whoever asks, and asking is all that one can do from
/// outside.
async fn node_is_up(home: &Path, step: &Step, tour: &Tour) {
    let mut words = step.command.split(' ');
    let config = words.find_map(|word| word.strip_suffix("node.toml"));
    let config = home.join(config.unwrap()).join("node.toml");
    let config = fs::read_to_string(config).unwrap();
    let admin = config
        .lines()
        .find_map(|line| line.strip_prefix("admin = \""));
    let admin = admin.unwrap().trim_end_matches('"').to_owned();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let up = async {
        while !is_ready(&admin) {
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, up).await;
    waited.unwrap_or_else(|_| panic!("{}:{}: no node came up", tour.name, step.line));
}

fn is_ready(admin: &str) -> bool {
    let Ok(mut tcp) = TcpStream::connect(admin) else {
        return false;
    };
    let mut answer = String::new();
    let asked = tcp.write_all(b"GET /readyz HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
    asked.is_ok() && tcp.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

#[tokio::test]
async fn the_tour_does_what_it_shows() {
    does_what_it_shows(&Tour {
        name: "docs/TOUR.md",
        text: TOUR,
        lang: [("LC_CTYPE", "C.UTF-8"), ("LC_MESSAGES", "C.UTF-8")],
    })
    .await;
}

#[tokio::test]
async fn the_chinese_tour_does_what_it_shows() {
    does_what_it_shows(&Tour {
        name: "docs/TOUR.zh-CN.md",
        text: CHINESE,
        lang: [("LC_CTYPE", "C.UTF-8"), ("LC_MESSAGES", "zh_CN.UTF-8")],
    })
    .await;
}

/// What is between quotation marks is for people, and `--lang` is the page's own.
fn without_words(command: &str) -> String {
    let command = command.replace("--lang zh", "--lang en");
    let parts = command.split('\'').enumerate();
    let parts = parts.map(|(n, part)| if n % 2 == 0 { part } else { "…" });
    parts.collect::<Vec<_>>().join("'")
}

#[test]
fn both_tours_show_the_same_commands() {
    let commands = |text| -> Vec<String> {
        let steps = steps(text);
        steps.iter().map(|s| without_words(&s.command)).collect()
    };
    let (english, chinese) = (commands(TOUR), commands(CHINESE));
    for (english, chinese) in english.iter().zip(&chinese) {
        assert_eq!(english, chinese);
    }
    assert_eq!(english.len(), chinese.len());
}

/// Runs a tour in a directory of its own and compares what is printed with what is shown. Ports are the only thing
/// that differs: free ones are put in place of those that it names.
async fn does_what_it_shows(tour: &Tour) {
    let steps = steps(&with_free_ports(tour.text));
    assert!(steps.len() > 70, "{} commands were found", steps.len());
    let home = tempfile::tempdir().unwrap();
    let mut shell = shell(home.path(), &steps, tour.lang);
    let mut lines = lines_of(&mut shell);
    let mut at: Option<&Step> = None;
    let mut printed = Vec::new();
    let mut run = 0;
    while run <= steps.len() {
        let line = tokio::time::timeout(PATIENCE, lines.recv()).await;
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => panic!("the shell gave up after {at:#?}\n{}", printed.join("\n")),
            Err(_) => panic!("this hangs: {at:#?}\n{}", printed.join("\n")),
        };
        if line.starts_with(STARTED) {
            node_is_up(home.path(), at.unwrap(), tour).await;
            shell.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        } else if line.starts_with(COMMAND) {
            if let Some(step) = at {
                assert!(
                    fits(&step.shown, &printed),
                    "{}:{}: {}\n--- shown\n{}\n--- printed\n{}",
                    tour.name,
                    step.line,
                    step.command,
                    step.shown.join("\n"),
                    printed.join("\n")
                );
            }
            at = steps.get(run);
            printed.clear();
            run += 1;
        } else {
            printed.push(line);
        }
    }
    drop(shell.0.stdin.take());
    assert!(shell.0.wait().unwrap().success());
}

#[test]
fn a_wildcard_stands_for_what_it_hides_and_for_nothing_else() {
    for (shown, printed, fit) in [
        ("a…c", "abc", true),
        ("a…c", "ac", true),
        ("a…c", "abcd", false),
        ("abc", "abcd", false),
        ("…", "anything", true),
        ("a…b…", "axxbyy", true),
        ("a…b…c", "acb", false),
    ] {
        assert_eq!(line_fits(shown, printed), fit, "{shown} {printed}");
    }
    let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    assert!(fits(&lines("a\n…\nd"), &lines("a\nb\nc\nd")));
    assert!(fits(&lines("…\nd"), &lines("d")));
    assert!(!fits(&lines("…\nd"), &lines("d\ne")));
    assert!(!fits(&[], &lines("surprise")));
    assert!(!fits(&lines("promised"), &[]));
}
