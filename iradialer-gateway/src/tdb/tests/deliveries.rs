//! Deliveries to webhooks.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;

#[tokio::test]
async fn deliveries_go_in_order_and_a_dead_one_lets_the_next_pass() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try1, 1, started())).await;
    let origin = "https://hooks.example";
    let due = tdb.due_origins().await.unwrap();
    assert_eq!(
        due,
        [DueOrigin {
            origin: origin.to_owned(),
            next_ms: NOW
        }]
    );
    let first = tdb.due_deliveries(origin, 10, NOW).await.unwrap();
    assert_eq!(first.len(), 1, "of a call only the first event that waits");
    assert_eq!(
        (first[0].event.seq, first[0].event.name.as_str()),
        (1, "queued")
    );

    let again = Tried::Again {
        next_ms: NOW + 5_000,
        status: Some(500),
        error: "HTTP 500".into(),
    };
    let next = tdb.delivery_tried(call_uuid, 1, again, NOW).await.unwrap();
    assert_eq!(next, Some(NOW + 5_000));
    assert!(
        tdb.due_deliveries(origin, 10, NOW)
            .await
            .unwrap()
            .is_empty()
    );
    let retried = tdb.due_deliveries(origin, 10, NOW + 5_000).await.unwrap();
    assert_eq!((retried[0].event.seq, retried[0].tries), (1, 1));

    let dead = Tried::Dead {
        status: Some(410),
        error: "gone".into(),
    };
    assert_eq!(
        tdb.delivery_tried(call_uuid, 1, dead, NOW).await.unwrap(),
        Some(NOW)
    );
    let second = tdb.due_deliveries(origin, 10, NOW).await.unwrap();
    assert_eq!(
        (second[0].event.seq, second[0].event.name.as_str()),
        (2, "started")
    );
    let delivered = Tried::Delivered { status: 200 };
    assert_eq!(
        tdb.delivery_tried(call_uuid, 2, delivered, NOW)
            .await
            .unwrap(),
        None
    );
    assert!(tdb.due_origins().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_has_put_off_is_due_again() {
    let (tdb, _dir) = open().await;
    let mut ahead = new_call();
    ahead.created_ms = NOW + 300_000;
    tdb.accept(ahead.clone()).await.unwrap();
    let try1 = assignment(ahead.call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try1, 1, started())).await;
    let retried = queued(&tdb).await;
    let again = Tried::Again {
        next_ms: NOW + 600_000,
        status: Some(500),
        error: "HTTP 500".into(),
    };
    let tried = tdb.delivery_tried(retried, 1, again, NOW).await.unwrap();
    assert_eq!(tried, Some(NOW + 600_000));

    let origin = "https://hooks.example";
    let due = || async { tdb.due_deliveries(origin, 10, NOW).await.unwrap() };
    assert_eq!(due().await.len(), 0, "its first event holds the others up");
    assert_eq!(tdb.mend_deliveries(NOW).await.unwrap(), 1);
    let first = due().await;
    assert_eq!(first.len(), 1, "what is to be tried again waits on");
    let event = &first[0].event;
    assert_eq!((first[0].call.call_uuid, event.seq), (ahead.call_uuid, 1));
    assert_eq!(tdb.mend_deliveries(NOW).await.unwrap(), 0);
}
