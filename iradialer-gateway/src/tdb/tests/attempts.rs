//! Calls given to switches, taken back, canceled and expired.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::CallState;
use iradialer_core::value::TenantId;

#[tokio::test]
async fn a_refused_try_is_queued_again_under_the_next_number() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    tdb.assign(assignment(call_uuid, 1), NOW).await.unwrap();
    let later = NOW + 500;
    assert_eq!(
        tdb.requeue(call_uuid, 1, later, NOW).await.unwrap(),
        Requeued::Queued(2)
    );
    assert_eq!(
        tdb.requeue(call_uuid, 1, later, NOW).await.unwrap(),
        Requeued::Stale
    );
    assert!(
        tdb.pick(&tenant(), &campaign(), 10, NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(tdb.next_queue_change(NOW).await.unwrap(), Some(later));
    assert_eq!(
        tdb.pick(&tenant(), &campaign(), 10, later).await.unwrap()[0].attempt,
        2
    );
    // A late event of the first try tells nothing about the second.
    let old = assignment(call_uuid, 1);
    let applied = stored(&tdb, event(&old, 1, started())).await;
    assert!(matches!(
        applied,
        Applied::Stored {
            state: CallState::Queued,
            ..
        }
    ));
}

#[tokio::test]
async fn a_try_that_was_dialled_is_not_queued_again() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(try1.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try1, 1, started())).await;
    assert_eq!(
        tdb.requeue(call_uuid, 1, NOW, NOW).await.unwrap(),
        Requeued::Stale
    );
}

#[tokio::test]
async fn cancel_in_the_queue_ends_the_call_and_on_a_switch_notes_the_wish() {
    let (tdb, _dir) = open().await;
    let waiting = queued(&tdb).await;
    let outcome = tdb.request_cancel(&tenant(), waiting, NOW).await.unwrap();
    assert_eq!(outcome, CancelOutcome::Canceled);
    let outcome = tdb.request_cancel(&tenant(), waiting, NOW).await.unwrap();
    assert_eq!(outcome, CancelOutcome::Ended(CallState::Canceled));
    let last = tdb.events(waiting, 1, 10).await.unwrap();
    assert_eq!(
        (last[0].name.as_str(), last[0].is_final),
        ("canceled", true)
    );

    let held = queued(&tdb).await;
    let try1 = assignment(held, 1);
    tdb.assign(try1.clone(), NOW).await.unwrap();
    let stranger = TenantId::parse("tenant_id", "other").unwrap();
    let outcome = tdb.request_cancel(&stranger, held, NOW).await.unwrap();
    assert_eq!(outcome, CancelOutcome::NotFound);
    let outcome = tdb.request_cancel(&tenant(), held, NOW).await.unwrap();
    assert_eq!(
        outcome,
        CancelOutcome::Live {
            node_id: try1.node_id,
            state: CallState::Assigned
        }
    );
    assert!(
        tdb.mark_dialing(held, 1).await.unwrap(),
        "the switch must be told"
    );
    assert_eq!(
        tdb.requeue(held, 1, NOW, NOW).await.unwrap(),
        Requeued::Canceled
    );
}

#[tokio::test]
async fn expiry_takes_only_what_is_due_and_queued() {
    let (tdb, _dir) = open().await;
    let mut calls = Vec::new();
    for expires_ms in [NOW + 10, NOW + 20, NOW + 10] {
        let call = NewCall {
            expires_ms: Some(expires_ms),
            ..new_call()
        };
        calls.push(call.call_uuid);
        tdb.accept(call).await.unwrap();
    }
    tdb.assign(assignment(calls[2], 1), NOW).await.unwrap();
    assert_eq!(tdb.next_queue_change(NOW).await.unwrap(), Some(NOW + 10));
    assert_eq!(tdb.expire_due(NOW + 10, 100).await.unwrap(), [calls[0]]);
    let call = tdb.call(&tenant(), calls[0]).await.unwrap().unwrap();
    assert_eq!(call.state, CallState::Expired);
}

#[tokio::test]
async fn pick_goes_by_priority_then_age() {
    let (tdb, _dir) = open().await;
    let mut expected = Vec::new();
    for (priority, age) in [(5, 1), (9, 0), (5, 2)] {
        let call = NewCall {
            priority,
            created_ms: NOW - age,
            ..new_call()
        };
        expected.push((10 - priority, NOW - age, call.call_uuid));
        tdb.accept(call).await.unwrap();
    }
    expected.sort();
    let picked = tdb.pick(&tenant(), &campaign(), 10, NOW).await.unwrap();
    let order: Vec<_> = picked.iter().map(|call| call.call_uuid).collect();
    assert_eq!(
        order,
        expected
            .iter()
            .map(|(_, _, uuid)| *uuid)
            .collect::<Vec<_>>()
    );
    assert_eq!(
        tdb.pick(&tenant(), &campaign(), 1, NOW)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn leases_rise_and_are_not_stolen() {
    let (tdb, _dir) = open().await;
    let a = tdb
        .take_lease("eu", "a", 5_000, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        a,
        Lease {
            epoch: NOW / 1000,
            expires_ms: NOW + 5_000
        }
    );
    assert_eq!(
        tdb.take_lease("eu", "b", 5_000, NOW + 4_999).await.unwrap(),
        None
    );
    let restarted = tdb
        .take_lease("eu", "a", 5_000, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(restarted.epoch, a.epoch + 1);
    assert_eq!(
        tdb.renew_lease("eu", "a", a.epoch, 5_000, NOW)
            .await
            .unwrap(),
        None,
        "lost"
    );
    assert!(
        tdb.renew_lease("eu", "a", restarted.epoch, 5_000, NOW + 1_000)
            .await
            .unwrap()
            .is_some()
    );
    let b = tdb
        .take_lease("eu", "b", 5_000, NOW + 6_000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(b.epoch, a.epoch + 2);
    tdb.drop_lease("eu", "b", b.epoch).await.unwrap();
    assert!(
        tdb.take_lease("eu", "a", 5_000, NOW + 6_000)
            .await
            .unwrap()
            .is_some()
    );
}
