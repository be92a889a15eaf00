//! What a switch reports, from the first event to the final record.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::{CallState, Direction};
use iradialer_core::value::{CallUuid, CampaignName};
use iradialer_core::wire::EventBody;

#[tokio::test]
async fn a_call_from_request_to_final_record() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let picked = tdb.pick(&tenant(), &campaign(), 10, NOW).await.unwrap();
    assert_eq!(picked.len(), 1);
    let try1 = assignment(call_uuid, picked[0].attempt);
    assert!(
        tdb.assign(REGION, try1.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    assert!(
        !tdb.assign(REGION, try1.clone(), NOW)
            .await
            .unwrap()
            .is_yes(),
        "assigned once"
    );
    assert!(!tdb.mark_dialing(call_uuid, 1).await.unwrap());
    let open = tdb.open_attempts(Some(&try1.node_id)).await.unwrap();
    assert_eq!(open[0].assignment, try1);
    assert_eq!(tdb.live_counts().await.unwrap().by_trunk[&try1.trunk], 1);

    for (seq, body) in [
        (1, started()),
        (2, ringing()),
        (3, answered()),
        (4, hangup(true, Some(200))),
    ] {
        let applied = stored(&tdb, event(&try1, seq, body)).await;
        let Applied::Stored {
            seq: place,
            ended,
            webhook,
            ..
        } = applied
        else {
            panic!("{applied:?}")
        };
        assert_eq!((place, ended, webhook), (seq + 1, seq == 4, true));
    }

    let call = tdb.call(&tenant(), call_uuid).await.unwrap().unwrap();
    assert_eq!(call.state, CallState::Completed);
    assert_eq!(call.answered_ms, Some(NOW + 3_000));
    let ended = call.ended.unwrap();
    assert_eq!((ended.sip_status, ended.billsec_ms), (Some(200), 2_000));
    assert_eq!(ended.variables["menu"], "1");
    let events = tdb.events(call_uuid, 0, 100).await.unwrap();
    let names: Vec<_> = events
        .iter()
        .map(|event| (event.seq, event.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (1, "queued"),
            (2, "started"),
            (3, "ringing"),
            (4, "answered"),
            (5, "hangup")
        ]
    );
    assert_eq!(events.iter().filter(|event| event.is_final).count(), 1);
    assert_eq!(tdb.live_counts().await.unwrap(), LiveCounts::default());
}

#[tokio::test]
async fn an_event_that_comes_twice_is_stored_once() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    let start = event(&try1, 1, started());
    assert!(matches!(
        stored(&tdb, start.clone()).await,
        Applied::Stored { seq: 2, .. }
    ));
    assert_eq!(stored(&tdb, start).await, Applied::Duplicate);
    assert_eq!(tdb.events(call_uuid, 0, 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_gap_is_waited_for_or_stored_as_told() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    let late = event(&try1, 3, answered());
    assert_eq!(
        stored(&tdb, late.clone()).await,
        Applied::Early { expected: 1 }
    );
    let applied = tdb
        .apply_event(late, OutOfOrder::Store, &trunks(&["chime"]), NOW)
        .await
        .unwrap();
    assert!(matches!(
        applied,
        Applied::Stored {
            seq: 2,
            state: CallState::Answered,
            ..
        }
    ));
    // What comes after all takes its place in the story, and moves nothing back.
    let applied = stored(&tdb, event(&try1, 2, ringing())).await;
    assert!(matches!(
        applied,
        Applied::Stored {
            seq: 3,
            state: CallState::Answered,
            ..
        }
    ));
}

#[tokio::test]
async fn nothing_follows_the_final_record() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    assert!(
        tdb.end(
            lead(),
            call_uuid,
            1,
            GatewayEnd::Unknown,
            "the switch is gone",
            NOW
        )
        .await
        .unwrap()
    );
    assert!(
        !tdb.end(lead(), call_uuid, 1, GatewayEnd::Unknown, "again", NOW)
            .await
            .unwrap()
    );
    // The switch was not gone after all: what it says is kept, but the end was told already.
    let applied = stored(&tdb, event(&try1, 1, started())).await;
    assert!(matches!(
        applied,
        Applied::Stored {
            ended: false,
            webhook: false,
            ..
        }
    ));
    let applied = stored(&tdb, event(&try1, 2, hangup(false, Some(486)))).await;
    assert!(matches!(
        applied,
        Applied::Stored {
            ended: false,
            webhook: false,
            ..
        }
    ));
    let call = tdb.call(&tenant(), call_uuid).await.unwrap().unwrap();
    assert_eq!(call.state, CallState::Unknown);
    assert_eq!(
        call.ended.unwrap().fault.as_deref(),
        Some("the switch is gone")
    );
    let finals = tdb.events(call_uuid, 0, 100).await.unwrap();
    assert_eq!(finals.iter().filter(|event| event.is_final).count(), 1);
}

#[tokio::test]
async fn a_call_begun_at_the_switch_gets_a_row() {
    let (tdb, _dir) = open().await;
    let begun = assignment(CallUuid::fresh(), 1);
    stored(&tdb, event(&begun, 1, started())).await;
    let call = tdb.call(&tenant(), begun.call_uuid).await.unwrap().unwrap();
    assert_eq!(
        (call.origin, call.state),
        (Origin::Switch, CallState::Dialing)
    );
    assert_eq!(call.to_number, "+15005550006");
    stored(&tdb, event(&begun, 2, hangup(false, Some(486)))).await;
    let call = tdb.call(&tenant(), begun.call_uuid).await.unwrap().unwrap();
    assert_eq!(call.state, CallState::Busy);
}

#[tokio::test]
async fn a_call_that_came_in_has_its_campaign_and_its_webhook_and_teaches_nothing_of_trunks() {
    let (tdb, _dir) = open().await;
    let begun = assignment(CallUuid::fresh(), 1);
    let body = EventBody::Started {
        to_number: "+15005550150".to_owned(),
        from_number: "+15005550199".to_owned(),
        trunk: begun.trunk.clone(),
        direction: Direction::Inbound,
        campaign_name: Some(CampaignName::parse("campaign_name", "callers").unwrap()),
    };
    let url = "https://hooks.example/in".to_owned();
    let trunks = trunks(&["chime"]);
    let first = event(&begun, 1, body);
    let applied = tdb
        .apply_event_told(first, OutOfOrder::Hold, &trunks, Some(url.clone()), NOW)
        .await;
    assert!(
        matches!(applied, Ok(Applied::Stored { webhook: true, .. })),
        "{applied:?}"
    );
    let call = tdb.call(&tenant(), begun.call_uuid).await.unwrap().unwrap();
    assert_eq!(
        (call.origin, call.origin.direction()),
        (Origin::Inbound, Direction::Inbound)
    );
    assert_eq!(call.campaign_name, "callers");
    assert_eq!(call.event_url, Some(url));
    let open_calls = tdb.open_switch_calls().await.unwrap();
    assert_eq!(open_calls.len(), 1);
    // A caller who left is no refusal of a trunk.
    let last = event(&begun, 2, hangup(false, Some(503)));
    let applied = tdb.apply_event(last, OutOfOrder::Hold, &trunks, NOW).await;
    let Ok(Applied::Stored { trunk, ended, .. }) = applied else {
        panic!("{applied:?}")
    };
    assert!(ended && trunk.is_none(), "{trunk:?}");
    assert!(tdb.open_switch_calls().await.unwrap().is_empty());
}
