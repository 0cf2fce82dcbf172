//! `config check` and `serve` say the same of whatever is wrong with a node's configuration and its files.

use super::{
    der,
    processes::{PROGRAM, Process, Signal, UP},
};
use rcgen::{CertificateParams, CustomExtension, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};
use tempfile::TempDir;
use yichuan::{
    cli::demo::cluster::write_node,
    config::{NewNode, render},
    domain::{Clock as _, Jurisdiction, Timestamp},
    node::data_dir,
    telemetry::SystemClock,
    tls::{Ca, CertDir, Revoked, Validity},
};

const DAY: u64 = 24 * 3600;

/// A point in time so many days from now.
fn day(days: i64) -> Timestamp {
    let now = SystemClock.now().seconds();
    let seconds = now.checked_add_signed(days * 24 * 3600).unwrap();
    assert!(seconds > DAY);
    Timestamp::from_millis(seconds * 1000)
}

fn days(from: i64, until: i64) -> Validity {
    Validity {
        not_before: day(from),
        not_after: day(until),
    }
}

/// A node's directory, sound and with a log, and what it was made with.
struct Sound {
    dir: TempDir,
    ca: Ca,
    code: Jurisdiction,
}

/// A copy of it, to be spoilt.
struct Copy<'a> {
    home: PathBuf,
    sound: &'a Sound,
}

impl Sound {
    fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let code: Jurisdiction = "520624".parse().unwrap();
        let home = dir.path().join("sound");
        let certs = home.join("certs");
        let made = CertDir::create(&certs, code, days(-400, 3000), days(-1, 30)).unwrap();
        made.issue("node", days(-1, 300)).unwrap();
        made.issue("officer-001", days(-1, 300)).unwrap();
        let text = render(&NewNode {
            jurisdiction: code,
            name: "思南县公安局",
            address: "127.0.0.1:0".parse().unwrap(),
            endpoint: &"https://127.0.0.1:7443".parse().unwrap(),
            admin: "127.0.0.1:0".parse().unwrap(),
            partners: &[],
        });
        fs::write(home.join("node.toml"), text).unwrap();
        data_dir::create(&home.join("data"), code).unwrap();
        let ca = made.ca().unwrap();
        let sound = Self { dir, ca, code };
        assert_eq!(started(&home), Ok(()));
        sound
    }

    fn copy(&self, name: &str) -> Copy<'_> {
        let home = self.dir.path().join(name);
        let from = self.dir.path().join("sound");
        let copied = Command::new("cp").arg("-a").args([&from, &home]).status();
        assert!(copied.unwrap().success());
        Copy { home, sound: self }
    }
}

impl Copy<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        self.write(name, bytes);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A key of the configuration with another value.
    fn set(&self, key: &str, value: &str) {
        let text = fs::read_to_string(self.path("node.toml")).unwrap();
        let is_key = |line: &&str| line.split(" = ").next() == Some(key);
        assert!(text.lines().any(|line| is_key(&line)), "{key}");
        let line = |line: &str| match is_key(&line) {
            true => format!("{key} = {value}\n"),
            false => format!("{line}\n"),
        };
        self.write("node.toml", text.lines().map(line).collect::<String>());
    }

    /// A certificate of the node as `change` leaves it, and its key.
    fn forge(&self, ca: &Ca, change: impl FnOnce(&mut CertificateParams)) {
        let ca_key = KeyPair::from_pem(&ca.key_pem()).unwrap();
        let issuer = Issuer::from_ca_cert_pem(ca.certificate_pem(), ca_key).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        let id = SanType::URI("spiffe://520624.yichuan/node".try_into().unwrap());
        let name = SanType::DnsName("520624.yichuan".try_into().unwrap());
        params.subject_alt_names = vec![id, name];
        change(&mut params);
        let leaf = params.signed_by(&key, &issuer).unwrap();
        self.write("certs/node.pem", leaf.pem());
        self.write("certs/node.key", key.serialize_pem());
    }

    fn issue(&self, ca: &Ca, validity: Validity) -> String {
        let node = yichuan::access::Principal::node(ca.authority().jurisdiction());
        let issued = ca.issue(&node, validity).unwrap();
        self.write("certs/node.pem", &issued.certificate);
        self.write("certs/node.key", &*issued.key);
        issued.serial
    }

    fn list(&self, ca: &Ca, revoked: &[&str], validity: Validity) {
        let revoked = revoked.iter().map(|serial| Revoked {
            serial: hex::decode(serial).unwrap(),
            at: day(-1),
        });
        let list = ca.crl(9, &revoked.collect::<Vec<_>>(), validity).unwrap();
        self.write("certs/ca.crl", list);
    }

    fn list_with(&self, oid: &[u8], value: &[u8]) {
        let pem = fs::read(self.path("certs/ca.crl")).unwrap();
        let list = CertificateRevocationListDer::from_pem_slice(&pem).unwrap();
        let extension = der::extension(oid, true, value);
        let key = self.sound.ca.key_pem();
        self.write(
            "certs/ca.crl",
            der::with_extension(&list, 0xa0, &extension, &key),
        );
    }

    fn ca_with(&self, oid: &[u8], value: &[u8]) {
        let pem = self.sound.ca.certificate_pem().as_bytes();
        let ca = CertificateDer::from_pem_slice(pem).unwrap();
        let extension = der::extension(oid, true, value);
        let key = self.sound.ca.key_pem();
        self.write(
            "certs/ca.pem",
            der::with_extension(&ca, 0xa3, &extension, &key),
        );
    }
}

