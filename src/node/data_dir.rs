//! A node's data directory.
//!
//! | path | what | backup |
//! |---|---|---|
//! | `sled/`, `lock` | the store | with the node stopped |
//! | `checkpoint` | the newest published checkpoint | beside the store's |
//! | `log.key` | the log's signing key | once, apart |
//! | `vkey` | the log's verifier key, public | |
//! | `bucket.keys` | bucket keys: without them no payload opens | apart from the store's, as their loss is what purges |
//! | `views.rebuilt/` | only while `audit replay --rebuild` runs | |

use crate::{
    domain::Jurisdiction,
    log::{self, OpenError},
    note::{LogSigner, SignerError, VerifierKey},
    store::{
        ExposedPath, OpenStoreError, SledStore,
        durable::{create_directory, sync_directory, write_whole},
        require_private,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const HEADER: &str = "yichuan log key v1";

/// What [`create`] leaves in the data directory if it is interrupted.
pub const BEFORE_KEY: [&str; 3] = ["vkey", "vkey.new", "log.key.new"];

/// The data directory could not be created or read.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The file system failed.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a node already.
    #[error("{} has a log key already; a node's data directory is made once", .0.display())]
    Exists(PathBuf),
    /// There is no node.
    #[error("{} has no log key; make the node with `yichuan init`", .0.display())]
    NotANode(PathBuf),
    /// The log key file is malformed.
    #[error("{} is not a log key file; restore it from its backup", .0.display())]
    Malformed(PathBuf),
    /// The log key does not belong to the verifier key that was announced.
    #[error(
        "the key in {} does not make the verifier key in {}: one of the two is damaged or of another node; restore it \
         from its backup",
        path.display(),
        public.display()
    )]
    OtherKey {
        /// The log key.
        path: PathBuf,
        /// The verifier key.
        public: PathBuf,
    },
    /// No key can be generated.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// Others can read a secret.
    #[error(transparent)]
    Exposed(#[from] ExposedPath),
    /// The key belongs to another node's log.
    #[error(
        "{} is the key of the log {origin}, but this is the node of {own}: name its own directory under `data`",
        path.display()
    )]
    Foreign {
        /// The log key.
        path: PathBuf,
        /// The log that it belongs to.
        origin: String,
        /// The node's jurisdiction.
        own: Jurisdiction,
    },
}

/// Paths in a data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    data: PathBuf,
}

