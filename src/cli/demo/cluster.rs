//! Nodes of the development jurisdictions in one process: real TLS, real sockets, real stores in fresh directories.

use crate::{
    access::{Grounds, Purpose},
    config::{Config, NewNode, render},
    domain::{Clock, Jurisdiction},
    exchange::{CourierOptions, Outbox},
    node::{Node, data_dir},
    rpc::pb,
    telemetry::SystemClock,
    tls::{Ca, CardFacts, Credentials, Dialer, EndpointUrl, NodeCard, TrustStore, dev},
};
use anyhow::{Context as _, anyhow};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tonic::transport::Channel;

/// Names of the certificates that each jurisdiction in `certs-dev/` has.
const IDENTITIES: [&str; 6] = [
    "node",
    "officer-001",
    "officer-002",
    "supervisor-001",
    "auditor-001",
    "admin-001",
];

/// One node of the cluster.
#[derive(Debug)]
pub struct Member {
    /// Its code.
    pub code: Jurisdiction,
    /// Its name.
    pub name: &'static str,
    /// Its directory: `node.toml`, `certs/`, `data/`.
    pub dir: PathBuf,
    /// Its configuration, with the port that it got.
    pub config: Config,
    /// Its log's verifier key.
    pub vkey: String,
    /// The node.
    pub node: Node,
}

/// Nodes that run in this process.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Member>,
    clock: Arc<dyn Clock>,
}

/// Writes a development node's directory and reads its configuration.
///
/// # Errors
/// The jurisdiction has no development CA, or the directory cannot be written.
pub fn write_node(dir: &Path, code: Jurisdiction, address: &str) -> anyhow::Result<Config> {
    let ca = dev::ca(code).ok_or_else(|| anyhow!("{code} has no development CA"))?;
    let certs = dir.join("certs");
    fs::create_dir_all(&certs)?;
    for (file, text) in [
        ("ca.pem", ca.certificate),
        ("ca.key", ca.key),
        ("ca.crl", ca.crl),
    ] {
        fs::write(certs.join(file), text)?;
    }
    for name in IDENTITIES {
        let identity = dev::identity(code, name).context("a development certificate")?;
        fs::write(certs.join(format!("{name}.pem")), identity.certificate)?;
        fs::write(certs.join(format!("{name}.key")), identity.key)?;
    }
    let partners: Vec<Jurisdiction> = dev::CAS
        .iter()
        .filter_map(|ca| ca.code.parse().ok())
        .filter(|other| *other != code)
        .collect();
    let address = address.parse()?;
    let endpoint: EndpointUrl = format!("https://{address}").parse()?;
    let admin = "127.0.0.1:0".parse()?;
    let text = render(&NewNode {
        jurisdiction: code,
        name: ca.name,
        address,
        endpoint: &endpoint,
        admin,
        partners: &partners,
    });
    let path = dir.join("node.toml");
    fs::write(&path, &text)?;
    Ok(Config::parse(&path, &text, [])?)
}

impl Cluster {
    /// Starts a node for each of these development jurisdictions, each in a directory of its own below `dir`.
    ///
    /// # Errors
    /// A directory or a node that does not come up.
    pub async fn start(dir: &Path, codes: &[&str], waits: CourierOptions) -> anyhow::Result<Self> {
        Self::start_with(dir, codes, waits, |_| Arc::new(SystemClock)).await
    }