/// The program in this home and in no others' surroundings.
fn program(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .env("LANG", "C.UTF-8")
        .current_dir(home)
        .args(["--lang", "en", "--config", "node.toml"])
        .args(args);
    command
}

/// What `serve` says where it does not come up.
fn started(home: &Path) -> Result<(), String> {
    let process = Process::spawn(program(home, &["serve"]));
    let up = process.comes_to_say(UP);
    if up {
        process.signal(Signal::Term);
    }
    let ended = process.ended();
    match up {
        true => assert!(ended.status.success(), "{}", ended.text()),
        false => assert_eq!(ended.status.code(), Some(78), "{}", ended.text()),
    }
    if up { Ok(()) } else { Err(ended.text()) }
}

/// What `config check` says where it finds something wrong.
fn checked(home: &Path) -> Result<(), String> {
    let ran = program(home, &["--format", "json", "config", "check"]).output();
    let ran = ran.unwrap();
    let said = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
    match ran.status.code() {
        Some(0) => Ok(()),
        Some(78) => Err(said),
        other => panic!("{other:?}: {said}"),
    }
}

/// A name, how the copy is spoilt, and a word of what both must say; none where a node starts.
type Case = (&'static str, fn(&Copy<'_>), Option<&'static str>);

const CASES: &[Case] = &[
    ("sound", |_| {}, None),
    // Modes.
    ("data 0755", |c| c.mode("data", 0o755), Some("chmod 700")),
    ("data 0710", |c| c.mode("data", 0o710), Some("chmod 700")),
    (
        "log.key 0644",
        |c| c.mode("data/log.key", 0o644),
        Some("chmod 600"),
    ),
    (
        "bucket.keys 0640",
        |c| c.mode("data/bucket.keys", 0o640),
        Some("chmod 600"),
    ),
    (
        "node.key 0644",
        |c| c.mode("certs/node.key", 0o644),
        Some("chmod 600"),
    ),
    (
        "node.key 0604",
        |c| c.mode("certs/node.key", 0o604),
        Some("chmod 600"),
    ),
    (
        "certificates are public",
        |c| c.mode("certs/node.pem", 0o666),
        None,
    ),
    // Keys of the configuration.
    (
        "jurisdiction",
        |c| c.set("jurisdiction", "\"440000\""),
        Some("440000"),
    ),
    (
        "no jurisdiction",
        |c| c.set("jurisdiction", "\"12\""),
        Some("node.toml"),
    ),
    ("name", |c| c.set("name", "\" \""), Some("name")),
    ("data", |c| c.set("data", "\"nowhere\""), Some("no log key")),
    (
        "address",
        |c| c.set("address", "\"192.0.2.1:7443\""),
        Some("cannot listen"),
    ),
    (
        "address everywhere",
        |c| c.set("address", "\"0.0.0.0:0\""),
        None,
    ),
    (
        "admin",
        |c| c.set("admin", "\"0.0.0.0:0\""),
        Some("loopback"),
    ),
    (
        "endpoint",
        |c| c.set("endpoint", "\"http://x\""),
        Some("endpoint"),
    ),
    (
        "cert",
        |c| c.set("cert", "\"certs/ca.pem\""),
        Some("authority's"),
    ),
    (
        "cert of an officer",
        |c| {
            c.set("cert", "\"certs/officer-001.pem\"");
            c.set("key", "\"certs/officer-001.key\"");
        },
        Some("not that of a node"),
    ),
    (
        "key",
        |c| c.set("key", "\"certs/officer-001.key\""),
        Some("does not belong"),
    ),
    (
        "key is no key",
        |c| c.set("key", "\"certs/node.pem\""),
        Some("holds a certificate"),
    ),
    ("ca", |c| c.set("ca", "\"certs/node.pem\""), Some("CA flag")),
    (
        "crl",
        |c| c.set("crl", "\"certs/ca.pem\""),
        Some("holds a certificate"),
    ),
    (
        "require_hybrid",
        |c| c.set("require_hybrid", "\"yes\""),
        Some("require_hybrid"),
    ),
    (
        "require_hybrid off",
        |c| c.set("require_hybrid", "\"off\""),
        None,
    ),
    (
        "auditors",
        |c| c.set("auditors", "[\"spiffe://520624.yichuan/officer/001\"]"),
        Some("access.auditors"),
    ),
    (
        "units",
        |c| c.set("units", "{ narcotics = [] }"),
        Some("narcotics"),
    ),
    (
        "no connections",
        |c| c.set("connections", "0"),
        Some("expected a nonzero"),
    ),
    (
        "connections",
        |c| c.set("connections", "4000000000"),
        Some("limits.connections"),
    ),
    (
        "handshakes",
        |c| c.set("handshakes", "4000000000"),
        Some("limits.handshakes"),
    ),
    (
        "drain_s",
        |c| c.set("drain_s", "\"long\""),
        Some("expected u32"),
    ),
    (
        "quota",
        |c| c.set("streams", "0"),
        Some("expected a nonzero"),
    ),
    (
        "unknown key",
        |c| c.change("node.toml", |t| t.extend(b"\n[extra]\n")),
        Some("extra"),
    ),
    // The node's certificate.
    (
        "no certificate",
        |c| fs::remove_file(c.path("certs/node.pem")).unwrap(),
        Some("node.pem"),
    ),
    ("empty", |c| c.write("certs/node.pem", ""), Some("empty")),
    (
        "cut",
        |c| c.change("certs/node.pem", |t| t.truncate(t.len() / 2)),
        Some("cut off"),
    ),
    (
        "two",
        |c| c.change("certs/node.pem", |t| t.extend(t.clone())),
        Some("holds more"),
    ),
    (
        "byte order mark",
        |c| c.change("certs/node.pem", |t| drop(t.splice(..0, *b"\xef\xbb\xbf"))),
        None,
    ),
    (
        "text before",
        |c| {
            c.change("certs/node.pem", |t| {
                drop(t.splice(..0, *b"subject=node\n"))
            })
        },
        None,
    ),
    (
        "expired",
        |c| drop(c.issue(&c.sound.ca, days(-300, -1))),
        Some("expired on"),
    ),
    (
        "not yet",
        |c| drop(c.issue(&c.sound.ca, days(10, 20))),
        Some("does not hold yet"),
    ),
    (
        "of another CA of that name",
        |c| {
            let twin = Ca::create(c.sound.code, days(-1, 30)).unwrap();
            c.issue(&twin, days(0, 20));
        },
        Some("not signed by the CA"),
    ),
    (
        "without its DNS name",
        |c| c.forge(&c.sound.ca, |p| p.subject_alt_names.truncate(1)),
        Some("DNS name"),
    ),
    (
        "for clients alone",
        |c| {
            c.forge(&c.sound.ca, |p| {
                p.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
            })
        },
        Some("extended key usage"),
    ),
    (
        "critical extension",
        |c| {
            c.forge(&c.sound.ca, |p| {
                let mut unknown =
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 65_535, 1], vec![5, 0]);
                unknown.set_criticality(true);
                p.custom_extensions = vec![unknown];
            })
        },
        Some("critical extension"),
    ),
    (
        "encrypted key",
        |c| {
            c.change("certs/node.key", |t| {
                *t = String::from_utf8_lossy(t)
                    .replace("PRIVATE", "ENCRYPTED PRIVATE")
                    .into_bytes();
            })
        },
        Some("passphrase"),
    ),
    (
        "UTF-16 key",
        |c| {
            c.change("certs/node.key", |t| {
                *t = [0xff, 0xfe]
                    .into_iter()
                    .chain(t.iter().flat_map(|b| [*b, 0]))
                    .collect();
            })
        },
        Some("UTF-16"),
    ),
    // The CA and its list.
    (
        "no CA",
        |c| fs::remove_file(c.path("certs/ca.pem")).unwrap(),
        Some("ca.pem"),
    ),
    (
        "CA in DER",
        |c| c.write("certs/ca.pem", c.sound.ca.authority().der()),
        None,
    ),
    (
        "CA with a byte order mark",
        |c| c.change("certs/ca.pem", |t| drop(t.splice(..0, *b"\xef\xbb\xbf"))),
        None,
    ),
    // permittedSubtrees: dNSName example.
    (
        "name constraints",
        |c| {
            c.ca_with(
                der::NAME_CONSTRAINTS,
                b"\x30\x0d\xa0\x0b\x30\x09\x82\x07example",
            )
        },
        Some("node"),
    ),
    (
        // Of a CA that is trusted by itself, webpki reads name, key and constraints.
        "CA with a critical extension",
        |c| c.ca_with(der::UNKNOWN, &[5, 0]),
        None,
    ),
    (
        "no list",
        |c| fs::remove_file(c.path("certs/ca.crl")).unwrap(),
        Some("ca.crl"),
    ),
    (
        "expired list",
        |c| c.list(&c.sound.ca, &[], days(-20, -1)),
        None,
    ),
    (
        "revoked",
        |c| {
            let serial = c.issue(&c.sound.ca, days(-1, 20));
            c.list(&c.sound.ca, &[&serial], days(-1, 20));
        },
        Some("revoked"),
    ),
    (
        "list of another CA of that name",
        |c| {
            let twin = Ca::create(c.sound.code, days(-1, 30)).unwrap();
            c.list(&twin, &[], days(0, 20));
        },
        Some("not signed with the key"),
    ),
    (
        "delta list",
        |c| c.list_with(der::DELTA, &[2, 1, 0]),
        Some("delta"),
    ),
    (
        "list with a critical extension",
        |c| c.list_with(der::UNKNOWN, &[5, 0]),
        Some("critical extension"),
    ),
    (
        "list for leaves",
        |c| c.list_with(der::DISTRIBUTION_POINT, der::ONLY_LEAVES),
        Some("cannot be used"),
    ),
    (
        // webpki takes it for certificates that name no point.
        "list for one distribution point",
        |c| c.list_with(der::DISTRIBUTION_POINT, der::ONE_POINT),
        None,
    ),
    // The data directory.
    (
        "one port for both",
        |c| {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            c.set("address", &format!("\"0.0.0.0:{port}\""));
            c.set("admin", &format!("\"127.0.0.1:{port}\""));
        },
        Some("give one of the two another port"),
    ),
    (
        "no log.key",
        |c| fs::remove_file(c.path("data/log.key")).unwrap(),
        Some("no log key"),
    ),
    (
        "log.key cut",
        |c| c.change("data/log.key", |t| t.truncate(30)),
        Some("not a log key file"),
    ),
    (
        "another log.key",
        |c| {
            let other = c.path("other");
            data_dir::create(&other, c.sound.code).unwrap();
            fs::copy(other.join("log.key"), c.path("data/log.key")).unwrap();
        },
        Some("does not make the verifier key"),
    ),
    (
        "the log of another jurisdiction",
        |c| {
            fs::remove_dir_all(c.path("data")).unwrap();
            data_dir::create(&c.path("data"), "440000".parse().unwrap()).unwrap();
        },
        Some("440000.yichuan/log/1"),
    ),
    (
        "no vkey",
        |c| fs::remove_file(c.path("data/vkey")).unwrap(),
        None,
    ),
    (
        "vkey",
        |c| c.change("data/vkey", |t| t[0] = b'4'),
        Some("verifier key"),
    ),
];

