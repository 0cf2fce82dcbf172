//! The sending side of a hostile partner, and the honest county that it calls.

use super::{
    hostile::{Forger, Line, hello},
    world::{
        COUNTY, GUANGDONG, ZHEJIANG, cluster, count, eager, honest_traffic_flows, introduce,
        leads_to, verify,
    },
};
use std::sync::Arc;
use yichuan::{
    cli::demo::cluster::{Cluster, Member},
    config::Config,
    domain::LeadFields,
    entry::{Entry, Kind},
    log::Log,
    merkle,
    node::Node,
    note::Cosignature,
    rpc::pb,
    telemetry::SystemClock,
    tls::EndpointUrl,
};

/// The county, Zhejiang, and a Guangdong that the test plays.
pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) cluster: Cluster,
    pub(crate) forger: Forger,
    /// Leads to the county, each once.
    pub(crate) leads: std::vec::IntoIter<LeadFields>,
    others: std::vec::IntoIter<LeadFields>,
}

/// The county alone, with what it remembers of Guangdong.
pub(crate) struct Restarted {
    _dir: tempfile::TempDir,
    config: Config,
    pub(crate) node: Node,
    pub(crate) endpoint: EndpointUrl,
    pub(crate) forger: Forger,
    pub(crate) leads: std::vec::IntoIter<LeadFields>,
}

impl Restarted {
    /// Stopped and started once more.
    pub(crate) async fn again(mut self) -> Self {
        self.node.stop().await;
        drop(self.node);
        let clock = Arc::new(SystemClock);
        let node = Node::start_with(&self.config, clock, eager()).await;
        self.node = node.unwrap();
        self
    }

    pub(crate) async fn line(&self) -> Line {
        Line::open(&self.endpoint, COUNTY, GUANGDONG, hello())
            .await
            .unwrap()
    }
}

/// What the sample says of Zhejiang's leads, as leads that point to the county.
fn leads_to_the_county() -> Vec<LeadFields> {
    leads_to(GUANGDONG)
        .into_iter()
        .map(|mut fields| {
            fields.destination_code = COUNTY.to_owned();
            fields.destination_place.clear();
            fields
        })
        .collect()
}

impl World {
    /// The county and Zhejiang, and a Guangdong of which the county has verified something.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = cluster(dir.path(), &[COUNTY, ZHEJIANG]).await;
        let mut forger = Forger::new(GUANGDONG);
        // Nobody listens there.
        let nowhere = "https://127.0.0.1:1".parse().unwrap();
        let card = forger.card(&nowhere);
        let endpoint = cluster.member(COUNTY).config.listen.endpoint.clone();
        introduce(&endpoint, COUNTY, &card).await;
        let mut leads = leads_to_the_county().into_iter();
        let first = forger.lead(COUNTY, &leads.next().unwrap());
        let mut line = Line::open(&endpoint, COUNTY, GUANGDONG, hello())
            .await
            .unwrap();
        let answers = line.deliver(&forger, &[first]).await;
        let mut world = Self {
            dir,
            cluster,
            forger,
            leads,
            others: leads_to(ZHEJIANG).into_iter(),
        };
        let (_, entry) = world.proved(&answers, 0);
        assert!(matches!(entry.kind, Kind::DispatchReceived(_)));
        world.goes_on().await;
        world
    }

    /// The county and its partner, started again; Zhejiang does not run any more.
    pub(crate) async fn restarted(self) -> Restarted {
        self.cluster.stop().await;
        let mut members = self.cluster.into_members();
        members.truncate(1);
        let Member {
            mut config, node, ..
        } = members.remove(0);
        drop(node);
        // Nobody is there to be waited for.
        config.exchange.start_wait = std::time::Duration::from_millis(100);
        let node = Node::start_with(&config, Arc::new(SystemClock), eager())
            .await
            .unwrap();
        Restarted {
            _dir: self.dir,
            node,
            endpoint: config.listen.endpoint.clone(),
            config,
            forger: self.forger,
            leads: self.leads,
        }
    }

    pub(crate) fn log(&self) -> &Log {
        self.cluster.member(COUNTY).node.log()
    }

    pub(crate) fn endpoint(&self) -> EndpointUrl {
        self.cluster.member(COUNTY).config.listen.endpoint.clone()
    }

    pub(crate) async fn line(&self) -> Line {
        Line::open(&self.endpoint(), COUNTY, GUANGDONG, hello())
            .await
            .unwrap()
    }

    /// One answer, once its proof and the county's cosignature are verified.
    pub(crate) fn proved(&self, answers: &pb::Answers, nth: usize) -> (u64, Entry) {
        let key = self.log().verifier_key();
        let head = key.verify(&answers.checkpoint).unwrap();
        let answer = &answers.answers[nth];
        let inclusion = merkle::proof_from_bytes(&answer.inclusion).unwrap();
        merkle::verify_inclusion(
            &merkle::leaf_hash(&answer.entry),
            answer.index,
            head.size(),
            &inclusion,
            head.root(),
        )
        .unwrap();
        let cosignature = Cosignature {
            at_seconds: answers.cosigned_at_s,
            signature: answers.cosignature.as_ref().try_into().unwrap(),
        };
        key.verify_cosignature(self.forger.head().checkpoint(), &cosignature)
            .unwrap();
        (answer.index, Entry::decode(&answer.entry).unwrap())
    }

    /// The county's log verifies, and it exchanges with Zhejiang.
    pub(crate) async fn goes_on(&mut self) {
        verify(self.log());
        let lead = self.others.next().unwrap();
        honest_traffic_flows(&self.cluster, &lead).await;
    }
}

pub(crate) fn received(log: &Log) -> usize {
    count(log, |kind| matches!(kind, Kind::DispatchReceived(_)))
}

pub(crate) fn flip(bytes: &mut bytes::Bytes) {
    let mut changed = bytes.to_vec();
    changed[0] ^= 1;
    *bytes = changed.into();
}

pub(crate) fn note(head: &yichuan::note::SignedCheckpoint) -> bytes::Bytes {
    head.note().as_bytes().to_vec().into()
}
