//! What records say, asked for in each way that there is by people of a partner at an honest node.

use super::{
    leads,
    people::{NAME, PLACE, Records, SUBSTANCE, World, notice, whole},
    world::{COUNTY, GUANGDONG},
};
use tonic::{Code, Status};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::grounds,
    rpc::pb::{
        self, caught_client::CaughtClient, desk_client::DeskClient,
        referrals_client::ReferralsClient,
    },
};

const NEVER: &str = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";

/// What is found by asking for it: ids, and where the next page starts.
type Found = (Vec<String>, Option<u64>);

impl World {
    /// Asks for what records say, by each way that there is; what is found.
    async fn searched(&self, of: &str, who: &str) -> Vec<Found> {
        let stated = || Some(grounds(of, Purpose::Case));
        let channel = self.dial(of, who);
        let mut found = Vec::new();
        let mut desk = DeskClient::new(channel.clone());
        for n in [1, 2] {
            let request = pb::ListLeadsRequest {
                grounds: stated(),
                resident_number: leads::resident_number(n),
                override_assignment: true,
                ..Default::default()
            };
            let page = desk.list_leads(request).await.unwrap().into_inner();
            let ids = page.leads.into_iter().map(|lead| lead.lead_id);
            found.push((ids.collect(), page.next_after));
        }
        let any = pb::ListReferralsRequest::default;
        let about = [
            pb::ListReferralsRequest {
                subject_number: leads::resident_number(1),
                ..any()
            },
            pb::ListReferralsRequest {
                subject_name: NAME.into(),
                ..any()
            },
            pb::ListReferralsRequest {
                place_code: PLACE.into(),
                ..any()
            },
            pb::ListReferralsRequest {
                substance: SUBSTANCE.into(),
                ..any()
            },
            pb::ListReferralsRequest {
                subject_name: NAME.into(),
                substance: SUBSTANCE.into(),
                ..any()
            },
        ];
        let mut referrals = ReferralsClient::new(channel.clone());
        for about in about {
            let request = pb::ListReferralsRequest {
                grounds: stated(),
                override_assignment: true,
                // Which is where a cursor would say how many there are.
                limit: 1,
                ..about
            };
            let page = referrals.list_referrals(request).await.unwrap();
            let page = page.into_inner();
            let ids = page.referrals.into_iter().map(|it| it.referral_id);
            found.push((ids.collect(), page.next_after));
        }
        let mut caught = CaughtClient::new(channel);
        for (number, name) in [(true, false), (false, true), (true, true)] {
            let request = pb::ListCaughtRequest {
                grounds: stated(),
                resident_number: if number {
                    notice().resident_number
                } else {
                    String::new()
                },
                name: if name { notice().name } else { String::new() },
                ..Default::default()
            };
            let page = caught.list_caught(request).await.unwrap().into_inner();
            let ids = page.notices.into_iter().map(|it| it.caught_id);
            found.push((ids.collect(), page.next_after));
        }
        found
    }

    /// Asks where records stand; why not, where it is not said.
    async fn stands(
        &self,
        who: &str,
        records: &Records,
        caught: &str,
    ) -> [Result<String, Status>; 3] {
        let stated = || Some(grounds(GUANGDONG, Purpose::Case));
        let channel = self.dial(GUANGDONG, who);
        let lead = pb::ShowLeadRequest {
            grounds: stated(),
            lead_id: records.lead.clone(),
            standing_only: true,
            override_assignment: true,
        };
        let referral = pb::ShowReferralRequest {
            grounds: stated(),
            referral_id: records.referral.clone(),
            standing_only: true,
            override_assignment: true,
        };
        let caught_id = caught.to_owned();
        let notice = pb::ShowCaughtRequest {
            grounds: stated(),
            caught_id,
            standing_only: true,
        };
        let mut referrals = ReferralsClient::new(channel.clone());
        [
            whole(DeskClient::new(channel.clone()).show_lead(lead).await),
            whole(referrals.show_referral(referral).await),
            whole(CaughtClient::new(channel).show_caught(notice).await),
        ]
    }
}