#[test]
fn regression_config_check_and_serve_agree_on_all_that_can_be_wrong() {
    let sound = Sound::make();
    let next = Mutex::new(CASES.iter().enumerate());
    let faults = Mutex::new(Vec::new());
    let work = || {
        loop {
            let taken = next.lock().unwrap().next();
            let Some((at, (name, spoil, word))) = taken else {
                return;
            };
            let copy = sound.copy(&at.to_string());
            spoil(&copy);
            let (checked, started) = (checked(&copy.home), started(&copy.home));
            let agree = match (word, &checked, &started) {
                (None, Ok(()), Ok(())) => true,
                (Some(word), Err(checked), Err(started)) => {
                    checked.contains(word) && started.contains(word)
                }
                _ => false,
            };
            if !agree {
                let said = format!("{name}:\nconfig check: {checked:?}\nserve: {started:?}");
                faults.lock().unwrap().push(said);
            }
            fs::remove_dir_all(&copy.home).unwrap();
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Development certificates need no secrecy, and no network.
#[test]
fn development_certificates_are_taken_with_any_mode_and_on_loopback_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("node");
    let code = "520624".parse().unwrap();
    let config = write_node(&home, code, "127.0.0.1:1").unwrap();
    data_dir::create(&config.data, code).unwrap();
    fs::set_permissions(&config.tls.key, fs::Permissions::from_mode(0o644)).unwrap();
    let text = fs::read_to_string(&config.path).unwrap();
    let listen_on = |ip: &str| {
        let address = format!("address = \"{ip}:0\"");
        let changed = text.replace("address = \"127.0.0.1:1\"", &address);
        assert_ne!(changed, text);
        fs::write(&config.path, changed).unwrap();
    };
    listen_on("127.0.0.1");
    assert_eq!((checked(&home), started(&home)), (Ok(()), Ok(())));
    listen_on("0.0.0.0");
    for said in [checked(&home), started(&home)] {
        assert!(said.unwrap_err().contains("certs-dev/"));
    }
}
