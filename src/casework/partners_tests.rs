use super::{
    super::partner_rows::{DRAFTS, DRAFTS_PER_PERSON, put},
    *,
};
use crate::{
    access::{Grounds, Policy, Principal, Purpose, Role, Units},
    casework::Views,
    domain::{Clock, Timestamp},
    log::LogOptions,
    note::LogSigner,
    store::{DiskReserve, KeyFile, MemoryStore},
};

const OWN: &str = "520624";

/// Reads `<code> <number>`.
#[derive(Debug)]
struct PlainCards;

impl CardReader for PlainCards {
    fn read(&self, card: &[u8]) -> Result<Partner, String> {
        let text = std::str::from_utf8(card).map_err(|_| "not text")?;
        let (code, number) = text.split_once(' ').ok_or("not a card")?;
        Ok(Partner {
            code: code.parse().map_err(|_| "no code")?,
            name: "somewhere".to_owned(),
            endpoint: "https://127.0.0.1:1".to_owned(),
            key: signer(code).verifier_key(),
            ca: Vec::new(),
            issued: (
                jiff::civil::date(2026, 3, 5),
                number.parse().map_err(|_| "no number")?,
            ),
        })
    }

    fn fits(&self, _: &Partner, _: Option<&[u8]>) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_772_640_000_000)
    }
}

fn signer(of: &str) -> LogSigner {
    LogSigner::from_seed(&format!("{of}.yichuan/log/1"), &[7; 32]).unwrap()
}

struct World {
    dir: tempfile::TempDir,
    log: Log,
    vault: Arc<Vault>,
    casework: PartnerAdmin,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyFile::at(dir.path().join("bucket.keys"));
    let vault = Arc::new(Vault::open(keys, true).unwrap());
    let cards: Arc<dyn CardReader> = Arc::new(PlainCards);
    let own: Jurisdiction = OWN.parse().unwrap();
    let mut options = LogOptions::new(signer(OWN), Arc::new(Still), dir.path().join("checkpoint"));
    let views = Views::new(own, &vault, Arc::clone(&cards));
    options.views.push(Box::new(views));
    let log = Log::open(Arc::new(MemoryStore::new()), options).unwrap();
    let casework = PartnerAdmin::new(log.clone(), own, cards, Arc::clone(&vault));
    World {
        dir,
        log,
        vault,
        casework,
    }
}

fn permit<A: crate::access::Act>(role: Role, number: &str, act: A) -> Permit<A> {
    let own = OWN.parse().unwrap();
    let policy = Policy {
        own,
        auditors: BTreeSet::new(),
        units: Units::default(),
    };
    let who = Principal::person(own, role, number).unwrap();
    let grounds = Grounds {
        purpose: Purpose::Supervision,
        basis: "campaign:520624-2026-01".parse().unwrap(),
    };
    policy.authorize(&who, grounds, act).unwrap()
}

fn card(code: usize, number: usize) -> Vec<u8> {
    format!("{code} {number}").into_bytes()
}

impl World {
    async fn propose(&self, number: &str, card: Vec<u8>) -> Result<PartnerEntry, PartnerRefused> {
        let permit = permit(Role::Officer, number, ProposePartner);
        self.casework.propose(&permit, card).await
    }

    async fn drafts(&self) -> Vec<PartnerEntry> {
        let permit = permit(Role::Officer, "001", ListPartners);
        let all = self.casework.list(&permit).await.unwrap();
        let drafts = all.into_iter().filter(|entry| entry.approved_by.is_none());
        drafts.collect()
    }
}

#[tokio::test]
async fn regression_drafts_without_end_knock_no_partner_off() {
    let world = world();
    let of_province = card(650_000, 0);
    let fingerprint = seal::sha256(&of_province);
    world.propose("001", of_province).await.unwrap();
    let approving = permit(Role::Supervisor, "001", ApprovePartner);
    let code = "650000".parse().unwrap();
    let approved = world
        .casework
        .approve(
            &approving,
            code,
            Approval {
                fingerprint,
                ..Approval::default()
            },
        )
        .await;
    approved.unwrap();
    // As they stand in a store from before drafts gave way.
    for some in (0..9_000).collect::<Vec<_>>().chunks(500) {
        let some = some.to_vec();
        let proposal = Proposal::new(move |txn| -> Result<(), PartnerRefused> {
            for number in some {
                let row = Row {
                    card: String::from_utf8(card(110_001 + number, 0)).unwrap(),
                    proposed_by: "somebody".to_owned(),
                    ..Row::default()
                };
                let code = (110_001 + number).to_string().parse().unwrap();
                put(txn, code, true, &row)?;
            }
            Ok(())
        });
        world.log.propose(proposal).await.unwrap();
    }
    let directory = Directory::default();
    world.casework.refresh(&directory).await.unwrap();
    let partners = directory.snapshot();
    assert_eq!(partners.keys().copied().collect::<Vec<_>>(), [code]);
    assert_eq!(world.drafts().await.len(), 9_000);
    // The next draft clears away what is too much.
    world.propose("001", card(350_000, 0)).await.unwrap();
    let drafts = world.drafts().await;
    assert_eq!(drafts.len(), DRAFTS);
    let newest = |entry: &PartnerEntry| entry.partner.code.as_str() == "350000";
    assert!(drafts.iter().any(newest));
}

#[tokio::test]
async fn whoever_drafts_without_end_loses_their_own_oldest() {
    let world = world();
    world.propose("002", card(650_000, 0)).await.unwrap();
    for number in 0..DRAFTS_PER_PERSON + 10 {
        let drafted = world.propose("001", card(110_001 + number, 0)).await;
        drafted.unwrap();
    }
    let drafts = world.drafts().await;
    let codes: Vec<_> = drafts.iter().map(|entry| entry.partner.code).collect();
    assert_eq!(codes.len(), DRAFTS_PER_PERSON + 1);
    assert_eq!(codes.first().unwrap().as_str(), "110011");
    assert_eq!(codes.last().unwrap().as_str(), "650000");
}

#[tokio::test]
async fn regression_the_same_draft_again_writes_nothing() {
    let world = world();
    world.propose("001", card(440_000, 0)).await.unwrap();
    let before = world.log.checkpoint().size();
    for _ in 0..3 {
        world.propose("001", card(440_000, 0)).await.unwrap();
    }
    assert_eq!(world.log.checkpoint().size(), before);
    // Another card, or another person's word for it, is another draft.
    world.propose("001", card(440_000, 1)).await.unwrap();
    world.propose("002", card(440_000, 1)).await.unwrap();
    assert_eq!(world.log.checkpoint().size(), before + 2);
}

#[tokio::test]
async fn regression_a_disk_that_is_short_takes_no_draft() {
    let world = world();
    // No disk has so much room.
    let reserve = DiskReserve::new(world.dir.path(), u64::MAX);
    reserve.measure().unwrap();
    world.vault.keep_free(Arc::new(reserve));
    let before = world.log.checkpoint().size();
    let refused = world.propose("001", card(440_000, 0)).await.unwrap_err();
    assert!(matches!(refused, PartnerRefused::Disk(_)), "{refused}");
    assert_eq!(world.log.checkpoint().size(), before);
}
