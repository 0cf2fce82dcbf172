//! A node's or person's own certificate and key.

use super::{
    dev,
    identity::{IdentityError, PeerIdentity},
    pem::{self, PemError},
    refusal,
    verifier::provider,
};
use crate::store::{ExposedPath, require_private};
use rustls::{
    InconsistentKeys,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::{fmt, fs, io, path::Path, sync::Arc};
use zeroize::Zeroizing;

/// A leaf certificate and its key.
pub struct Credentials {
    certified: Arc<CertifiedKey>,
    leaf: CertificateDer<'static>,
    identity: PeerIdentity,
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Not exactly one certificate.
    #[error("the certificate: {0}")]
    Certificate(PemError),
    /// Not a key.
    #[error("the private key: {0}")]
    Key(PemError),
    /// The key cannot be used.
    #[error(
        "the private key is of a kind that is not used here, or damaged; `yichuan certs issue` makes one with its certificate"
    )]
    KeyKind,
    /// The key belongs to another certificate.
    #[error(
        "the private key does not belong to the certificate; copy the two files that `yichuan certs issue` made together"
    )]
    Mismatch,
    /// A certificate that rustls does not take.
    #[error("the certificate cannot be used: {0}")]
    Unusable(String),
    /// A certificate that nobody would admit.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Others on the machine can read the key.
    #[error(transparent)]
    Exposed(#[from] ExposedPath),
    /// One of the files is at fault.
    #[error("{path}: {source}")]
    At {
        /// The file.
        path: String,
        /// What is wrong.
        source: Box<Self>,
    },
}

impl Credentials {
    /// Reads PEM files. Nobody else on the machine may be able to read the key, unless it is one of `certs-dev/`, which
    /// are public.
    ///
    /// # Errors
    /// All that [`CredentialsError`] names.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, CredentialsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| CredentialsError::Read {
                path: path.display().to_string(),
                source,
            })
        };
        let loaded = Self::from_pem(&read(certificate)?, &Zeroizing::new(read(key)?));
        let loaded = loaded.map_err(|error| {
            let of_key = matches!(error, CredentialsError::Key(_) | CredentialsError::KeyKind);
            let path = if of_key { key } else { certificate };
            CredentialsError::At {
                path: path.display().to_string(),
                source: Box::new(error),
            }
        })?;
        if !dev::is_dev_key(loaded.identity()) {
            require_private(key, 0o600)?;
        }
        Ok(loaded)
    }

    /// Parses PEM.
    ///
    /// # Errors
    /// All that [`CredentialsError`] names except `Read`, `Exposed` and `At`.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CredentialsError> {
        let leaf: CertificateDer<'static> =
            pem::one(certificate).map_err(CredentialsError::Certificate)?;
        let key: PrivateKeyDer<'static> = pem::one(key).map_err(CredentialsError::Key)?;
        // The parsed copy is the only one that stays.
        let key = Zeroizing::new(key);
        let identity = PeerIdentity::from_der(&leaf)?;
        let signing = provider()
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|_| CredentialsError::KeyKind)?;
        let certified = CertifiedKey::new(vec![leaf.clone()], signing);
        let mismatch = rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
        certified.keys_match().map_err(|error| {
            if error == mismatch {
                CredentialsError::Mismatch
            } else {
                CredentialsError::Unusable(refusal::words(&error))
            }
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            leaf,
            identity,
        })
    }

    /// The identity in the certificate.
    pub const fn identity(&self) -> &PeerIdentity {
        &self.identity
    }

    /// The certificate.
    pub const fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }

    pub(super) fn for_rustls(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(self.certified.clone()))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "credentials of {:?}", self.identity)
    }
}