#[tokio::test]
async fn people_of_a_partner_find_nothing_by_what_records_say_and_see_that_theirs_are_there() {
    let world = World::new().await;
    // Whose they are finds them, so that these are the right questions.
    let own = world.searched(COUNTY, "officer-001").await;
    assert!(own.iter().all(|(ids, _)| !ids.is_empty()), "{own:?}");
    let nothing: Vec<Found> = own.iter().map(|_| (Vec::new(), None)).collect();
    for who in ["officer-001", "supervisor-001"] {
        let before = world.looks(GUANGDONG, who);
        assert_eq!(world.searched(GUANGDONG, who).await, nothing, "{who}");
        let after = world.looks(GUANGDONG, who);
        assert_eq!(after - before, nothing.len(), "{who} leaves no trace");

        // Assigned or not, they see the same of theirs: that it is there.
        for (nth, records) in world.theirs.iter().enumerate() {
            let before = world.looks(GUANGDONG, who);
            let said = world.stands(who, records, &world.caught).await;
            let ids = [&records.lead, &records.referral, &world.caught];
            for (said, id) in said.into_iter().zip(ids) {
                let said = said.unwrap();
                assert!(said.contains(&**id), "{said}");
                world.tells_nothing(who, &said);
            }
            // The notice is the same both times, and so is the look at it.
            let looks = world.looks(GUANGDONG, who) - before;
            assert_eq!(looks, 3 - nth, "{who} leaves no trace");
        }
        for path in [
            "Desk/ListLeads",
            "Referrals/ListReferrals",
            "Referrals/WatchReferrals",
            "Caught/ListCaught",
        ] {
            let stated = grounds(GUANGDONG, Purpose::Case);
            let channel = world.dial(GUANGDONG, who);
            let call = world.call(path, channel, stated, &world.others);
            let said = call.await.unwrap();
            let [assigned, free] = &world.theirs;
            let ids = match path {
                "Desk/ListLeads" => vec![&assigned.lead, &free.lead],
                "Caught/ListCaught" => vec![&world.caught],
                _ => vec![&assigned.referral, &free.referral],
            };
            let all = path == "Referrals/WatchReferrals";
            let there = |id: &&String| said.contains(&***id);
            // A stream is read as far as it has come.
            let there = if all {
                ids.iter().any(there)
            } else {
                ids.iter().all(there)
            };
            assert!(there, "{path}: {said}");
        }
        // What is not theirs is to them as what never was: by no word, and with no trace of a look.
        let before = world.looks(GUANGDONG, who);
        let never = Records {
            lead: NEVER.into(),
            referral: NEVER.into(),
        };
        let refusals = async |records: &Records| {
            let said = world.stands(who, records, NEVER).await;
            let mut said: Vec<_> = said.into_iter().map(Result::unwrap_err).collect();
            for path in ["Desk/ShowLead", "Referrals/ShowReferral"] {
                let stated = grounds(GUANGDONG, Purpose::Case);
                let channel = world.dial(GUANGDONG, who);
                let call = world.call(path, channel, stated, records);
                said.push(call.await.unwrap_err());
            }
            let said = said.into_iter().map(|status| {
                let message = status.message().to_owned();
                let message = message.replace(&records.lead, "…");
                let message = message.replace(&records.referral, "…");
                (status.code(), message.replace(NEVER, "…"))
            });
            said.collect::<Vec<_>>()
        };
        let hidden = refusals(&world.others).await;
        assert!(hidden.iter().all(|(code, _)| *code == Code::NotFound));
        assert_eq!(hidden, refusals(&never).await);
        assert_eq!(world.looks(GUANGDONG, who), before);
    }
    world.cluster.stop().await;
}
