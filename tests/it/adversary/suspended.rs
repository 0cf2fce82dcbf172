//! A partner that is cut off while it is at it, and what waits for it.

use super::{
    hostile::{Line, hello},
    sender::World,
    world::{
        COUNTY, GUANGDONG, channel, code, count, kept, leads_to, listed, partners_as, propose, push,
    },
};
use tonic::Code;
use yichuan::{
    access::{Grounds, Principal, Purpose, Role},
    cli::demo::cluster::grounds,
    domain::EntryId,
    entry::{Cause, Entry, Kind},
    log::{Proposal, TxnError},
    rpc::pb,
    tls::EndpointUrl,
};

const RESUME: i32 = pb::PartnerChange::Resume as i32;
const REMOVE: i32 = pb::PartnerChange::Remove as i32;

fn supervising() -> Option<pb::Grounds> {
    Some(grounds(COUNTY, Purpose::Supervision))
}

async fn suspend(endpoint: &EndpointUrl, who: &str) -> Result<pb::PartnerChanged, tonic::Status> {
    let request = pb::SuspendPartnerRequest {
        grounds: supervising(),
        jurisdiction: GUANGDONG.to_owned(),
    };
    let mut client = partners_as(endpoint, COUNTY, who);
    let suspended = client.suspend_partner(request);
    Ok(suspended.await?.into_inner())
}

async fn draft(endpoint: &EndpointUrl, who: &str, change: i32) -> Result<(), tonic::Status> {
    let request = pb::DraftPartnerChangeRequest {
        grounds: supervising(),
        jurisdiction: GUANGDONG.to_owned(),
        change,
    };
    let mut client = partners_as(endpoint, COUNTY, who);
    let drafted = client.draft_partner_change(request);
    drafted.await.map(drop)
}

async fn approve(endpoint: &EndpointUrl, who: &str, change: i32) -> Result<(), tonic::Status> {
    let request = pb::ApprovePartnerChangeRequest {
        grounds: supervising(),
        jurisdiction: GUANGDONG.to_owned(),
        change,
    };
    let mut client = partners_as(endpoint, COUNTY, who);
    let approved = client.approve_partner_change(request);
    approved.await.map(drop)
}

/// Whether an officer of Guangdong is let in.
async fn officer_comes_in(endpoint: &EndpointUrl) -> bool {
    let officer = channel(endpoint, COUNTY, GUANGDONG, "officer-001");
    let listing = pb::records_client::RecordsClient::new(officer)
        .list_records(pb::ListRecordsRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(grounds(GUANGDONG, Purpose::Screening)),
            ..pb::ListRecordsRequest::default()
        })
        .await;
    listing.is_ok()
}

#[tokio::test]
async fn a_suspended_partner_is_cut_off_at_once_and_comes_back_by_two_people() {
    let mut world = World::new().await;
    let endpoint = world.endpoint();
    let mut line = world.line().await;
    let refused = suspend(&endpoint, "admin-001").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");

    let suspended = suspend(&endpoint, "supervisor-001").await.unwrap();
    let partner = suspended.partner.unwrap();
    assert_eq!(partner.state, pb::PartnerState::Suspended as i32);
    assert!(suspended.cut >= 1, "the stream's connection is not cut");
    line.answers().await.unwrap_err();
    let opening = Line::open(&endpoint, COUNTY, GUANGDONG, hello()).await;
    assert!(opening.is_err(), "its node comes in");
    assert!(!officer_comes_in(&endpoint).await, "its officer comes in");
    let refused = suspend(&endpoint, "supervisor-001").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");

    // What goes to it is taken, and goes to nobody else.
    push(&endpoint, COUNTY, &leads_to(GUANGDONG)[..1]).await;
    let listed_now = listed(&endpoint, COUNTY, GUANGDONG).await;
    assert_eq!((listed_now.outbox, listed_now.connected), (1, false));
    world.goes_on().await;

    // One person resumes nothing.
    let refused = approve(&endpoint, "supervisor-001", RESUME)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    draft(&endpoint, "supervisor-001", RESUME).await.unwrap();
    let refused = approve(&endpoint, "supervisor-001", RESUME)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    let refused = approve(&endpoint, "supervisor-001", REMOVE)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    draft(&endpoint, "admin-001", RESUME).await.unwrap();
    approve(&endpoint, "supervisor-001", RESUME).await.unwrap();
    let line = world.line().await;
    assert_eq!(line.base, world.forger.size());
    assert!(
        count(world.log(), |kind| matches!(
            kind,
            Kind::PartnerResumed { .. }
        )) == 1
    );
}

