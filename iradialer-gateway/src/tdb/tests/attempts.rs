//! Calls given to switches, taken back, canceled and expired.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::{CallState, EndedBy};
use iradialer_core::value::{CallUuid, TenantId};
use iradialer_core::wire::{EventBody, HeldAttempt};

#[tokio::test]
async fn a_refused_try_is_queued_again_under_the_next_number() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    tdb.assign(REGION, assignment(call_uuid, 1), NOW)
        .await
        .unwrap();
    let later = NOW + 500;
    assert_eq!(
        tdb.requeue(lead(), call_uuid, 1, "busy", later, NOW)
            .await
            .unwrap(),
        Requeued::Queued(2)
    );
    assert_eq!(
        tdb.requeue(lead(), call_uuid, 1, "busy", later, NOW)
            .await
            .unwrap(),
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
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try1, 1, started())).await;
    assert_eq!(
        tdb.requeue(lead(), call_uuid, 1, "busy", NOW, NOW)
            .await
            .unwrap(),
        Requeued::Stale
    );
}

#[tokio::test]
async fn cancel_in_the_queue_ends_the_call_and_on_a_switch_notes_the_wish() {
    let (tdb, _dir) = open().await;
    let waiting = queued(&tdb).await;
    let outcome = tdb
        .request_cancel(&tenant(), waiting, None, NOW)
        .await
        .unwrap();
    assert_eq!(outcome, CancelOutcome::Canceled);
    let outcome = tdb
        .request_cancel(&tenant(), waiting, None, NOW)
        .await
        .unwrap();
    assert_eq!(outcome, CancelOutcome::Ended(CallState::Canceled));
    let last = tdb.events(waiting, 1, 10).await.unwrap();
    assert_eq!(
        (last[0].name.as_str(), last[0].is_final),
        ("canceled", true)
    );

    let held = queued(&tdb).await;
    let try1 = assignment(held, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    let stranger = TenantId::parse("tenant_id", "other").unwrap();
    let outcome = tdb
        .request_cancel(&stranger, held, None, NOW)
        .await
        .unwrap();
    assert_eq!(outcome, CancelOutcome::NotFound);
    let outcome = tdb
        .request_cancel(&tenant(), held, None, NOW)
        .await
        .unwrap();
    assert_eq!(
        outcome,
        CancelOutcome::Live {
            node_id: try1.node_id,
            state: CallState::Assigned
        }
    );
    assert_eq!(
        tdb.requeue(lead(), held, 1, "busy", NOW, NOW)
            .await
            .unwrap(),
        Requeued::Canceled
    );
    let ended = tdb.call(&tenant(), held).await.unwrap().unwrap();
    assert_eq!(ended.cancel_requested_ms, Some(NOW));
}

#[tokio::test]
async fn a_wish_to_end_a_call_is_told_to_the_switch_that_confirms_it() {
    let (tdb, _dir) = open().await;
    let held = queued(&tdb).await;
    tdb.assign(REGION, assignment(held, 1), NOW).await.unwrap();
    tdb.request_cancel(&tenant(), held, None, NOW)
        .await
        .unwrap();
    assert!(tdb.mark_dialing(held, 1).await.unwrap());
    // It took it back after all: the wish is kept.
    assert_eq!(
        tdb.requeue(lead(), held, 1, "busy", NOW, NOW)
            .await
            .unwrap(),
        Requeued::Canceled
    );
}

#[tokio::test]
async fn what_was_said_to_be_live_and_then_refused_is_queued_again() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    assert!(!tdb.mark_dialing(call_uuid, 1).await.unwrap());
    assert_eq!(
        tdb.requeue(lead(), call_uuid, 1, "busy", NOW, NOW)
            .await
            .unwrap(),
        Requeued::Queued(2)
    );
    // An event of it, whenever it comes, moves the call no more: not even its end.
    let mut crash = hangup(false, None);
    if let EventBody::Hangup(hangup) = &mut crash {
        hangup.by = EndedBy::Crash;
    }
    let applied = stored(&tdb, event(&try1, 1, crash)).await;
    let Applied::Stored { state, ended, .. } = applied else {
        panic!("{applied:?}");
    };
    assert_eq!((state, ended), (CallState::Queued, false));
    let picked = tdb.pick(&tenant(), &campaign(), 10, NOW).await.unwrap();
    assert_eq!(picked[0].attempt, 2);

    let try2 = assignment(call_uuid, 2);
    tdb.assign(REGION, try2.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try2, 1, started())).await;
    stored(&tdb, event(&try2, 2, hangup(false, Some(486)))).await;
    let events = tdb.events(call_uuid, 0, 10).await.unwrap();
    let ends: Vec<u32> = events
        .iter()
        .filter(|event| event.is_final)
        .map(|event| event.attempt)
        .collect();
    assert_eq!(ends, [2]);
}

