//! What is kept so that the path of a call can be explained.

use crate::tdb::test_support::*;
use crate::tdb::*;
use serde_json::json;

#[tokio::test]
async fn a_call_that_goes_its_usual_way_has_no_decisions() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let this = assignment(call_uuid, 1);
    assert!(
        tdb.assign(REGION, this.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    assert_eq!(tdb.decisions(call_uuid).await.unwrap(), []);
    let attempts = tdb.attempts(call_uuid).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].assigned_ms, &attempts[0].why),
        (NOW, &this.why)
    );
    assert_eq!(attempts[0].outcome, None);
}

#[tokio::test]
async fn what_put_a_call_off_is_kept_with_it() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let until_ms = NOW + 60_000;
    for _ in 0..2 {
        let until = vec![(call_uuid, until_ms)];
        tdb.postpone(until, "outside_hours", NOW).await.unwrap();
    }
    let decisions = tdb.decisions(call_uuid).await.unwrap();
    assert_eq!(decisions.len(), 1, "once for each time it is put off");
    assert_eq!(decisions[0].what, "put_off");
    let expected = json!({"reason": "outside_hours", "until_ms": until_ms});
    assert_eq!(decisions[0].data, expected);
}

#[tokio::test]
async fn what_a_switch_says_again_and_again_is_kept_once() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    for (said, now_ms) in [("live", NOW), ("live", NOW + 1), ("ended", NOW + 2)] {
        let data = json!({"node": "switch-1", "said": said});
        tdb.note_asked(call_uuid, 1, data, now_ms).await.unwrap();
    }
    let decisions = tdb.decisions(call_uuid).await.unwrap();
    let said: Vec<_> = decisions
        .iter()
        .map(|d| (d.at_ms, &d.data["said"]))
        .collect();
    assert_eq!(said, [(NOW, &json!("live")), (NOW + 2, &json!("ended"))]);
}

#[tokio::test]
async fn a_queued_call_has_its_place() {
    let (tdb, _dir) = open().await;
    let mut calls = Vec::new();
    for (priority, created_ms) in [(5, NOW), (5, NOW + 1), (9, NOW + 2), (1, NOW + 3)] {
        let call = NewCall {
            priority,
            created_ms,
            ..new_call()
        };
        calls.push(call.call_uuid);
        tdb.accept(call).await.unwrap();
    }
    let mut ahead = Vec::new();
    for call in calls {
        let call = tdb.call(&tenant(), call).await.unwrap().unwrap();
        ahead.push(tdb.calls_ahead(&call, 2, NOW + 9).await.unwrap());
    }
    assert_eq!(ahead, [1, 2, 0, 2], "counted up to the limit");
}

#[tokio::test]
async fn the_last_view_of_the_switches_is_kept() {
    let (tdb, _dir) = open().await;
    assert_eq!(tdb.switch_view(REGION).await.unwrap(), None);
    for n in 0..2 {
        let switches = json!([{"node": "sw1", "calls": n}]);
        tdb.keep_switch_view(REGION, switches, Vec::new(), NOW + n)
            .await
            .unwrap();
    }
    let view = tdb.switch_view(REGION).await.unwrap().unwrap();
    assert_eq!(
        (view.at_ms, &view.switches[0]["calls"]),
        (NOW + 1, &json!(1))
    );
    let ends_ms = tdb.lease_ends_ms(REGION).await.unwrap();
    assert_eq!(ends_ms, Some(NOW + 60_000));
    assert_eq!(tdb.lease_ends_ms("elsewhere").await.unwrap(), None);
}
