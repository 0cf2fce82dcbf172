//! Whom a running node believes: its own certificates and CRL, its partners' CAs, and the CRLs that they bring.

use crate::{
    config::{Config, TlsFiles},
    domain::{Clock, Jurisdiction},
    exchange::{CarrierFuture, Directory, Partner},
    log::{Log, Proposal, TxnError},
    rpc::RevocationLists,
    store::{DiskReserve, tables},
    tls::{
        Authority, AuthorityError, Credentials, CredentialsError, Crl, CrlError, Dialer, Gate,
        GateLimits, TlsError, TrustStore, dev,
    },
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Certificates could not be loaded or replaced.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file could not be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The CA certificate.
    #[error("the CA certificate {}: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: AuthorityError,
    },
    /// The revocation list.
    #[error("the revocation list {}: {source}", path.display())]
    Crl {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: CrlError,
    },
    /// The node's certificate or key.
    #[error("the node's certificate: {0}")]
    Credentials(#[from] CredentialsError),
    /// They belong to another jurisdiction.
    #[error("the certificate or the CA is that of {found}, but this is the node of {own}")]
    Foreign {
        /// Whose they are.
        found: Jurisdiction,
        /// The node's jurisdiction.
        own: Jurisdiction,
    },
    /// The node's certificate is not a node's.
    #[error(
        "the node's certificate is not that of a node; issue one with `yichuan certs issue node`"
    )]
    NotANode,
    /// TLS refuses them.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The stored data about partners cannot be read.
    #[error("what is kept of partners cannot be read: {0}")]
    Log(String),
}

/// The node's certificates and trust, replaced while it runs.
pub(super) struct Trust {
    own: Jurisdiction,
    files: TlsFiles,
    gate: Arc<Gate>,
    dialer: Arc<Dialer>,
    log: Log,
    /// Held while gate and dialer are replaced, so that both see the same.
    credentials: Mutex<Arc<Credentials>>,
    reserve: Arc<DiskReserve>,
    clock: Arc<dyn Clock>,
    /// Partners that TLS refuses.
    left_out: Mutex<LeftOut>,
    /// Held while the data about partners is read and swapped in: what was read first is not swapped in last.
    turn: tokio::sync::Mutex<()>,
    /// How many lists each partner brought in the current minute.
    brought: Mutex<BTreeMap<Jurisdiction, (u64, u32)>>,
}

/// How many newer lists of one partner are accepted in a minute. An authority makes one when it revokes; with each of
/// them its connections are checked again, so endless ones would be costly. The next stream brings what is skipped.
const LISTS_PER_MINUTE: u32 = 4;

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

struct Loaded {
    credentials: Arc<Credentials>,
    authority: Authority,
    crl: Crl,
}