#[tokio::test]
async fn a_router_that_has_lost_the_lease_moves_no_call() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    tdb.assign(REGION, assignment(call_uuid, 1), NOW)
        .await
        .unwrap();
    let later = NOW + 60_001;
    let stale = tdb.seen_lease(REGION).await.unwrap();
    let lease = tdb
        .take_lease(REGION, "another", stale, 60_000, later)
        .await;
    let another = Lead {
        region: lead().region,
        epoch: lease.unwrap().unwrap().epoch,
    };
    assert!(another.epoch > lead().epoch);
    let end = GatewayEnd::Unknown;
    let ended = tdb.end(lead(), call_uuid, 1, end, "gone", later).await;
    assert!(!ended.unwrap());
    let requeued = tdb
        .requeue(lead(), call_uuid, 1, "busy", later, later)
        .await;
    assert_eq!(requeued.unwrap(), Requeued::Stale);
    let requeued = tdb
        .requeue(another, call_uuid, 1, "busy", later, later)
        .await;
    assert_eq!(requeued.unwrap(), Requeued::Queued(2));
}

#[tokio::test]
async fn a_call_that_a_switch_holds_is_taken_up_and_moves_forward_only() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    assert!(tdb.is_open(call_uuid, 1).await.unwrap());
    let held = |state, attempt_id| HeldAttempt {
        call_uuid,
        attempt: 1,
        attempt_id,
        state,
    };
    let own = try1.attempt_id;
    for (said, state) in [
        (CallState::Dialing, CallState::Dialing),
        (CallState::Answered, CallState::Answered),
        (CallState::Ringing, CallState::Answered),
        (CallState::Completed, CallState::Answered),
    ] {
        let adopted = tdb.adopt(held(said, own)).await.unwrap();
        assert_eq!(adopted, Adopted::Live { canceled: false });
        let holding = tdb.holding(call_uuid).await.unwrap().unwrap();
        assert_eq!(holding.state, state);
        assert_eq!(holding.attempt_id, Some(own));
    }
    let other = held(CallState::Answered, CallUuid::fresh());
    assert_eq!(tdb.adopt(other).await.unwrap(), Adopted::Stale);
    tdb.request_cancel(&tenant(), call_uuid, None, NOW)
        .await
        .unwrap();
    let adopted = tdb.adopt(held(CallState::Answered, own)).await.unwrap();
    assert_eq!(adopted, Adopted::Live { canceled: true });

    stored(&tdb, event(&try1, 1, hangup(true, Some(200)))).await;
    let adopted = tdb.adopt(held(CallState::Ringing, own)).await.unwrap();
    assert_eq!(adopted, Adopted::Stale);
    assert!(!tdb.is_open(call_uuid, 1).await.unwrap());
    let holding = tdb.holding(call_uuid).await.unwrap().unwrap();
    assert!(!holding.ended_by_gateway);
    assert_eq!(tdb.holding(CallUuid::fresh()).await.unwrap(), None);
}