#[tokio::test]
async fn what_was_verified_of_a_partner_outlives_its_removal_and_a_restart() {
    let world = World::new().await;
    let endpoint = world.endpoint();
    let verified = world.forger.size();
    draft(&endpoint, "admin-001", REMOVE).await.unwrap();
    approve(&endpoint, "supervisor-001", REMOVE).await.unwrap();
    assert!(
        Line::open(&endpoint, COUNTY, GUANGDONG, hello())
            .await
            .is_err()
    );
    let county = world.restarted().await;
    let opening = Line::open(&county.endpoint, COUNTY, GUANGDONG, hello()).await;
    assert!(opening.is_err(), "a start lets it in again");
    let removed = listed(&county.endpoint, COUNTY, GUANGDONG).await;
    assert_eq!(removed.state, pb::PartnerState::Removed as i32);

    // It comes back as any partner comes, by a card that two people take; and is known.
    let nowhere = "https://127.0.0.1:1".parse().unwrap();
    let card = county.forger.card(&nowhere);
    propose(&county.endpoint, COUNTY, &card).await.unwrap();
    super::world::approve(&county.endpoint, COUNTY, &card, (&[], ""))
        .await
        .unwrap();
    assert_eq!(county.line().await.base, verified);
    county.node.stop().await;
}

#[tokio::test]
async fn a_suspension_outlives_a_restart_and_another_card() {
    let world = World::new().await;
    let endpoint = world.endpoint();
    suspend(&endpoint, "supervisor-001").await.unwrap();
    let nowhere = "https://127.0.0.1:1".parse().unwrap();
    let card = world.forger.card(&nowhere);
    propose(&endpoint, COUNTY, &card).await.unwrap();
    let approved = super::world::approve(&endpoint, COUNTY, &card, (&[], "")).await;
    assert_eq!(approved.unwrap().state, pb::PartnerState::Suspended as i32);
    assert!(
        Line::open(&endpoint, COUNTY, GUANGDONG, hello())
            .await
            .is_err()
    );
    let county = world.restarted().await;
    let opening = Line::open(&county.endpoint, COUNTY, GUANGDONG, hello()).await;
    assert!(opening.is_err(), "a start lets it in again");
    county.node.stop().await;
}

/// A delivery that was queued behind the entry that suspended its partner became an entry all the same.
#[tokio::test]
async fn regression_nothing_of_a_partner_is_kept_behind_the_entry_that_suspends_it() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    // The entry alone: the stream does not hear of it.
    let suspended = world.log().propose(Proposal::new(|txn| {
        let entry = Entry {
            time: txn.now(),
            id: EntryId::new(txn.now()),
            cause: Cause {
                principal: Principal::person(code(COUNTY), Role::Supervisor, "001").unwrap(),
                grounds: Some(Grounds::parse("supervision", "campaign:520624-2026-01").unwrap()),
            },
            kind: Kind::PartnerSuspended {
                jurisdiction: code(GUANGDONG),
            },
        };
        txn.append(entry.encode())?;
        Ok::<_, TxnError>(())
    }));
    suspended.await.unwrap();
    let before = kept(world.log());
    let delivered = line.try_deliver(&world.forger, std::slice::from_ref(&parcel), |_| {});
    let refused = delivered.await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert!(kept(world.log()) == before);
    world.goes_on().await;
}