impl DataDir {
    /// The paths in this directory.
    pub fn at(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
        }
    }

    /// The store's directory.
    pub fn store(&self) -> &Path {
        &self.data
    }

    /// The checkpoint file.
    pub fn checkpoint(&self) -> PathBuf {
        self.data.join("checkpoint")
    }

    /// The bucket keys.
    pub fn bucket_keys(&self) -> PathBuf {
        self.data.join("bucket.keys")
    }

    /// The log's verifier key.
    pub fn vkey(&self) -> PathBuf {
        self.data.join("vkey")
    }

    /// Where views are rebuilt, while that takes.
    pub fn rebuilt_views(&self) -> PathBuf {
        self.data.join("views.rebuilt")
    }

    /// The log's signing key.
    pub fn log_key(&self) -> PathBuf {
        self.data.join("log.key")
    }

    /// Refuses a data directory, or keys in it, that others can get at.
    ///
    /// # Errors
    /// [`DataDirError::Exposed`].
    pub fn require_private(&self) -> Result<(), DataDirError> {
        match self.exposed().into_iter().next() {
            Some(exposed) => Err(exposed.into()),
            None => Ok(()),
        }
    }

    /// Everything in it that others can get at.
    pub fn exposed(&self) -> Vec<ExposedPath> {
        let secrets = [
            (self.data.clone(), 0o700),
            (self.log_key(), 0o600),
            (self.bucket_keys(), 0o600),
        ];
        let looked = secrets
            .iter()
            .map(|(path, wanted)| require_private(path, *wanted));
        looked.filter_map(Result::err).collect()
    }

    /// Refuses the key of another jurisdiction's log.
    ///
    /// # Errors
    /// [`DataDirError::Foreign`].
    pub(super) fn of(&self, own: Jurisdiction, signer: &LogSigner) -> Result<(), DataDirError> {
        let origin = signer.origin();
        match origin.starts_with(&format!("{}/", own.trust_domain())) {
            true => Ok(()),
            false => Err(DataDirError::Foreign {
                path: self.log_key(),
                origin: origin.to_owned(),
                own,
            }),
        }
    }

    /// Opens the store. A storage error, including one on closing, leaves the failure marker, so that nothing opens the
    /// store again as if nothing had happened (I2). If the marker is there, the store stays untouched for `doctor`:
    /// sled writes to whatever it opens, and truncates what it cannot read.
    ///
    /// # Errors
    /// A storage error closed the log before; otherwise as [`SledStore::open`].
    pub fn open_store<E: From<OpenError> + From<OpenStoreError>>(&self) -> Result<SledStore, E> {
        log::refuse_if_failed(&self.checkpoint())?;
        let opened = SledStore::open(self.store()).inspect_err(|error| {
            if let OpenStoreError::Storage { .. } = error {
                log::write_failure_marker(&self.checkpoint(), error);
            }
        });
        let mut store = opened?;
        let checkpoint = self.checkpoint();
        store.when_closing_fails(move |error| log::write_failure_marker(&checkpoint, error));
        Ok(store)
    }

    /// The log's signer.
    ///
    /// # Errors
    /// There is no node here, or its key file is malformed, or does not belong to `vkey`.
    pub fn signer(&self) -> Result<LogSigner, DataDirError> {
        let signer = self.signer_alone()?;
        // The key file has no checksum: with a flipped bit in it, another log would be begun than the one announced.
        let (path, public) = (self.log_key(), self.vkey());
        match fs::read(&public) {
            Ok(text) if text.trim_ascii() == signer.verifier_key().to_string().as_bytes() => {
                Ok(signer)
            }
            Ok(_) => Err(DataDirError::OtherKey { path, public }),
            // The public key can be made again from the private one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(signer),
            Err(source) => Err(DataDirError::Io {
                doing: "read",
                path: public,
                source,
            }),
        }
    }

    /// As [`DataDir::signer`], without comparing it with `vkey`: for finding out which of the two is damaged.
    ///
    /// # Errors
    /// There is no node here, or its key file is malformed.
    pub fn signer_alone(&self) -> Result<LogSigner, DataDirError> {
        let path = self.log_key();
        let text = match fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DataDirError::NotANode(self.data.clone()));
            }
            Err(source) => {
                return Err(DataDirError::Io {
                    doing: "read",
                    path,
                    source,
                });
            }
        };
        let malformed = || DataDirError::Malformed(path.clone());
        let text = str::from_utf8(&text).map_err(|_| malformed())?;
        let mut lines = text.lines();
        let (Some(HEADER), Some(origin), Some(seed), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed());
        };
        // Decoded where it is overwritten later, and never moved: a move leaves a copy behind.
        let mut decoded = Zeroizing::new([0; 33]);
        let length = BASE64
            .decode_slice(seed, decoded.as_mut_slice())
            .map_err(|_| malformed())?;
        let seed = decoded
            .get(..length)
            .and_then(|seed| <&[u8; 32]>::try_from(seed).ok())
            .ok_or_else(malformed)?;
        Ok(LogSigner::from_seed(origin, seed)?)
    }
}

