//! Calls through the TDB, from the request to the last delivery.

use super::test_support::*;
use super::*;
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, TenantId};

async fn stored(tdb: &Tdb, event: iradialer_core::wire::SwitchEvent) -> Applied {
    tdb.apply_event(event, OutOfOrder::Hold, NOW).await.unwrap()
}

#[tokio::test]
async fn a_call_from_request_to_final_record() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let picked = tdb.pick(&tenant(), &campaign(), 10, NOW).await.unwrap();
    assert_eq!(picked.len(), 1);
    let try1 = assignment(call_uuid, picked[0].attempt);
    assert!(tdb.assign(try1.clone(), NOW).await.unwrap());
    assert!(
        !tdb.assign(try1.clone(), NOW).await.unwrap(),
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
    tdb.assign(try1.clone(), NOW).await.unwrap();
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
    tdb.assign(try1.clone(), NOW).await.unwrap();
    let late = event(&try1, 3, answered());
    assert_eq!(
        stored(&tdb, late.clone()).await,
        Applied::Early { expected: 1 }
    );
    let applied = tdb.apply_event(late, OutOfOrder::Store, NOW).await.unwrap();
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
    tdb.assign(try1.clone(), NOW).await.unwrap();
    assert!(
        tdb.end(call_uuid, 1, GatewayEnd::Unknown, "the switch is gone", NOW)
            .await
            .unwrap()
    );
    assert!(
        !tdb.end(call_uuid, 1, GatewayEnd::Unknown, "again", NOW)
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
async fn a_repeated_request_gets_the_first_answer() {
    let (tdb, _dir) = open().await;
    let keyed = |hash: &str| NewCall {
        idempotency_key: Some("order-7".to_owned()),
        body_hash: hash.to_owned(),
        ..new_call()
    };
    let first = keyed("a");
    assert_eq!(tdb.accept(first.clone()).await.unwrap(), Accepted::New);
    assert_eq!(
        tdb.accept(keyed("a")).await.unwrap(),
        Accepted::Replay(first.answer.clone())
    );
    assert_eq!(
        tdb.accept(keyed("b")).await.unwrap(),
        Accepted::Conflict("idempotency_key")
    );
    let stranger = NewCall {
        tenant_id: TenantId::parse("t", "other").unwrap(),
        ..keyed("b")
    };
    assert_eq!(
        tdb.accept(stranger).await.unwrap(),
        Accepted::New,
        "keys are per tenant"
    );

    let same_uuid = NewCall {
        call_uuid: first.call_uuid,
        body_hash: "z".into(),
        ..new_call()
    };
    assert_eq!(
        tdb.accept(same_uuid).await.unwrap(),
        Accepted::Conflict("call_uuid")
    );
}

#[tokio::test]
async fn many_at_once_are_accepted_together_and_a_failed_one_takes_none_with_it() {
    let (tdb, _dir) = open().await;
    let accepts = (0..200).map(|_| {
        let tdb = tdb.clone();
        tokio::spawn(async move { tdb.accept(new_call()).await.unwrap() })
    });
    let half_done = |tdb: Tdb| async move {
        let failing = tdb.writer.write(|connection| {
            Box::pin(async move {
                let half = "UPDATE calls SET state = 'completed'";
                sqlx::query(half).execute(&mut *connection).await?;
                sqlx::query("INSERT INTO nowhere VALUES (1)")
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        failing.await
    };
    let panicking = |tdb: Tdb| async move {
        let broken = tdb
            .writer
            .write(|_| Box::pin(async { panic!("a fault of one write") }));
        let result: Result<(), TdbError> = broken.await;
        result
    };
    let (accepted, failed, broken) = tokio::join!(
        futures::future::join_all(accepts),
        half_done(tdb.clone()),
        panicking(tdb.clone())
    );
    assert!(matches!(failed, Err(TdbError::Sql(_))), "{failed:?}");
    assert!(matches!(broken, Err(TdbError::Stopped)), "{broken:?}");
    assert!(
        accepted
            .into_iter()
            .all(|accepted| accepted.unwrap() == Accepted::New)
    );
    assert_eq!(tdb.queue_length(1_000).await.unwrap(), 200);
    assert_eq!(tdb.queue_length(50).await.unwrap(), 50);
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
async fn deliveries_go_in_order_and_a_dead_one_lets_the_next_pass() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(try1.clone(), NOW).await.unwrap();
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
async fn the_list_goes_on_where_it_stopped() {
    let (tdb, _dir) = open().await;
    for age in 0..5 {
        tdb.accept(NewCall {
            created_ms: NOW - age / 2,
            ..new_call()
        })
        .await
        .unwrap();
    }
    let mut filter = CallFilter {
        limit: 2,
        ..CallFilter::default()
    };
    let mut seen = std::collections::HashSet::new();
    loop {
        let page = tdb.calls(&tenant(), &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some((last.created_ms, last.call_uuid));
        assert!(page.iter().all(|call| seen.insert(call.call_uuid)));
    }
    assert_eq!(seen.len(), 5);
    let none = CallFilter {
        state: Some(CallState::Busy),
        limit: 9,
        ..CallFilter::default()
    };
    assert!(tdb.calls(&tenant(), &none).await.unwrap().is_empty());
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
            epoch: 1,
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
    assert_eq!(restarted.epoch, 2);
    assert_eq!(
        tdb.renew_lease("eu", "a", 1, 5_000, NOW).await.unwrap(),
        None,
        "lost"
    );
    assert!(
        tdb.renew_lease("eu", "a", 2, 5_000, NOW + 1_000)
            .await
            .unwrap()
            .is_some()
    );
    let b = tdb
        .take_lease("eu", "b", 5_000, NOW + 6_000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(b.epoch, 3);
    tdb.drop_lease("eu", "b", 3).await.unwrap();
    assert!(
        tdb.take_lease("eu", "a", 5_000, NOW + 6_000)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn tokens_are_kept_as_hashes() {
    let (tdb, dir) = open().await;
    let (token, info) = tdb.create_token(&tenant(), "ci", NOW).await.unwrap();
    assert_eq!(token.len(), "ira_".len() + 43);
    assert_eq!(
        tdb.token(&hash_token(&token)).await.unwrap(),
        Some(info.clone())
    );
    assert_eq!(tdb.token(&hash_token("ira_guess")).await.unwrap(), None);
    assert!(tdb.revoke_token(&info.token_id, NOW + 1).await.unwrap());
    assert!(!tdb.revoke_token(&info.token_id, NOW + 2).await.unwrap());
    assert_eq!(tdb.tokens().await.unwrap()[0].revoked_ms, Some(NOW + 1));
    tdb.close().await;
    let file = std::fs::read(dir.path().join("iradialer.db")).unwrap();
    assert!(
        !file
            .windows(token.len())
            .any(|part| part == token.as_bytes())
    );
}

#[tokio::test]
async fn what_was_answered_survives_reopening_and_a_closed_database_says_so() {
    let (tdb, dir) = open().await;
    let call_uuid = queued(&tdb).await;
    tdb.close().await;
    assert!(matches!(
        tdb.accept(new_call()).await,
        Err(TdbError::Stopped)
    ));
    let tdb = Tdb::open(&dir.path().join("iradialer.db")).await.unwrap();
    tdb.check().await.unwrap();
    assert!(tdb.call(&tenant(), call_uuid).await.unwrap().is_some());
}
