//! The command line as it counts: the language, the configuration, who asks which node, and why.

use super::{
    args::{basis, read},
    client::Connection,
    exit::{Exit, Failure},
    global::Global,
    print::Format,
};
use crate::{
    access::{Grounds, GroundsDefect, Purpose},
    config::{Config, environment},
    domain::{Clock, Jurisdiction, Lang},
    node::data_dir::DataDir,
    note::{MalformedKey, VerifierKey},
    telemetry::SystemClock,
    tls::{
        Authority, Credentials, CredentialsError, Crl, Dialer, EndpointUrl, NodeCard, TrustStore,
    },
};
use std::{fs, io::Write, path::Path, sync::Arc};

/// What all commands share.
pub(super) struct Context<'a> {
    global: &'a Global,
    lang: Lang,
    clock: &'a dyn Clock,
    /// Where data goes.
    pub(super) out: &'a mut dyn Write,
}

impl<'a> Context<'a> {
    pub(super) const fn new(
        global: &'a Global,
        lang: Lang,
        clock: &'a dyn Clock,
        out: &'a mut dyn Write,
    ) -> Self {
        Self {
            global,
            lang,
            clock,
            out,
        }
    }

    pub(super) const fn lang(&self) -> Lang {
        self.lang
    }

    pub(super) const fn format(&self) -> Format {
        self.global.format
    }

    pub(super) const fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    /// The configuration, read now.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.global.config.as_deref(), environment()?)?)
    }

    /// The card that was named.
    pub(super) fn card(&self) -> Result<Option<NodeCard>, Failure> {
        self.global.card.as_deref().map(read_card).transpose()
    }

    /// Why, and on what. Both must be stated for every call to a node.
    pub(super) fn grounds(&self) -> Result<Grounds, Failure> {
        let stated = |text: &Option<String>| text.clone().unwrap_or_default();
        let purpose = stated(&self.global.purpose)
            .parse::<Purpose>()
            .map_err(|_| {
                let defect = GroundsDefect::Purpose;
                Failure::new(
                    Exit::Usage,
                    "请用 --purpose 或 YICHUAN_PURPOSE 写明用途：screening 线索核查、case 案件侦办、assistance 协查办理、\
                     supervision 督查、audit 审计",
                    format!("{defect} (--purpose or YICHUAN_PURPOSE)"),
                )
            })?;
        let basis = basis(&stated(&self.global.basis)).map_err(|defect| {
            Failure::new(
                Exit::Usage,
                "请用 --basis 或 YICHUAN_BASIS 写明依据：case:A加22位数字、lead:<uuid>、referral:<uuid> 或 \
                 campaign:<辖区>-<年>-<序号>，如 campaign:520624-2026-01",
                format!("{defect} (--basis or YICHUAN_BASIS)"),
            )
        })?;
        Ok(Grounds { purpose, basis })
    }

    /// The log key to verify with: the one given, else the card's, else, on the node's own machine, that of its data
    /// directory. Never the one that a node states.
    pub(super) fn verifier_key(&self, given: Option<&str>) -> Result<VerifierKey, Failure> {
        let text = match (given, self.card()?) {
            (Some(given), _) => key_text(given)?,
            (None, Some(card)) => card.vkey().to_owned(),
            (None, None) => return self.own_verifier_key(),
        };
        text.parse()
            .map_err(|error: MalformedKey| Failure::of(Exit::BadData, &error))
    }

    fn own_verifier_key(&self) -> Result<VerifierKey, Failure> {
        let own = self.config().and_then(|config| node_verifier_key(&config));
        own.map_err(|failure| {
            failure.hint(
                "请用 --vkey 给出日志验证公钥，或用 --card 给出节点名片；须是线下核对过的",
                "say whose log it is, with --vkey (a file or the text) or --card, as compared out of band",
            )
        })
    }

    /// Whom to ask, as whom, and why. Nothing is sent yet; call within a runtime.
    pub(super) fn connect(&self) -> Result<Connection, Failure> {
        let grounds = self.grounds()?;
        let identity = self.global.identity.as_deref().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "请用 --as 或 YICHUAN_AS 写明身份，如 --as officer-001",
                "say who asks, with --as or YICHUAN_AS, such as --as officer-001",
            )
        })?;
        let config = self.config()?;
        let card = self.card()?;
        let (certificate, key) = config.client.identity(identity);
        let credentials = Credentials::load(&certificate, &key).map_err(|error| {
            let says_what_to_do = matches!(error, CredentialsError::Exposed(_));
            let failure = Failure::from(error).at(format!("--as {identity}"));
            if says_what_to_do {
                return failure;
            }
            failure.hint(
                "client.identities 目录中须有该身份的 .pem 与 .key；用 certs issue 签发",
                "`client.identities` must hold a .pem and a .key of this name; `certs issue` makes them",
            )
        })?;
        let trust = trust(&config, card.as_ref())?;
        let (endpoint, node) = self.target(&config, card.as_ref())?;
        let principal = credentials.identity().principal().clone();
        // The dialer outlives this context.
        let dialer = Dialer::requiring(
            config.tls.require_hybrid,
            Arc::new(credentials),
            Arc::new(trust),
            Arc::new(SystemClock),
        )?;
        Ok(Connection::new(
            dialer, endpoint, node, principal, grounds, self.lang,
        ))
    }

    /// Which node: the one named, else the card's, else one's own.
    fn target(
        &self,
        config: &Config,
        card: Option<&NodeCard>,
    ) -> Result<(EndpointUrl, Jurisdiction), Failure> {
        let own = config.jurisdiction;
        let named = self.global.node_jurisdiction;
        let node = named.or(card.map(NodeCard::jurisdiction)).unwrap_or(own);
        let carded = card.filter(|card| card.jurisdiction() == node);
        if node != own && carded.is_none() {
            return Err(Failure::new(
                Exit::Usage,
                format!("询问 {node} 的节点须用 --card 给出它的名片"),
                format!("to ask the node of {node}, give its card with --card"),
            ));
        }
        let endpoint = match (&self.global.node, carded) {
            (Some(named), _) => named.clone(),
            (None, Some(card)) if node != own => card.endpoint().clone(),
            (None, _) => config.client.node.clone(),
        };
        Ok((endpoint, node))
    }
}