fn load(own: Jurisdiction, files: &TlsFiles) -> Result<Loaded, TrustError> {
    let authority = authority(own, files)?;
    Ok(Loaded {
        crl: list(files, &authority)?,
        credentials: credentials(own, files)?,
        authority,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    fs::read(path).map_err(|source| TrustError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The CA of this node's jurisdiction.
pub(super) fn authority(own: Jurisdiction, files: &TlsFiles) -> Result<Authority, TrustError> {
    let authority =
        Authority::parse(&read(&files.ca)?).map_err(|source| TrustError::Authority {
            path: files.ca.clone(),
            source,
        })?;
    is_own(own, authority.jurisdiction())?;
    Ok(authority)
}

/// Its list.
pub(super) fn list(files: &TlsFiles, authority: &Authority) -> Result<Crl, TrustError> {
    Crl::parse(&read(&files.crl)?, authority).map_err(|source| TrustError::Crl {
        path: files.crl.clone(),
        source,
    })
}

/// The node's certificate and its key.
pub(super) fn credentials(
    own: Jurisdiction,
    files: &TlsFiles,
) -> Result<Arc<Credentials>, TrustError> {
    let credentials = Credentials::load(&files.cert, &files.key)?;
    let principal = credentials.identity().principal();
    is_own(own, principal.jurisdiction())?;
    if !principal.is_node() {
        return Err(TrustError::NotANode);
    }
    Ok(Arc::new(credentials))
}

fn is_own(own: Jurisdiction, found: Jurisdiction) -> Result<(), TrustError> {
    match found == own {
        true => Ok(()),
        false => Err(TrustError::Foreign { found, own }),
    }
}

/// Checks that a node works with these: builds what listens and what dials with them, without partners.
pub(super) fn stand(
    config: &Config,
    credentials: Arc<Credentials>,
    authority: Authority,
    list: Crl,
    clock: &Arc<dyn Clock>,
) -> Result<(), TrustError> {
    dev::refuse_dev_outside_loopback(&authority, config.listen.address.ip())
        .map_err(TlsError::from)?;
    let store = Arc::new(TrustStore::new(authority, Some(list))?);
    let limits = config.limits.gate();
    both(&config.tls, credentials, store, limits, clock).map(|_| ())
}

fn both(
    files: &TlsFiles,
    credentials: Arc<Credentials>,
    store: Arc<TrustStore>,
    limits: GateLimits,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<Gate>, Arc<Dialer>), TrustError> {
    let limits = GateLimits {
        require_hybrid: files.require_hybrid,
        ..limits
    };
    let gate = Gate::new(
        Arc::clone(&credentials),
        Arc::clone(&store),
        limits,
        Arc::clone(clock),
    )?;
    let dialer = Dialer::requiring(files.require_hybrid, credentials, store, Arc::clone(clock))?;
    Ok((gate, dialer))
}

/// One partner's CA, with the last list that it brought.
type Known = (Arc<Partner>, Option<Vec<u8>>);

/// Partners that TLS refuses, and why.
type LeftOut = BTreeMap<Jurisdiction, String>;

/// Adds the partners one by one: one that does not build is left out alone.
fn with_partners(
    mut store: TrustStore,
    partners: &[Known],
    now: Option<&TrustStore>,
) -> (TrustStore, LeftOut) {
    let mut left_out = LeftOut::new();
    for (partner, kept) in partners {
        match with_partner(&store, partner, kept.as_deref(), now) {
            Ok(with) => store = with,
            Err(why) => {
                let partner = partner.code;
                tracing::error!(
                    %partner, why,
                    "an approved partner is left out: nobody of it comes in, and nothing goes to it, until it has another card"
                );
                left_out.insert(partner, why);
            }
        }
    }
    metrics::gauge!("yichuan_partners_left_out")
        .set(u32::try_from(left_out.len()).unwrap_or(u32::MAX));
    (store, left_out)
}

/// Adds one partner. If `now` has its list, that is the newest: a stream may have brought it a moment ago, before it
/// was stored.
fn with_partner(
    store: &TrustStore,
    partner: &Partner,
    kept: Option<&[u8]>,
    now: Option<&TrustStore>,
) -> Result<TrustStore, String> {
    let code = partner.code;
    if code == store.own() {
        return Err("the card is this node's own".to_owned());
    }
    let authority = Authority::parse(&partner.ca).map_err(|error| error.to_string())?;
    let same_key = |now: &&TrustStore| {
        now.authority(code).map(Authority::spki_sha256) == Some(authority.spki_sha256())
    };
    let in_use = now.filter(same_key).and_then(|now| now.crl(code));
    let lists = [in_use.map(|crl| &**crl.der()), kept];
    let crl = lists
        .into_iter()
        .flatten()
        .find_map(|crl| Crl::parse(crl, &authority).ok());
    let with = store.clone().with(authority, crl);
    let with = with.map_err(|error| error.to_string())?;
    if let Some(now) = now {
        now.check_successor_for(code, &with)
            .map_err(|error| error.to_string())?;
    }
    Ok(with)
}

/// The lists that partners brought, from the store.
async fn known(log: &Log, directory: &Directory) -> Result<Vec<Known>, TrustError> {
    let partners: Vec<_> = directory.snapshot().values().cloned().collect();
    log.read(move |reader| {
        partners
            .into_iter()
            .map(|partner| {
                // An incomplete list is ignored; the partner brings its newest one with the next stream.
                let crl = reader.get_long(&tables::crl(partner.code)).ok().flatten();
                (partner, crl)
            })
            .collect()
    })
    .await
    .map_err(|error| TrustError::Log(error.to_string()))
}

impl Trust {
    pub(super) async fn start(
        own: Jurisdiction,
        files: TlsFiles,
        limits: GateLimits,
        clock: Arc<dyn Clock>,
        log: Log,
        reserve: Arc<DiskReserve>,
        directory: &Directory,
    ) -> Result<Arc<Self>, TrustError> {
        let loaded = load(own, &files)?;
        let store = TrustStore::new(loaded.authority, Some(loaded.crl))?;
        let (store, left_out) = with_partners(store, &known(&log, directory).await?, None);
        let store = Arc::new(store);
        let credentials = Arc::clone(&loaded.credentials);
        let (gate, dialer) = both(&files, credentials, store, limits, &clock)?;
        let credentials = Mutex::new(loaded.credentials);
        Ok(Arc::new(Self {
            own,
            files,
            gate,
            dialer,
            log,
            credentials,
            reserve,
            clock,
            left_out: Mutex::new(left_out),
            turn: tokio::sync::Mutex::default(),
            brought: Mutex::default(),
        }))
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(super) fn dialer(&self) -> &Arc<Dialer> {
        &self.dialer
    }

    /// Reads the files again and replaces everything. On an error the old state stays in use.
    pub(super) async fn reload(&self, directory: &Directory) -> Result<usize, TrustError> {
        let _turn = self.turn.lock().await;
        let partners = known(&self.log, directory).await?;
        let loaded = load(self.own, &self.files)?;
        let store = TrustStore::new(loaded.authority, Some(loaded.crl))?;
        let mut credentials = self
            .credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (store, left_out) = with_partners(store, &partners, Some(&self.gate.trust()));
        let store = Arc::new(store);
        let cut = self
            .gate
            .reload(Arc::clone(&loaded.credentials), Arc::clone(&store))?;
        let cut = cut + self.dialer.reload(Arc::clone(&loaded.credentials), store)?;
        *credentials = loaded.credentials;
        self.leave_out(left_out);
        Ok(cut)
    }

    /// Partners that TLS refuses, and why.
    pub(super) fn left_out(&self) -> LeftOut {
        let left_out = self.left_out.lock();
        left_out.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn leave_out(&self, partners: LeftOut) {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = partners;
    }

    /// Follows the directory: partners that came, left or changed. Returns how many connections were cut.
    pub(super) async fn follow(&self, directory: &Directory) -> Result<usize, TrustError> {
        let _turn = self.turn.lock().await;
        let partners = known(&self.log, directory).await?;
        let mut left_out = LeftOut::new();
        let cut = self.swap(|now| {
            let store;
            (store, left_out) = with_partners(now.clone().alone(), &partners, Some(now));
            Ok(Some(store))
        })?;
        self.leave_out(left_out);
        Ok(cut)
    }

    fn swap(
        &self,
        change: impl FnOnce(&TrustStore) -> Result<Option<TrustStore>, TlsError>,
    ) -> Result<usize, TlsError> {
        let credentials = self
            .credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let called = self.gate.update_trust(change)?;
        let dialled = self
            .dialer
            .reload(Arc::clone(&credentials), self.gate.trust())?;
        Ok(called + dialled)
    }

    /// Counts a newer list of a partner. False if it brought too many in this minute.
    fn may_bring(&self, partner: Jurisdiction) -> bool {
        let now = self.clock.now().seconds() / 60;
        let mut brought = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        let (minute, lists) = brought.entry(partner).or_default();
        if *minute != now {
            (*minute, *lists) = (now, 0);
        }
        *lists = lists.saturating_add(1);
        *lists <= LISTS_PER_MINUTE
    }

    async fn accept_crl(&self, partner: Arc<Partner>, crl: Vec<u8>) {
        if crl.is_empty() {
            return;
        }
        let code = partner.code;
        // Most bring the known list, or an invalid one: nothing is replaced for those.
        match self.gate.trust().with_crl(code, &crl) {
            Ok(None) => return,
            Ok(Some(_)) if !self.may_bring(code) => {
                tracing::warn!(partner = %code, "a partner brings too many revocation lists; this one is skipped");
                return;
            }
            Ok(Some(_)) => {}
            Err(error) => {
                tracing::warn!(partner = %code, %error, "a partner's revocation list is refused");
                return;
            }
        }
        let mut newer = false;
        let swapped = self.swap(|now| {
            let next = now.with_crl(code, &crl)?;
            newer = next.is_some();
            Ok(next)
        });
        if let Err(error) = swapped {
            tracing::warn!(partner = %code, %error, "a partner's revocation list is refused");
        } else if newer {
            self.keep_crl(code, crl).await;
        }
    }

    async fn keep_crl(&self, code: Jurisdiction, crl: Vec<u8>) {
        if let Err(short) = self.reserve.admit_reading() {
            tracing::warn!(partner = %code, %short, "a newer revocation list is used and not kept");
            return;
        }
        let kept = self
            .log
            .propose(Proposal::new(move |txn| -> Result<(), TxnError> {
                txn.put_long(&tables::crl(code), &crl)
            }))
            .await;
        match kept {
            Ok(_) => tracing::info!(partner = %code, "a partner brought a newer revocation list"),
            Err(error) => {
                tracing::warn!(partner = %code, %error, "a revocation list could not be kept");
            }
        }
    }
}

impl RevocationLists for Trust {
    fn own(&self) -> Vec<u8> {
        self.gate
            .trust()
            .crl(self.own)
            .map(|crl| crl.der().to_vec())
            .unwrap_or_default()
    }

    fn accept(&self, partner: Arc<Partner>, crl: Vec<u8>) -> CarrierFuture<'_, ()> {
        Box::pin(self.accept_crl(partner, crl))
    }
}
