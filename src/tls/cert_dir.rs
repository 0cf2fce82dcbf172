//! The directory of a CA: `ca.pem`, `ca.key`, `ca.crl`, one `<name>.pem` and `<name>.key` for each certificate, and
//! `issued.tsv`, the index of everything that was ever issued.

use super::{
    authority::Authority,
    crl::{Crl, CrlError},
    dev,
    issue::{Ca, IssueError, Revoked, Validity},
};
use crate::{
    access::{MalformedPrincipal, Principal, Role},
    domain::{Jurisdiction, Timestamp},
    store::{ExposedPath, durable, require_private},
};
use rustix::fs::{Mode, OFlags};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const CRL: &str = "ca.crl";
const INDEX: &str = "issued.tsv";
const INDEX_HEADER: &str = "serial\tname\tprincipal\tnot_before\tnot_after\trevoked";

/// Why an operation on a CA's directory failed.
#[derive(Debug, thiserror::Error)]
pub enum CertDirError {
    /// A file could not be read or written.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is a CA already.
    #[error("{0} exists; a CA is never overwritten. Choose another directory")]
    Exists(String),
    /// Not the name of a certificate.
    #[error(
        "not a certificate's name: {0:?}; expected node, or officer-001, supervisor-001, auditor-001, admin-001"
    )]
    Name(String),
    /// There is nothing to revoke.
    #[error("no certificate named or numbered {0:?} that is not revoked; `certs show` lists them")]
    Unknown(String),
    /// The index is damaged.
    #[error("{path}, line {line}: not a line of the index; restore it from a backup")]
    Index {
        /// The index file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// The CA's list is damaged.
    #[error("{CRL}: {0}")]
    Crl(#[from] CrlError),
    /// Others can read the CA's key.
    #[error(transparent)]
    Exposed(#[from] ExposedPath),
    /// The CA refused.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// A certificate in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Serial number, lowercase hexadecimal.
    pub serial: String,
    /// The name of its files: `officer-001`.
    pub name: String,
    /// Whose it is.
    pub principal: Principal,
    /// Its validity.
    pub validity: Validity,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

/// A CA's directory.
#[derive(Clone, Debug)]
pub struct CertDir {
    path: PathBuf,
    authority: Authority,
}

impl CertDir {
    /// Creates a CA in a directory, with an empty revocation list.
    ///
    /// # Errors
    /// There is a CA already, or files cannot be written.
    pub fn create(
        path: &Path,
        jurisdiction: Jurisdiction,
        validity: Validity,
        crl: Validity,
    ) -> Result<Self, CertDirError> {
        for name in [CA, CA_KEY, INDEX] {
            let file = path.join(name);
            if file.exists() {
                return Err(CertDirError::Exists(file.display().to_string()));
            }
        }
        durable::create_directory(path, 0o777).map_err(|e| failed("write", path, e))?;
        let ca = Ca::create(jurisdiction, validity)?;
        let dir = Self {
            path: path.to_owned(),
            authority: ca.authority().clone(),
        };
        dir.write(CA_KEY, ca.key_pem().as_bytes(), SECRET)?;
        dir.write_index(&[])?;
        dir.write(CRL, ca.crl(1, &[], crl)?.as_bytes(), PUBLIC)?;
        // Last: a directory with a CA certificate is complete.
        dir.write(CA, ca.certificate_pem().as_bytes(), PUBLIC)?;
        Ok(dir)
    }

    /// Opens a directory. The CA key is not read.
    ///
    /// # Errors
    /// There is no CA certificate.
    pub fn open(path: &Path) -> Result<Self, CertDirError> {
        let file = path.join(CA);
        let pem = fs::read(&file).map_err(|e| failed("read", &file, e))?;
        Ok(Self {
            path: path.to_owned(),
            authority: Authority::parse(&pem).map_err(IssueError::from)?,
        })
    }

    /// Its CA's certificate.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Its CA with its key.
    ///
    /// # Errors
    /// There is no key, it is another CA's, or others can read it: they could issue any certificate.
    pub fn ca(&self) -> Result<Ca, CertDirError> {
        // The keys of certs-dev/ are public anyway.
        if !dev::is_dev_ca(&self.authority) {
            require_private(&self.path.join(CA_KEY), 0o600)?;
        }
        let key = Zeroizing::new(self.read(CA_KEY)?);
        Ok(Ca::from_pem(&self.read(CA)?, &key)?)
    }

    /// Its revocation list.
    ///
    /// # Errors
    /// There is no list, or it is another CA's.
    pub fn crl(&self) -> Result<Crl, CertDirError> {
        Ok(Crl::parse(self.read(CRL)?.as_bytes(), &self.authority)?)
    }

    /// Everything that was ever issued, oldest first.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn index(&self) -> Result<Vec<IndexEntry>, CertDirError> {
        let text = self.read(INDEX)?;
        let mut lines = text.lines().enumerate();
        let damaged = |line: usize| CertDirError::Index {
            path: self.path.join(INDEX).display().to_string(),
            line: line + 1,
        };
        match lines.next() {
            Some((_, INDEX_HEADER)) => {}
            _ => return Err(damaged(0)),
        }
        lines
            .map(|(at, line)| parse_entry(line).ok_or_else(|| damaged(at)))
            .collect()
    }

    /// Issues a certificate by its name (`node`, `officer-001`). An existing certificate of that name is replaced on
    /// disk and stays valid: revoke it if it must not be.
    ///
    /// # Errors
    /// Not a name, a validity beyond the CA's, or a file cannot be written.
    pub fn issue(&self, name: &str, validity: Validity) -> Result<IndexEntry, CertDirError> {
        let principal = principal_named(self.authority.jurisdiction(), name)
            .map_err(|_| CertDirError::Name(name.to_owned()))?;
        let issued = self.ca()?.issue(&principal, validity)?;
        let entry = IndexEntry {
            serial: issued.serial,
            name: name.to_owned(),
            principal,
            validity,
            revoked: None,
        };
        // Indexed before it exists, so that every certificate can be revoked.
        let mut index = self.index()?;
        index.push(entry.clone());
        self.write_index(&index)?;
        self.write(&format!("{name}.key"), issued.key.as_bytes(), SECRET)?;
        self.write(
            &format!("{name}.pem"),
            issued.certificate.as_bytes(),
            PUBLIC,
        )?;
        Ok(entry)
    }

    /// Revokes certificates, each by its serial number or all by their name, and writes the next list, which is valid
    /// as `crl` says. With nothing to revoke it renews the list.
    ///
    /// # Errors
    /// There is nothing to revoke under a name or number, or a file cannot be written.
    pub fn revoke(
        &self,
        selected: &[String],
        crl: Validity,
    ) -> Result<Vec<IndexEntry>, CertDirError> {
        let ca = self.ca()?;
        let mut index = self.index()?;
        let mut revoked = Vec::new();
        for selector in selected {
            let before = revoked.len();
            for entry in index.iter_mut().filter(|e| e.revoked.is_none()) {
                if entry.name == *selector || entry.serial == *selector {
                    entry.revoked = Some(crl.not_before);
                    revoked.push(entry.clone());
                }
            }
            if revoked.len() == before {
                return Err(CertDirError::Unknown(selector.clone()));
            }
        }
        let serials = index.iter().filter_map(|entry| {
            Some(Revoked {
                serial: hex::decode(&entry.serial).ok()?,
                at: entry.revoked?,
            })
        });
        let list = ca.crl(self.crl()?.number() + 1, &serials.collect::<Vec<_>>(), crl)?;
        // The index first: the list can be made from it again.
        self.write_index(&index)?;
        self.write(CRL, list.as_bytes(), PUBLIC)?;
        Ok(revoked)
    }

    fn read(&self, name: &str) -> Result<String, CertDirError> {
        let file = self.path.join(name);
        fs::read_to_string(&file).map_err(|e| failed("read", &file, e))
    }

    fn write_index(&self, index: &[IndexEntry]) -> Result<(), CertDirError> {
        let mut text = format!("{INDEX_HEADER}\n");
        for entry in index {
            text.push_str(&print_entry(entry));
            text.push('\n');
        }
        self.write(INDEX, text.as_bytes(), PUBLIC)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: Mode) -> Result<(), CertDirError> {
        replace(&self.path, name, bytes, mode)
            .map_err(|source| failed("write", &self.path.join(name), source))
    }
}

const SECRET: Mode = Mode::from_raw_mode(0o600);
const PUBLIC: Mode = Mode::from_raw_mode(0o644);

/// Writes a file completely or not at all, and durably.
fn replace(directory: &Path, name: &str, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let temporary = directory.join(format!(".{name}.new"));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(&temporary, flags, mode)?);
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    File::open(directory)?.sync_all()
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> CertDirError {
    CertDirError::File {
        what,
        path: path.display().to_string(),
        source,
    }
}

/// The principal of a jurisdiction whose files have this name: `node`, `officer-001`.
///
/// # Errors
/// The name is not of this form.
pub fn principal_named(
    jurisdiction: Jurisdiction,
    name: &str,
) -> Result<Principal, MalformedPrincipal> {
    if name == Role::Node.as_str() {
        return Ok(Principal::node(jurisdiction));
    }
    let (role, number) = name.split_once('-').ok_or(MalformedPrincipal::Role)?;
    let role = [Role::Officer, Role::Supervisor, Role::Auditor, Role::Admin]
        .into_iter()
        .find(|known| known.as_str() == role)
        .ok_or(MalformedPrincipal::Role)?;
    Principal::person(jurisdiction, role, number)
}

fn print_entry(entry: &IndexEntry) -> String {
    let time = |t: Timestamp| utc(t).unwrap_or_default();
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}",
        entry.serial,
        entry.name,
        entry.principal,
        time(entry.validity.not_before),
        time(entry.validity.not_after),
        entry.revoked.map_or_else(|| "-".to_owned(), time),
    )
}

