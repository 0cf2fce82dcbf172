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
    rpc::pb::{self, records_client::RecordsClient},
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
        let mut records = RecordsClient::new(channel.clone());
        for n in [1, 2] {
            let request = pb::ListRecordsRequest {
                family: pb::RecordFamily::Lead.into(),
                grounds: stated(),
                resident_number: leads::resident_number(n),
                override_assignment: true,
                ..Default::default()
            };
            let page = records.list_records(request).await.unwrap().into_inner();
            let ids = page.records.into_iter().map(|lead| lead.record_id);
            found.push((ids.collect(), page.next_after));
        }
        let any = pb::ListRecordsRequest::default;
        let about = [
            pb::ListRecordsRequest {
                resident_number: leads::resident_number(1),
                ..any()
            },
            pb::ListRecordsRequest {
                name: NAME.into(),
                ..any()
            },
            pb::ListRecordsRequest {
                place_code: PLACE.into(),
                ..any()
            },
            pb::ListRecordsRequest {
                substance: SUBSTANCE.into(),
                ..any()
            },
            pb::ListRecordsRequest {
                name: NAME.into(),
                substance: SUBSTANCE.into(),
                ..any()
            },
        ];
        let mut referrals = RecordsClient::new(channel.clone());
        for about in about {
            let request = pb::ListRecordsRequest {
                family: pb::RecordFamily::Referral.into(),
                grounds: stated(),
                override_assignment: true,
                // Which is where a cursor would say how many there are.
                limit: 1,
                ..about
            };
            let page = referrals.list_records(request).await.unwrap();
            let page = page.into_inner();
            let ids = page.records.into_iter().map(|it| it.record_id);
            found.push((ids.collect(), page.next_after));
        }
        let mut caught = RecordsClient::new(channel);
        for (number, name) in [(true, false), (false, true), (true, true)] {
            let request = pb::ListRecordsRequest {
                family: pb::RecordFamily::ArrestNotice.into(),
                grounds: stated(),
                resident_number: if number {
                    notice().resident_number
                } else {
                    String::new()
                },
                name: if name { notice().name } else { String::new() },
                ..Default::default()
            };
            let page = caught.list_records(request).await.unwrap().into_inner();
            let ids = page.records.into_iter().map(|it| it.record_id);
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
        let lead = pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: stated(),
            record_id: records.lead.clone(),
            standing_only: true,
            override_assignment: true,
        };
        let referral = pb::ShowRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: stated(),
            record_id: records.referral.clone(),
            standing_only: true,
            override_assignment: true,
        };
        let caught_id = caught.to_owned();
        let notice = pb::ShowRecordRequest {
            family: pb::RecordFamily::ArrestNotice.into(),
            grounds: stated(),
            record_id: caught_id,
            standing_only: true,
            override_assignment: true,
        };
        let mut referrals = RecordsClient::new(channel.clone());
        [
            whole(RecordsClient::new(channel.clone()).show_record(lead).await),
            whole(referrals.show_record(referral).await),
            whole(RecordsClient::new(channel).show_record(notice).await),
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
            "Records/ListRecords lead",
            "Records/ListRecords referral",
            "Records/WatchRecords referral",
            "Records/ListRecords caught",
        ] {
            let stated = grounds(GUANGDONG, Purpose::Case);
            let channel = world.dial(GUANGDONG, who);
            let call = world.call(path, channel, stated, &world.others);
            let said = call.await.unwrap();
            let [assigned, free] = &world.theirs;
            let ids = match path {
                "Records/ListRecords lead" => vec![&assigned.lead, &free.lead],
                "Records/ListRecords caught" => vec![&world.caught],
                _ => vec![&assigned.referral, &free.referral],
            };
            let all = path == "Records/WatchRecords referral";
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
            for path in ["Records/ShowRecord lead", "Records/ShowRecord referral"] {
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
