//! PostgreSQL: a durable insert over mutual TLS, with the settings that it comes with.

use crate::{
    machine,
    measure::{Sample, Window, closed_loop},
    raw::RECORD,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

const USER: &str = "bench";
/// Connections that it is started for, and some to spare.
const CONNECTIONS: usize = 600;

/// A server of our own, started for this run.
pub(crate) struct Postgres {
    process: Child,
    port: u16,
    tls: MakeRustlsConnect,
    clients: Mutex<Vec<Arc<(Client, Statement)>>>,
    pub(crate) version: String,
}

/// Where `initdb` and `postgres` are, if they are installed.
fn binaries() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|item| item.unwrap().path().join("bin"))
        .collect();
    debian.sort();
    places.extend(debian);
    places
        .into_iter()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

/// PostgreSQL refuses to be root.
fn unprivileged(program: &Path) -> Command {
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn own(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let done = Command::new("chown")
            .args(["-R", "nobody:nogroup"])
            .arg(path)
            .status();
        assert!(done.unwrap().success());
    }
}

struct Certificates {
    ca: String,
    server: (String, String),
    client: (CertificateDer<'static>, PrivateKeyDer<'static>),
    roots: rustls::RootCertStore,
}

fn certificates() -> Certificates {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let issue = |name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, server_key) = issue("localhost");
    let (client, client_key) = issue(USER);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    Certificates {
        ca: ca.pem(),
        server: (server.pem(), server_key.serialize_pem()),
        client: (
            client.der().clone(),
            PrivatePkcs8KeyDer::from(client_key.serialize_der()).into(),
        ),
        roots,
    }
}

impl Postgres {
    /// Starts a server in a directory of its own, if one is installed.
    pub(crate) async fn start(dir: &Path) -> Option<Self> {
        let binaries = binaries()?;
        let home = dir.join("postgres");
        fs::create_dir(&home).unwrap();
        let data = home.join("data");
        own(&home);
        let made = unprivileged(&binaries.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--username",
                USER,
                "--auth-local=reject",
                "--auth-host=cert",
            ])
            .args(["--no-instructions", "--encoding=UTF8", "--locale=C"])
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "initdb failed");

        let Certificates {
            ca,
            server,
            client,
            roots,
        } = certificates();
        for (file, text) in [
            ("ca.pem", ca.as_str()),
            ("server.pem", &server.0),
            ("server.key", &server.1),
            // Clients are their certificates: no password, no other way in.
            ("pg_hba.conf", "hostssl all all 127.0.0.1/32 cert\n"),
        ] {
            let path = data.join(file);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        own(&data);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let log = fs::File::create(home.join("log")).unwrap();
        let mut command = unprivileged(&binaries.join("postgres"));
        command.arg("-D").arg(&data);
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            "unix_socket_directories=",
            &format!("max_connections={CONNECTIONS}"),
            "ssl=on",
            "ssl_ca_file=ca.pem",
            "ssl_cert_file=server.pem",
            "ssl_key_file=server.key",
            "ssl_min_protocol_version=TLSv1.3",
            // As they come; said, so that nobody need wonder.
            "fsync=on",
            "synchronous_commit=on",
        ] {
            command.args(["-c", setting]);
        }
        let process = command.stderr(log).spawn().unwrap();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![client.0], client.1)
        .unwrap();
        let mut server = Self {
            process,
            port,
            tls: MakeRustlsConnect::new(config),
            clients: Mutex::default(),
            version: String::new(),
        };
        let client = server.first().await;
        let row = client.query_one("show server_version", &[]).await.unwrap();
        server.version = row.get(0);
        client
            .batch_execute("create table lead (id bigserial primary key, body bytea not null)")
            .await
            .unwrap();
        Some(server)
    }

    pub(crate) fn cpu(&self) -> Duration {
        machine::cpu(self.process.id())
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::Config::new()
            .host("localhost")
            .hostaddr([127, 0, 0, 1].into())
            .port(self.port)
            .user(USER)
            .dbname("postgres")
            .ssl_mode(tokio_postgres::config::SslMode::Require)
            .connect(self.tls.clone())
            .await?;
        tokio::spawn(async move {
            // Ends with the client.
            drop(connection.await);
        });
        Ok(client)
    }

    /// It takes a moment to come up.
    async fn first(&self) -> Client {
        for _ in 0..200 {
            if let Ok(client) = self.connect().await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL did not come up; see its log");
    }

    /// So many connections, each with one prepared insert in flight.
    pub(crate) async fn insert(&self, in_flight: usize, window: Window) -> Sample {
        let mut clients = self.clients.lock().await;
        while clients.len() < in_flight {
            let client = self.connect().await.unwrap();
            let insert = "insert into lead (body) values ($1) returning id";
            let insert = client.prepare(insert).await.unwrap();
            clients.push(Arc::new((client, insert)));
        }
        let body = Arc::new(vec![0x5a_u8; RECORD]);
        let workers = clients
            .iter()
            .take(in_flight)
            .map(|client| {
                let (client, body) = (Arc::clone(client), Arc::clone(&body));
                move || {
                    let (client, body) = (Arc::clone(&client), Arc::clone(&body));
                    async move {
                        let (client, insert) = client.as_ref();
                        client.query_one(insert, &[body.as_ref()]).await.unwrap();
                    }
                }
            })
            .collect();
        closed_loop(workers, window.restarted()).await.0
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // INT is its fast shutdown; it takes its own children with it.
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        drop(self.process.wait());
    }
}
