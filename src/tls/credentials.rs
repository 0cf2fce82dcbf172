//! One's own certificate and key.

use super::{
    identity::{IdentityError, PeerIdentity},
    verifier::provider,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{fmt, fs, io, path::Path};

/// A leaf certificate and the key that fits it.
pub struct Credentials {
    leaf: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    identity: PeerIdentity,
}

/// Why there is no certificate and key.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Not one certificate.
    #[error("expected exactly one PEM certificate, the leaf; the CA's has a file of its own")]
    Certificate,
    /// Not a key.
    #[error("expected one PEM private key")]
    Key,
    /// A key of another certificate.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// A certificate that nobody would admit.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Credentials {
    /// From PEM files.
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
        Self::from_pem(&read(certificate)?, &zeroize::Zeroizing::new(read(key)?))
    }

    /// From PEM.
    ///
    /// # Errors
    /// All that [`CredentialsError`] names but `Read`.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CredentialsError> {
        let mut chain = CertificateDer::pem_slice_iter(certificate);
        let (Some(Ok(leaf)), None) = (chain.next(), chain.next()) else {
            return Err(CredentialsError::Certificate);
        };
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CredentialsError::Key)?;
        let identity = PeerIdentity::from_der(&leaf)?;
        let signing = provider()
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|_| CredentialsError::Key)?;
        CertifiedKey::new(vec![leaf.clone()], signing)
            .keys_match()
            .map_err(|_| CredentialsError::Mismatch)?;
        Ok(Self {
            leaf,
            key,
            identity,
        })
    }

    /// Who one is.
    pub const fn identity(&self) -> &PeerIdentity {
        &self.identity
    }

    /// The certificate.
    pub const fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }

    pub(super) fn for_rustls(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![self.leaf.clone()], self.key.clone_key())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "credentials of {:?}", self.identity)
    }
}
