//! Nodes as an operator runs them: processes of the program, each with a directory and ports of its own, that can be
//! told to stop and can be killed.

use std::{
    fs,
    io::{self, Read},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::Duration,
};
use tonic::{Status, transport::Channel};
use yichuan::{
    access::Purpose,
    audit::TileWriter,
    cli::demo::cluster::{grounds, write_node},
    config::Config,
    domain::Jurisdiction,
    node::data_dir,
    note::{SignedCheckpoint, VerifierKey},
    rpc::{MAX_MESSAGE, pb},
    telemetry::SystemClock,
    tls::{Authority, Ca, CardFacts, Credentials, Dialer, NodeCard, TrustStore, dev},
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_yichuan");

/// What waits for a process fails after so long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A node's directory, addresses and keys. It outlives the processes that serve it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) code: Jurisdiction,
    pub(crate) dir: PathBuf,
    pub(crate) config: Config,
    pub(crate) admin: SocketAddr,
    pub(crate) vkey: VerifierKey,
}

/// How a process is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logs {
    pub(crate) level: &'static str,
    pub(crate) format: &'static str,
}

impl Logs {
    pub(crate) const INFO: Self = Self {
        level: "info",
        format: "json",
    };
}

/// A loopback port that nobody has. Below those that the system gives to outgoing connections, so that it is still free
/// when its node is killed and started again.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    (0..10_000)
        .map(|_| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

pub(crate) fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

impl Home {
    /// Makes the directory of a development jurisdiction's node.
    pub(crate) fn make(parent: &Path, code: &str) -> Self {
        let code: Jurisdiction = code.parse().unwrap();
        let dir = parent.join(code.as_str());
        let config = write_node(&dir, code, &free_address().to_string()).unwrap();
        let vkey = data_dir::create(&config.data, code).unwrap();
        Self {
            code,
            dir,
            config,
            admin: free_address(),
            vkey,
        }
    }

    /// The program with arguments, in this node's surroundings and in no others.
    pub(crate) fn command(&self, logs: Logs) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env_clear()
            .env("LANG", "C.UTF-8")
            .env("YICHUAN_LOG", logs.level)
            .env("YICHUAN_CONFIG", &self.config.path)
            .env("YICHUAN__LISTEN__ADMIN", self.admin.to_string())
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        command
    }

    /// A process that serves the node. It may not be up yet.
    pub(crate) fn spawn(&self, logs: Logs) -> Process {
        let mut command = self.command(logs);
        command
            .args(["serve", "--log-format", logs.format, "--config"])
            .arg(&self.config.path);
        Process::spawn(command)
    }

    /// A process that serves the node, up.
    pub(crate) fn serve(&self, logs: Logs) -> Process {
        let process = self.spawn(logs);
        process.wait_for(UP);
        process
    }

    /// A channel to the node, as somebody of its own jurisdiction.
    pub(crate) fn channel(&self, identity: &str) -> Channel {
        self.channel_of(self.code, identity)
    }

    /// A channel to the node, as somebody with a certificate of jurisdiction `of`.
    pub(crate) fn channel_of(&self, of: Jurisdiction, identity: &str) -> Channel {
        let identity = dev::identity(of, identity).unwrap();
        let credentials =
            Credentials::from_pem(identity.certificate.as_bytes(), identity.key.as_bytes())
                .unwrap();
        let mut trust = TrustStore::new(authority(of), None).unwrap();
        if of != self.code {
            trust = trust.with(authority(self.code), None).unwrap();
        }
        let dialer = Dialer::new(
            Arc::new(credentials),
            Arc::new(trust),
            Arc::new(SystemClock),
        )
        .unwrap();
        dialer.connect(&self.config.listen.endpoint, self.code)
    }

    pub(crate) fn records(&self) -> pb::records_client::RecordsClient<Channel> {
        pb::records_client::RecordsClient::new(self.channel("officer-001"))
            .max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn grounds(&self, purpose: Purpose) -> Option<pb::Grounds> {
        Some(grounds(self.code.as_str(), purpose))
    }

    /// The node's card, made with its development CA.
    pub(crate) fn card(&self) -> NodeCard {
        let ca = dev::ca(self.code).unwrap();
        let facts = CardFacts {
            name: ca.name,
            endpoint: &self.config.listen.endpoint,
            vkey: &self.vkey.to_string(),
        };
        let ca = Ca::from_pem(ca.certificate, ca.key).unwrap();
        NodeCard::make(&ca, &facts, &SystemClock).unwrap()
    }

    /// Makes another node a partner: an admin drafts, a supervisor approves.
    pub(crate) async fn introduce(&self, partner: &Self) {
        let card = partner.card();
        let grounds = self.grounds(Purpose::Supervision);
        pb::partners_client::PartnersClient::new(self.channel("admin-001"))
            .propose_partner(pb::ProposePartnerRequest {
                grounds: grounds.clone(),
                card: card.as_str().as_bytes().to_vec().into(),
            })
            .await
            .unwrap();
        pb::partners_client::PartnersClient::new(self.channel("supervisor-001"))
            .approve_partner(pb::ApprovePartnerRequest {
                grounds,
                jurisdiction: partner.code.to_string(),
                fingerprint: card.fingerprint().to_string(),
                ..pb::ApprovePartnerRequest::default()
            })
            .await
            .unwrap();
    }

    /// Dispatches that wait for a partner's receipt.
    pub(crate) async fn outbox(&self) -> Result<u64, Status> {
        let request = pb::ListPartnersRequest {
            grounds: self.grounds(Purpose::Supervision),
        };
        let listed = pb::partners_client::PartnersClient::new(self.channel("supervisor-001"))
            .list_partners(request)
            .await?;
        Ok(listed.into_inner().partners.iter().map(|p| p.outbox).sum())
    }

    /// Waits until every dispatch of this node has its partner's proof. Another process decides when: it is asked again
    /// and again until the deadline.
    pub(crate) async fn drained(&self) {
        let asking = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            while self.outbox().await.unwrap() > 0 {
                ticks.tick().await;
            }
        };
        let drained = tokio::time::timeout(DEADLINE, asking).await;
        assert!(drained.is_ok(), "the outbox of {} is not empty", self.code);
    }

    /// The newest checkpoint, verified with the key that the node was made with.
    pub(crate) async fn checkpoint(&self) -> SignedCheckpoint {
        let request = pb::GetCheckpointRequest {
            grounds: self.grounds(Purpose::Audit),
        };
        let head = pb::audit_client::AuditClient::new(self.channel("auditor-001"))
            .get_checkpoint(request)
            .await
            .unwrap();
        self.vkey.verify(&head.into_inner().checkpoint).unwrap()
    }

    /// Exports the log as an auditor does, and gives its leaves.
    pub(crate) async fn export(&self, to: &Path) -> Vec<Vec<u8>> {
        self.try_export(to).await.unwrap()
    }

    /// As [`Home::export`]; an error is the node's.
    pub(crate) async fn try_export(&self, to: &Path) -> Result<Vec<Vec<u8>>, Status> {
        let checkpoint = self.checkpoint().await;
        let mut writer = TileWriter::create(to).unwrap();
        let request = pb::ReplayRequest {
            grounds: self.grounds(Purpose::Audit),
            from: 0,
            to: checkpoint.size(),
        };
        let mut client = pb::audit_client::AuditClient::new(self.channel("auditor-001"))
            .max_decoding_message_size(MAX_MESSAGE);
        let mut messages = client.replay(request).await?.into_inner();
        let mut leaves = Vec::new();
        while let Some(message) = messages.message().await? {
            assert_eq!(message.first, u64::try_from(leaves.len()).unwrap());
            for leaf in message.leaves {
                writer.push(&leaf).unwrap();
                leaves.push(leaf.to_vec());
            }
        }
        writer.finish(&checkpoint).unwrap();
        Ok(leaves)
    }
}