/// One's own CA with its newest list, and that of the card.
fn trust(config: &Config, card: Option<&NodeCard>) -> Result<TrustStore, Failure> {
    let authority = authority(&config.tls.ca)?;
    if authority.jurisdiction() != config.jurisdiction {
        return Err(Failure::new(
            Exit::Configuration,
            format!(
                "{}：不是 {} 的 CA",
                config.tls.ca.display(),
                config.jurisdiction
            ),
            format!(
                "{}: not the CA of {}",
                config.tls.ca.display(),
                config.jurisdiction
            ),
        ));
    }
    // A person's machine may have no list: it admits nobody. With one, a revoked node is found out.
    let list = match fs::read(&config.tls.crl) {
        Ok(bytes) => Some(Crl::parse(&bytes, &authority).map_err(|error| {
            Failure::of(Exit::Configuration, &error).at(config.tls.crl.display())
        })?),
        Err(_) => None,
    };
    let trust = TrustStore::new(authority, list)?;
    match card.filter(|card| card.jurisdiction() != config.jurisdiction) {
        Some(card) => Ok(trust.with(card.authority().clone(), None)?),
        None => Ok(trust),
    }
}

/// The CA certificate in a file that the configuration names.
pub(super) fn authority(path: &Path) -> Result<Authority, Failure> {
    let bytes = fs::read(path)
        .map_err(|error| Failure::of(Exit::Configuration, &error).at(path.display()))?;
    Authority::parse(&bytes)
        .map_err(|error| Failure::of(Exit::Configuration, &error).at(path.display()))
}

/// A node card, verified to be signed by the CA in it.
pub(super) fn read_card(path: &Path) -> Result<NodeCard, Failure> {
    NodeCard::parse(&read(path)?).map_err(|error| Failure::from(error).at(path.display()))
}

/// The verifier key of this node's log.
pub(super) fn node_verifier_key(config: &Config) -> Result<VerifierKey, Failure> {
    let path = DataDir::at(&config.data).vkey();
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::of(Exit::Configuration, &error)
            .at(path.display())
            .hint(
                "节点目录由 yichuan init 建立",
                "`yichuan init` makes a node's directory",
            )
    })?;
    let key: VerifierKey = text.trim().parse().map_err(|error: MalformedKey| {
        Failure::of(Exit::Configuration, &error).at(path.display())
    })?;
    Ok(key)
}

/// A vkey, typed or in a file.
fn key_text(given: &str) -> Result<String, Failure> {
    // Every vkey has a plus sign, and a slash in its name: a file by that name would be a strange one.
    let text = if given.contains('+') && !Path::new(given).exists() {
        given.to_owned()
    } else {
        String::from_utf8(read(Path::new(given))?).unwrap_or_default()
    };
    Ok(text.trim().to_owned())
}

/// A runtime, with time and network.
pub(super) fn runtime(
    mut builder: tokio::runtime::Builder,
) -> Result<tokio::runtime::Runtime, Failure> {
    // Else tokio reads a variable of its own, and panics with its value where it is no number.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    builder
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::of(Exit::Internal, &error))
}

/// Runs a client's calls on this thread.
pub(super) fn block_on<T>(calls: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime(tokio::runtime::Builder::new_current_thread())?.block_on(calls)
}