#[tokio::test]
async fn a_wish_that_comes_after_the_end_changes_no_record() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try1, 1, started())).await;
    stored(&tdb, event(&try1, 2, hangup(false, Some(486)))).await;
    let outcome = tdb
        .request_cancel(&tenant(), call_uuid, None, NOW)
        .await
        .unwrap();
    assert_eq!(outcome, CancelOutcome::Ended(CallState::Busy));
    let call = tdb.call(&tenant(), call_uuid).await.unwrap().unwrap();
    assert_eq!(call.cancel_requested_ms, None);
}

#[tokio::test]
async fn nothing_is_assigned_under_a_lease_that_is_over() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let ours = assignment(call_uuid, 1);
    assert!(
        !tdb.assign("elsewhere", ours.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    let stale = tdb.seen_lease(REGION).await.unwrap();
    let taken = tdb.take_lease(REGION, "another", stale, 60_000, NOW).await;
    let theirs = taken.unwrap().unwrap();
    assert!(
        !tdb.assign(REGION, ours.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    let epoch = theirs.epoch;
    let under_it = Assignment { epoch, ..ours };
    let given_up = tdb.drop_lease(REGION, "another", epoch).await;
    given_up.unwrap();
    assert!(
        !tdb.assign(REGION, under_it.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    let again = tdb.take_lease(REGION, "another", None, 60_000, NOW).await;
    let epoch = again.unwrap().unwrap().epoch;
    let under_it = Assignment { epoch, ..under_it };
    assert!(tdb.assign(REGION, under_it, NOW).await.unwrap().is_yes());
}

#[tokio::test]
async fn a_call_that_expired_after_it_was_picked_is_not_assigned() {
    let (tdb, _dir) = open().await;
    let call = NewCall {
        expires_ms: Some(NOW + 10),
        ..new_call()
    };
    let call_uuid = call.call_uuid;
    tdb.accept(call).await.unwrap();
    let try1 = assignment(call_uuid, 1);
    assert!(
        !tdb.assign(REGION, try1.clone(), NOW + 10)
            .await
            .unwrap()
            .is_yes()
    );
    assert!(tdb.assign(REGION, try1, NOW + 9).await.unwrap().is_yes());
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
    tdb.assign(REGION, assignment(calls[2], 1), NOW)
        .await
        .unwrap();
    assert_eq!(tdb.next_queue_change(NOW).await.unwrap(), Some(NOW + 10));
    assert_eq!(tdb.expire_due(NOW + 10, 100).await.unwrap(), [calls[0]]);
    let call = tdb.call(&tenant(), calls[0]).await.unwrap().unwrap();
    assert_eq!(call.state, CallState::Expired);
}

#[tokio::test]
async fn one_that_came_back_keeps_its_age_and_one_that_waited_counts_from_its_time() {
    let (tdb, _dir) = open().await;
    let accept = async |created_ms, not_before_ms| {
        let call = NewCall {
            created_ms,
            not_before_ms,
            ..new_call()
        };
        let call_uuid = call.call_uuid;
        tdb.accept(call).await.unwrap();
        call_uuid
    };
    let waited = accept(NOW - 90, NOW - 10).await;
    let came_back = accept(NOW - 50, NOW - 50).await;
    let plain = accept(NOW - 30, NOW - 30).await;
    let waits = accept(NOW - 99, NOW + 10).await;
    let assigned = assignment(came_back, 1);
    assert!(tdb.assign(REGION, assigned, NOW).await.unwrap().is_yes());
    let taken = tdb.requeue(lead(), came_back, 1, "busy", NOW - 1, NOW);
    taken.await.unwrap();
    let order = async |now_ms| {
        let picked = tdb.pick(&tenant(), &campaign(), 10, now_ms).await.unwrap();
        picked.iter().map(|call| call.call_uuid).collect::<Vec<_>>()
    };
    assert_eq!(order(NOW).await, [came_back, plain, waited]);
    assert_eq!(order(NOW + 10).await, [came_back, plain, waited, waits]);
}

#[tokio::test]
async fn pick_goes_by_priority_then_age() {
    let (tdb, _dir) = open().await;
    let mut expected = Vec::new();
    for (priority, age) in [(5, 1), (9, 0), (5, 2)] {
        let call = NewCall {
            priority,
            created_ms: NOW - age,
            not_before_ms: NOW - age,
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
    let take = async |holder: &str, stale, now_ms| {
        let taken = tdb.take_lease("eu", holder, stale, 5_000, now_ms);
        taken.await.unwrap()
    };
    let renew = async |holder: &str, epoch, now_ms| {
        let renewed = tdb.renew_lease("eu", holder, epoch, 5_000, now_ms);
        renewed.await.unwrap()
    };
    let seen = async || tdb.seen_lease("eu").await.unwrap();
    assert_eq!(seen().await, None);
    let a = take("a", None, NOW).await.unwrap();
    let expected = Lease {
        epoch: NOW / 1000,
        expires_ms: NOW + 5_000,
    };
    assert_eq!((a, seen().await), (expected, Some(expected)));
    // Time alone takes it from nobody: it must have been seen to stand still.
    assert_eq!(take("b", None, NOW + 60_000).await, None);
    let restarted = take("a", None, NOW).await.unwrap();
    assert_eq!(restarted.epoch, a.epoch + 1);
    assert_eq!(renew("a", a.epoch, NOW).await, None, "lost");
    let watched = seen().await;
    assert!(renew("a", restarted.epoch, NOW + 1_000).await.is_some());
    assert_eq!(take("b", watched, NOW + 6_000).await, None, "it lives");
    // A clock that stands still, or was set back by just so much, shows a renewal as well.
    let watched = seen().await;
    assert!(renew("a", restarted.epoch, NOW + 1_000).await.is_some());
    assert_eq!(take("b", watched, NOW + 6_000).await, None);
    let b = take("b", seen().await, NOW + 6_000).await.unwrap();
    assert_eq!(
        b.epoch,
        (NOW + 6_000) / 1000,
        "switches may have seen any before"
    );
    assert_eq!(renew("a", restarted.epoch, NOW + 6_000).await, None);
    tdb.drop_lease("eu", "b", b.epoch).await.unwrap();
    assert!(take("a", None, NOW + 6_000).await.is_some());
}

#[tokio::test]
async fn a_wait_that_a_clock_wrote_which_was_ahead_is_mended() {
    let (tdb, _dir) = open().await;
    let far_ms = NOW + 496_000;
    let came_back = async |not_before_ms| {
        let call_uuid = queued(&tdb).await;
        let try1 = assignment(call_uuid, 1);
        assert!(tdb.assign(REGION, try1, NOW).await.unwrap().is_yes());
        let requeued = tdb.requeue(lead(), call_uuid, 1, "busy", not_before_ms, NOW);
        assert_eq!(requeued.await.unwrap(), Requeued::Queued(2));
        call_uuid
    };
    let ahead = came_back(far_ms).await;
    let put_off = came_back(NOW).await;
    let soon = came_back(NOW + 5_000).await;
    let until = vec![(put_off, far_ms)];
    tdb.postpone(until, "outside_hours", NOW).await.unwrap();
    assert_eq!(tdb.mend_waits(10_000, NOW).await.unwrap(), 1);
    assert_eq!(tdb.mend_waits(10_000, NOW).await.unwrap(), 0);
    let due = async |now_ms| -> Vec<CallUuid> {
        let picked = tdb.pick(&tenant(), &campaign(), 10, now_ms).await.unwrap();
        picked.iter().map(|call| call.call_uuid).collect()
    };
    assert_eq!(due(NOW).await, [ahead]);
    let mut later = due(NOW + 5_000).await;
    later.sort_unstable();
    let mut both = vec![ahead, soon];
    both.sort_unstable();
    assert_eq!(later, both);
}