/// Creates the data directory of a new node: its log key and verifier key. Everything is on disk when this returns. If
/// it is interrupted, there is no node yet, and it can be run again. The log key is written last, completely or not at
/// all: it is what makes the directory a node's.
///
/// # Errors
/// There is a node already, or the file system failed.
pub fn create(data: &Path, jurisdiction: Jurisdiction) -> Result<VerifierKey, DataDirError> {
    let files = DataDir::at(data);
    let io = |doing: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| DataDirError::Io {
            doing,
            path,
            source,
        }
    };
    create_directory(data, 0o700).map_err(io("create", data))?;
    // It may exist already, created by a service manager.
    fs::set_permissions(data, fs::Permissions::from_mode(0o700))
        .map_err(io("set the mode of", data))?;
    let path = files.log_key();
    if path.exists() {
        return Err(DataDirError::Exists(data.to_owned()));
    }
    let origin = format!("{}/log/1", jurisdiction.trust_domain());
    let seed = LogSigner::new_seed()?;
    let signer = LogSigner::from_seed(&origin, &seed)?;
    let key = signer.verifier_key();
    let public = files.vkey();
    write_whole(&public, format!("{key}\n").as_bytes(), 0o644).map_err(io("write", &public))?;
    sync_directory(data).map_err(io("sync", data))?;

    let seed = Zeroizing::new(BASE64.encode(*seed));
    let text = Zeroizing::new(format!("{HEADER}\n{origin}\n{}\n", *seed));
    write_whole(&path, text.as_bytes(), 0o600).map_err(io("write", &path))?;
    sync_directory(data).map_err(io("sync", data))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        assert!(matches!(
            DataDir::at(&data).signer(),
            Err(DataDirError::NotANode(_))
        ));
        let own = "520624".parse().unwrap();
        let key = create(&data, own).unwrap();
        assert_eq!(DataDir::at(&data).signer().unwrap().verifier_key(), key);
        assert_eq!(key.name(), "520624.yichuan/log/1");
        assert_eq!(
            fs::read_to_string(DataDir::at(&data).vkey()).unwrap(),
            format!("{key}\n")
        );
        let mode = fs::metadata(data.join("log.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(create(&data, own), Err(DataDirError::Exists(_))));
    }
    /// Found by cutting the power during `init`: an empty `log.key` was left, which neither `init` nor `serve` took.
    #[test]
    fn regression_init_that_was_cut_off_can_be_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        for (file, left) in [
            ("log.key.new", ""),
            ("vkey", "of the attempt before"),
            ("vkey.new", "520"),
        ] {
            fs::write(data.join(file), left).unwrap();
        }
        assert!(matches!(
            DataDir::at(&data).signer(),
            Err(DataDirError::NotANode(_))
        ));
        let key = create(&data, "520624".parse().unwrap()).unwrap();
        assert_eq!(DataDir::at(&data).signer().unwrap().verifier_key(), key);
        let mut left: Vec<_> = fs::read_dir(&data)
            .unwrap()
            .map(|item| item.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["log.key", "vkey"]);
        assert_eq!(
            fs::read_to_string(data.join("vkey")).unwrap(),
            format!("{key}\n")
        );
    }

    /// The log key has no checksum of its own: a bit that turned before the first start would begin another log than the
    /// one whose verifier key partners compared.
    #[test]
    fn no_bit_of_the_log_key_turns_unnoticed() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        create(&data, "520624".parse().unwrap()).unwrap();
        let (files, path) = (DataDir::at(&data), DataDir::at(&data).log_key());
        let sound = fs::read(&path).unwrap();
        let mut same = Vec::new();
        for bit in 0..sound.len() * 8 {
            let mut turned = sound.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, turned).unwrap();
            if files.signer().is_ok() {
                same.push(bit / 8);
            }
        }
        // The end of the last line may be written in more ways than one.
        assert!(same.iter().all(|byte| *byte >= sound.len() - 1), "{same:?}");
        fs::write(&path, sound).unwrap();
        fs::write(files.vkey(), "520624.yichuan/log/1+00000000+AAAA\n").unwrap();
        assert!(matches!(files.signer(), Err(DataDirError::OtherKey { .. })));
    }
}
