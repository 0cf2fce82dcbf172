//! The certificates of `certs-dev/`, for demonstrations and tests. Their keys are public, so they are refused outside
//! loopback.

use super::{authority::Authority, fingerprint::Fingerprint, identity::PeerIdentity, pem};
use crate::domain::Jurisdiction;
use rustls_pki_types::CertificateDer;
use std::{net::IpAddr, sync::LazyLock};

/// Certificates from `certs-dev/` at an address that others can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "certificates from certs-dev/ are refused outside loopback ({0}): their keys are public; make a CA of your own with `yichuan certs ca`"
)]
pub struct DevOutsideLoopback(IpAddr);

/// A certificate and its key, PEM.
#[derive(Clone, Copy)]
pub struct DevIdentity {
    /// Certificate.
    pub certificate: &'static str,
    /// Key.
    pub key: &'static str,
}

/// A jurisdiction's development CA.
#[derive(Clone, Copy)]
pub struct DevCa {
    /// Code of the jurisdiction.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// CA certificate, PEM.
    pub certificate: &'static str,
    /// CA key, PEM.
    pub key: &'static str,
    /// Revocation list, PEM.
    pub crl: &'static str,
    identities: [(&'static str, DevIdentity); 6],
}

macro_rules! file {
    ($code:literal, $file:expr) => {
        include_str!(concat!("../../certs-dev/", $code, "/", $file))
    };
}

macro_rules! identities {
    ($code:literal, $($name:literal),*) => {
        [$((
            $name,
            DevIdentity {
                certificate: file!($code, concat!($name, ".pem")),
                key: file!($code, concat!($name, ".key")),
            },
        )),*]
    };
}

macro_rules! ca {
    ($code:literal, $name:literal) => {
        DevCa {
            code: $code,
            name: $name,
            certificate: file!($code, "ca.pem"),
            key: file!($code, "ca.key"),
            crl: file!($code, "ca.crl"),
            identities: identities!(
                $code,
                "node",
                "officer-001",
                "officer-002",
                "supervisor-001",
                "auditor-001",
                "admin-001"
            ),
        }
    };
}

/// All development CAs.
pub const CAS: [DevCa; 3] = [
    ca!("520624", "思南县公安局"),
    ca!("440000", "广东省公安厅"),
    ca!("330000", "浙江省公安厅"),
];

/// A jurisdiction's development CA.
pub fn ca(jurisdiction: Jurisdiction) -> Option<DevCa> {
    CAS.into_iter().find(|ca| ca.code == jurisdiction.as_str())
}

/// A development certificate by its name: `node`, `officer-001`.
pub fn identity(jurisdiction: Jurisdiction, name: &str) -> Option<DevIdentity> {
    let identities = ca(jurisdiction)?.identities;
    identities
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, identity)| identity)
}

/// Whether this is a development CA, or any other certificate of its key: everybody has that key.
pub fn is_dev_ca(authority: &Authority) -> bool {
    static KEYS: LazyLock<Vec<Fingerprint>> = LazyLock::new(|| {
        let authorities = CAS
            .iter()
            .map(|ca| Authority::parse(ca.certificate.as_bytes()));
        authorities.flatten().map(|a| a.spki_sha256()).collect()
    });
    KEYS.contains(&authority.spki_sha256())
}

/// Whether a certificate's key is one of `certs-dev/`.
pub fn is_dev_key(identity: &PeerIdentity) -> bool {
    static KEYS: LazyLock<Vec<Fingerprint>> = LazyLock::new(|| {
        let all = CAS.iter().flat_map(|ca| ca.identities);
        let leaves = all.filter_map(|(_, dev)| {
            let leaf: CertificateDer<'_> = pem::one(dev.certificate.as_bytes()).ok()?;
            PeerIdentity::from_der(&leaf).ok()
        });
        leaves.map(|leaf| leaf.spki_sha256()).collect()
    });
    KEYS.contains(&identity.spki_sha256())
}

/// Refuses a development CA's certificates at an address that others can reach.
///
/// # Errors
/// A development CA, and an address outside loopback.
pub fn refuse_dev_outside_loopback(
    authority: &Authority,
    address: IpAddr,
) -> Result<(), DevOutsideLoopback> {
    if address.to_canonical().is_loopback() || !is_dev_ca(authority) {
        return Ok(());
    }
    Err(DevOutsideLoopback(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Timestamp,
        tls::{Ca, Credentials, Crl, TrustStore, Validity, principal_named},
    };

    /// 2030-01-01T00:00:00Z: a demonstration must still run then.
    const LATER: Timestamp = Timestamp::from_millis(1_893_456_000_000);

    #[test]
    fn every_embedded_identity_is_whom_its_name_says_and_is_admitted() {
        for ca in CAS {
            let authority = Authority::parse(ca.certificate.as_bytes()).unwrap();
            let code = authority.jurisdiction();
            assert_eq!(code.as_str(), ca.code);
            Ca::from_pem(ca.certificate, ca.key).unwrap();
            let crl = Crl::parse(ca.crl.as_bytes(), &authority).unwrap();
            let trust = TrustStore::new(authority, Some(crl)).unwrap();
            for (name, identity) in ca.identities {
                let credentials =
                    Credentials::from_pem(identity.certificate.as_bytes(), identity.key.as_bytes())
                        .unwrap();
                let admitted = trust.admit_caller(credentials.leaf(), LATER).unwrap();
                let named = principal_named(code, name).unwrap();
                assert_eq!(*admitted.principal(), named);
            }
        }
        let sinan = "520624".parse().unwrap();
        assert!(identity(sinan, "officer-001").is_some());
        assert!(identity(sinan, "officer-009").is_none());
        assert!(identity("110000".parse().unwrap(), "node").is_none());
    }

    #[test]
    fn refused_wherever_others_can_reach() {
        let dev = Ca::from_pem(CAS[0].certificate, CAS[0].key).unwrap();
        let validity = Validity::days(LATER, 1);
        let own = Ca::create("520624".parse().unwrap(), validity).unwrap();
        let refused = |ca: &Ca, address: &str| {
            refuse_dev_outside_loopback(ca.authority(), address.parse().unwrap()).is_err()
        };
        for near in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(!refused(&dev, near), "{near}");
        }
        for far in ["0.0.0.0", "::", "10.0.0.1", "192.0.2.1", "::ffff:10.0.0.1"] {
            assert!(refused(&dev, far), "{far}");
            assert!(!refused(&own, far), "{far}");
        }
    }
}