fn parse_entry(line: &str) -> Option<IndexEntry> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let entry = IndexEntry {
        serial: next().filter(|s| hex::decode(s).is_ok())?.to_owned(),
        name: next()?.to_owned(),
        principal: next()?.parse().ok()?,
        validity: Validity {
            not_before: parse_utc(next()?)?,
            not_after: parse_utc(next()?)?,
        },
        revoked: match next()? {
            "-" => None,
            at => Some(parse_utc(at)?),
        },
    };
    fields.next().is_none().then_some(entry)
}

/// `2026-01-01T00:00:00Z`.
fn utc(time: Timestamp) -> Option<String> {
    let seconds = i64::try_from(time.seconds()).ok()?;
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_string())
}

fn parse_utc(text: &str) -> Option<Timestamp> {
    let seconds = text.parse::<jiff::Timestamp>().ok()?.as_second();
    Some(Timestamp::from_millis(0).plus_seconds(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Credentials;
    use std::os::unix::fs::PermissionsExt;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000).plus_seconds(seconds)
    }

    fn dir() -> (tempfile::TempDir, CertDir) {
        let temp = tempfile::tempdir().unwrap();
        let code = "520624".parse().unwrap();
        let crl = Validity::days(at(0), 30);
        let dir = CertDir::create(temp.path(), code, Validity::days(at(0), 100), crl).unwrap();
        (temp, dir)
    }

    #[test]
    fn keys_are_for_their_owner_alone_and_fit_their_certificates() {
        let (temp, dir) = dir();
        dir.issue("officer-001", Validity::days(at(0), 10)).unwrap();
        for key in ["ca.key", "officer-001.key"] {
            let mode = fs::metadata(temp.path().join(key)).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{key}");
        }
        let pem = |ext: &str| temp.path().join(format!("officer-001.{ext}"));
        let credentials = Credentials::load(&pem("pem"), &pem("key")).unwrap();
        assert_eq!(
            credentials.identity().principal().to_string(),
            "spiffe://520624.yichuan/officer/001"
        );
        let [entry] = &*dir.index().unwrap() else {
            panic!("one entry");
        };
        assert_eq!(hex::encode(credentials.identity().serial()), entry.serial);
    }

    #[test]
    fn regression_a_ca_whose_key_others_can_read_issues_nothing() {
        let (temp, dir) = dir();
        let (key, days) = (temp.path().join(CA_KEY), Validity::days(at(0), 10));
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            let refused = dir.issue("officer-001", days).unwrap_err();
            assert!(matches!(&refused, CertDirError::Exposed(it) if it.mode == mode));
            assert!(matches!(
                dir.revoke(&[], days),
                Err(CertDirError::Exposed(_))
            ));
        }
        assert_eq!(dir.index().unwrap(), []);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        dir.issue("officer-001", days).unwrap();
    }

    #[test]
    fn a_ca_is_never_overwritten() {
        let (temp, dir) = dir();
        let days = Validity::days(at(0), 1);
        let again = CertDir::create(temp.path(), "520624".parse().unwrap(), days, days);
        assert!(matches!(again, Err(CertDirError::Exists(_))));
        assert_eq!(
            CertDir::open(temp.path()).unwrap().authority(),
            dir.authority()
        );
    }

    #[test]
    fn a_renewed_certificate_can_be_told_from_the_old_one() {
        let (_temp, dir) = dir();
        let validity = Validity::days(at(0), 10);
        let old = dir.issue("node", validity).unwrap();
        let new = dir.issue("node", validity).unwrap();
        let crl = Validity::days(at(60), 30);
        let revoked = dir.revoke(std::slice::from_ref(&old.serial), crl).unwrap();
        assert_eq!(revoked.len(), 1);
        assert_eq!(dir.crl().unwrap().number(), 2);
        assert_eq!(dir.crl().unwrap().revoked(), 1);
        let index = dir.index().unwrap();
        assert_eq!(index[0].revoked, Some(at(60)));
        assert_eq!(index[1], new);
        // Nothing is left to revoke of the old one; the list and the index stay as they are.
        let again = dir.revoke(&[old.serial], crl);
        assert!(matches!(again, Err(CertDirError::Unknown(_))));
        assert_eq!(dir.crl().unwrap().number(), 2);
        // Renewed, it still revokes.
        dir.revoke(&[], Validity::days(at(120), 30)).unwrap();
        assert_eq!(dir.crl().unwrap().number(), 3);
        assert_eq!(dir.crl().unwrap().revoked(), 1);
    }

    #[test]
    fn nothing_outlives_its_ca_and_nobody_has_another_name() {
        let (_temp, dir) = dir();
        let beyond = dir.issue("node", Validity::days(at(0), 101));
        assert!(matches!(
            beyond,
            Err(CertDirError::Issue(IssueError::Validity))
        ));
        for name in [
            "",
            "ca",
            "officer",
            "officer-",
            "chief-1",
            "node-1",
            "../x",
            "officer-a/b",
        ] {
            let issued = dir.issue(name, Validity::days(at(0), 1));
            assert!(matches!(issued, Err(CertDirError::Name(_))), "{name}");
        }
        assert_eq!(dir.index().unwrap(), []);
    }
}