    /// As [`Cluster::start`], with each node's configuration as `arrange` leaves it, and the clock that it gives.
    ///
    /// # Errors
    /// A directory or a node that does not come up.
    pub async fn start_with(
        dir: &Path,
        codes: &[&str],
        waits: CourierOptions,
        arrange: impl Fn(&mut Config) -> Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let mut members = Vec::new();
        for code in codes {
            let code: Jurisdiction = code.parse()?;
            let home = dir.join(code.as_str());
            let config = write_node(&home, code, "127.0.0.1:1")?;
            let vkey = data_dir::create(&config.data, code)?.to_string();
            let mut listening = config;
            listening.listen.address.set_port(0);
            let clock = arrange(&mut listening);
            let node = Node::start_with(&listening, clock, waits).await?;
            // Now the port is known.
            let mut config = write_node(&home, code, &node.address().to_string())?;
            arrange(&mut config);
            let name = dev::ca(code).map_or("", |ca| ca.name);
            members.push(Member {
                code,
                name,
                dir: home,
                config,
                vkey,
                node,
            });
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(Self { members, clock })
    }

    /// A node by its code.
    ///
    /// # Panics
    /// There is none.
    #[expect(clippy::expect_used, reason = "the caller started it")]
    pub fn member(&self, code: &str) -> &Member {
        self.members
            .iter()
            .find(|m| m.code.as_str() == code)
            .expect("a member of the cluster")
    }

    /// All nodes.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A node's card, made with its development CA.
    ///
    /// # Errors
    /// The card cannot be made.
    pub fn card(&self, code: &str) -> anyhow::Result<NodeCard> {
        let member = self.member(code);
        let ca = dev::ca(member.code).context("a development CA")?;
        let ca = Ca::from_pem(ca.certificate, ca.key)?;
        let facts = CardFacts {
            name: member.name,
            endpoint: &member.config.listen.endpoint,
            vkey: &member.vkey,
        };
        Ok(NodeCard::make(&ca, &facts, self.clock.as_ref())?)
    }

    /// A channel to `node`'s node, as somebody with a certificate of jurisdiction `of`.
    ///
    /// # Errors
    /// There is no such certificate.
    pub fn channel(&self, node: &str, of: &str, identity: &str) -> anyhow::Result<Channel> {
        let target = self.member(node);
        let of: Jurisdiction = of.parse()?;
        let identity = dev::identity(of, identity).context("a development certificate")?;
        let credentials =
            Credentials::from_pem(identity.certificate.as_bytes(), identity.key.as_bytes())?;
        let mut trust = TrustStore::new(authority(of)?, None)?;
        if target.code != of {
            trust = trust.with(authority(target.code)?, None)?;
        }
        let dialer = Dialer::new(
            Arc::new(credentials),
            Arc::new(trust),
            Arc::clone(&self.clock),
        )?;
        Ok(dialer.connect(&target.config.listen.endpoint, target.code))
    }

    /// Makes every node every other's partner: an admin drafts, a supervisor approves.
    ///
    /// # Errors
    /// A node refuses.
    pub async fn introduce(&self) -> anyhow::Result<()> {
        for here in &self.members {
            for there in self.members.iter().filter(|there| there.code != here.code) {
                self.introduce_to(here.code.as_str(), there.code.as_str())
                    .await?;
            }
        }
        Ok(())
    }

    /// Makes `there` a partner of `here`.
    ///
    /// # Errors
    /// The node refuses.
    pub async fn introduce_to(&self, here: &str, there: &str) -> anyhow::Result<()> {
        let card = self.card(there)?;
        let grounds = grounds(here, Purpose::Supervision);
        let mut admin =
            pb::partners_client::PartnersClient::new(self.channel(here, here, "admin-001")?);
        admin
            .propose_partner(pb::ProposePartnerRequest {
                grounds: Some(grounds.clone()),
                card: card.as_str().as_bytes().to_vec().into(),
            })
            .await?;
        let supervisor = self.channel(here, here, "supervisor-001")?;
        let mut supervisor = pb::partners_client::PartnersClient::new(supervisor);
        supervisor
            .approve_partner(pb::ApprovePartnerRequest {
                grounds: Some(grounds),
                jurisdiction: there.to_owned(),
                fingerprint: card.fingerprint().to_string(),
                ..pb::ApprovePartnerRequest::default()
            })
            .await?;
        Ok(())
    }

    /// Waits until every dispatch of every node has its partner's proof.
    ///
    /// # Errors
    /// A log failed.
    pub async fn settled(&self) -> anyhow::Result<()> {
        for member in &self.members {
            for other in self
                .members
                .iter()
                .filter(|other| other.code != member.code)
            {
                let mut published = member.node.log().subscribe();
                let to = other.code;
                loop {
                    published.mark_unchanged();
                    let waiting = member
                        .node
                        .log()
                        .read(move |r| Outbox::waiting(r, to, 1))
                        .await??;
                    if waiting == 0 {
                        break;
                    }
                    published.changed().await?;
                }
            }
        }
        Ok(())
    }

    /// The nodes, to stop and start one by one.
    pub fn into_members(self) -> Vec<Member> {
        self.members
    }

    /// Stops all nodes.
    pub async fn stop(&self) {
        for member in &self.members {
            member.node.stop().await;
        }
    }
}

fn authority(code: Jurisdiction) -> anyhow::Result<crate::tls::Authority> {
    let ca = dev::ca(code).ok_or_else(|| anyhow!("{code} has no development CA"))?;
    Ok(crate::tls::Authority::parse(ca.certificate.as_bytes())?)
}

/// Grounds with the year's first screening campaign of a jurisdiction as their basis.
pub fn grounds(code: &str, purpose: Purpose) -> pb::Grounds {
    let text = format!("campaign:{code}-2026-01");
    let wire = match purpose {
        Purpose::Screening => pb::Purpose::Screening,
        Purpose::Case => pb::Purpose::Case,
        Purpose::Assistance => pb::Purpose::Assistance,
        Purpose::Supervision => pb::Purpose::Supervision,
        Purpose::Audit => pb::Purpose::Audit,
    };
    // Both sides keep the same grammar.
    debug_assert!(Grounds::parse(purpose.as_str(), &text).is_ok());
    pb::Grounds {
        purpose: wire.into(),
        basis: text,
    }
}
