//! The rows that stay of the tries.

use super::stored;
use crate::tdb::row::{get, json, number};
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::EventBody;

/// What came of each try at the call, with the reason.
async fn outcomes(tdb: &Tdb, call_uuid: CallUuid) -> Vec<(u32, Option<String>, Option<String>)> {
    let rows = sqlx::query("SELECT * FROM attempts WHERE call_uuid = $1 ORDER BY attempt")
        .bind(call_uuid.to_string())
        .fetch_all(&tdb.readers)
        .await
        .unwrap();
    let outcome = |row| {
        let attempt = number(row, "attempt").unwrap();
        let outcome = get(row, "outcome").unwrap();
        (attempt, outcome, get(row, "outcome_reason").unwrap())
    };
    rows.iter().map(outcome).collect()
}

async fn assigned(tdb: &Tdb, call_uuid: CallUuid, attempt: u32) -> Assignment {
    let assignment = assignment(call_uuid, attempt);
    assert!(
        tdb.assign(REGION, assignment.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    assignment
}

#[tokio::test]
async fn each_try_leaves_what_was_decided_and_what_came_of_it() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assigned(&tdb, call_uuid, 1).await;
    assert_eq!(outcomes(&tdb, call_uuid).await, [(1, None, None)]);
    let row = sqlx::query("SELECT * FROM attempts").fetch_one(&tdb.readers);
    let row = row.await.unwrap();
    assert_eq!(
        json::<serde_json::Value>(&row, "why").unwrap(),
        try1.why,
        "the decision as the router gave it"
    );
    assert_eq!(
        number::<u64>(&row, "not_after_ms").unwrap(),
        try1.not_after_ms
    );

    tdb.requeue(lead(), call_uuid, 1, "busy", NOW, NOW)
        .await
        .unwrap();
    let try2 = assigned(&tdb, call_uuid, 2).await;
    stored(&tdb, event(&try2, 1, started())).await;
    stored(&tdb, event(&try2, 2, answered())).await;
    stored(&tdb, event(&try2, 3, hangup(true, None))).await;
    let ended = Some("ended".to_owned());
    let all = [
        (1, Some("not_dialled".to_owned()), Some("busy".to_owned())),
        (2, ended, Some("completed".to_owned())),
    ];
    assert_eq!(outcomes(&tdb, call_uuid).await, all);
}

#[tokio::test]
async fn a_try_that_was_given_up_stays_so() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assigned(&tdb, call_uuid, 1).await;
    let end = GatewayEnd::Unknown;
    assert!(
        tdb.end(lead(), call_uuid, 1, end, "nobody can say", NOW)
            .await
            .unwrap()
    );
    stored(&tdb, event(&try1, 1, started())).await;
    stored(&tdb, event(&try1, 2, hangup(false, Some(486)))).await;
    let reason = Some("nobody can say".to_owned());
    assert_eq!(
        outcomes(&tdb, call_uuid).await,
        [(1, Some("given_up".to_owned()), reason)]
    );
}

#[tokio::test]
async fn an_assignment_that_came_too_late_leaves_nothing() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let mut stale = assignment(call_uuid, 1);
    stale.epoch -= 1;
    assert!(!tdb.assign(REGION, stale, NOW).await.unwrap().is_yes());
    assert_eq!(outcomes(&tdb, call_uuid).await, []);
}

#[tokio::test]
async fn a_try_that_a_carrier_refused_keeps_what_it_said() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assigned(&tdb, call_uuid, 1).await;
    stored(&tdb, event(&try1, 1, started())).await;
    let EventBody::Hangup(mut refusal) = hangup(false, Some(503)) else {
        unreachable!()
    };
    refusal.rang = false;
    refusal.sip_phrase = Some("Service Unavailable".to_owned());
    let last = event(&try1, 2, EventBody::Hangup(refusal));
    let both = trunks(&["chime", "twilio"]);
    let applied = tdb.apply_event(last, OutOfOrder::Hold, &both, NOW).await;
    assert!(matches!(applied, Ok(Applied::Stored { ended: false, .. })));
    let said = Some("503 Service Unavailable".to_owned());
    assert_eq!(
        outcomes(&tdb, call_uuid).await,
        [(1, Some("queued_again".to_owned()), said)]
    );
}
