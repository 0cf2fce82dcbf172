//! A partner that takes back what was taken over, and says that it did not know.

use super::{
    recipient::Lie,
    referrals::{Transferred, hash, referral_action},
    world::COUNTY,
};
use yichuan::{
    domain::{Action, content::referral::ReferralFields},
    entry::{Content, Refusal},
    rpc::pb,
};

/// Regression: only what a recall named, and receipts, said what its maker had seen. One that had corrected a transfer after its
/// acceptance, and put that acceptance off for as long as it liked, recalled it as if the two had crossed.
#[tokio::test]
async fn regression_a_recall_does_not_cross_with_what_its_makers_own_step_before_it_names() {
    let mut transfer = Transferred::new().await;
    transfer.recipient.tell(Lie::NotYetBelow(u64::MAX));
    let index = transfer.takes(pb::Action::ReferralAccept).await;
    let accepted = transfer.hash_at(index);
    let again = Content::Referral(Box::new(ReferralFields {
        title: "移送".into(),
        matter: "请依法办理，补充附件。".into(),
        ..Default::default()
    }));
    let (record, action) = (transfer.open.sent.record, referral_action(Action::Correct));
    let correct = transfer
        .guangdong
        .dispatch_but(COUNTY, &again, action, |_, sent| {
            (sent.record, sent.predecessors) = (record, vec![accepted]);
        });
    assert_eq!(transfer.deliver(correct).await, None);
    let recall = transfer.step(Action::Recall, hash(&transfer.open));
    assert_eq!(transfer.deliver(recall).await, Some(Refusal::NotAllowed));
    assert_eq!(transfer.state().await, pb::RecordState::Accepted);
    transfer.cluster.stop().await;
}