fn authority(code: Jurisdiction) -> Authority {
    Authority::parse(dev::ca(code).unwrap().certificate.as_bytes()).unwrap()
}

/// What a node logs when it serves.
pub(crate) const UP: &str = "the node is up";

/// Signals that a node understands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Term,
    Hup,
}

/// A process, and all that it said so far on stdout and stderr. Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    text: Mutex<Text>,
    more: Condvar,
}

#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    open_pipes: u8,
}

impl Said {
    fn gather(self: &Arc<Self>, mut pipe: impl Read + Send + 'static) {
        self.text.lock().unwrap().open_pipes += 1;
        let said = Arc::clone(self);
        thread::spawn(move || {
            let mut chunk = [0; 64 * 1024];
            loop {
                let read = match pipe.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => 0,
                    Ok(read) => read,
                };
                let mut text = said.text.lock().unwrap();
                text.bytes.extend_from_slice(&chunk[..read]);
                if read == 0 {
                    text.open_pipes -= 1;
                }
                said.more.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
    }
}

/// How a process ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) said: Vec<u8>,
}

impl Ended {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }
}

impl Process {
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Said::default());
        said.gather(child.stdout.take().unwrap());
        said.gather(child.stderr.take().unwrap());
        Self { child, said }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How often the process has said `words` so far.
    pub(crate) fn count(&self, words: &str) -> usize {
        count(&self.said.text.lock().unwrap().bytes, words)
    }

    /// Whether the process has said `words` so far, or has ended.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        let text = self.said.text.lock().unwrap();
        text.open_pipes == 0 || count(&text.bytes, words) > 0
    }

    /// Waits until the process has said `words`.
    pub(crate) fn wait_for(&self, words: &str) {
        self.wait_for_nth(words, 1);
    }

    /// Waits until the process has said `words` so many times.
    pub(crate) fn wait_for_nth(&self, words: &str, times: usize) {
        let text = self.said.text.lock().unwrap();
        let (text, timeout) = self
            .said
            .more
            .wait_timeout_while(text, DEADLINE, |text| {
                count(&text.bytes, words) < times && text.open_pipes > 0
            })
            .unwrap();
        let said = count(&text.bytes, words) >= times;
        assert!(said && !timeout.timed_out(), "{}", tail(words, &text.bytes));
    }

    /// Waits until the process has said `words`, or has ended without.
    pub(crate) fn comes_to_say(&self, words: &str) -> bool {
        let text = self.said.text.lock().unwrap();
        let (text, timeout) = self
            .said
            .more
            .wait_timeout_while(text, DEADLINE, |text| {
                count(&text.bytes, words) == 0 && text.open_pipes > 0
            })
            .unwrap();
        assert!(!timeout.timed_out(), "{}", tail(words, &text.bytes));
        count(&text.bytes, words) > 0
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Term => "TERM",
            Signal::Hup => "HUP",
        };
        let command = format!("kill -s {name} {}", self.id());
        let sent = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(sent.success(), "{command}");
    }

    /// Bytes that the process handed to write calls so far, to files and sockets. Needs Linux.
    pub(crate) fn written(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.id())).unwrap_or_default();
        let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let text = self.said.text.lock().unwrap();
        let (mut text, timeout) = self
            .said
            .more
            .wait_timeout_while(text, DEADLINE, |text| text.open_pipes > 0)
            .unwrap();
        assert!(!timeout.timed_out(), "{}", tail("its end", &text.bytes));
        let said = std::mem::take(&mut text.bytes);
        drop(text);
        Ended {
            status: self.child.wait().unwrap(),
            said,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn count(said: &[u8], words: &str) -> usize {
    String::from_utf8_lossy(said).matches(words).count()
}

fn tail(waited_for: &str, said: &[u8]) -> String {
    let last = &said[said.len().saturating_sub(4000)..];
    let last = String::from_utf8_lossy(last);
    format!("waited for {waited_for:?}; the process last said:\n{last}")
}
