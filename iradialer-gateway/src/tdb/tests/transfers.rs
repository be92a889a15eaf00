//! Calls that are dialled for another one: placed once, pinned to its switch, and ended with it.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, DialNumber};
use iradialer_core::wire::TransferOrder;

/// A call that is answered on a switch.
async fn parent(tdb: &Tdb) -> Assignment {
    let first = assignment(queued(tdb).await, 1);
    let assigned = tdb.assign(REGION, first.clone(), NOW).await;
    assert_eq!(assigned.unwrap(), Assigned::Yes);
    for (seq, body) in (1..).zip([started(), answered()]) {
        stored(tdb, event(&first, seq, body)).await;
    }
    first
}

fn transfer(parent: &Assignment) -> NewTransfer {
    NewTransfer {
        call_uuid: CallUuid::fresh(),
        parent_uuid: parent.call_uuid,
        asked_by: Pin {
            node_id: parent.node_id.clone(),
            incarnation: parent.incarnation,
        },
        order: TransferOrder {
            to_number: DialNumber::parse("to_number", "+15005550032").unwrap(),
            from_number: None,
            trunk: None,
            dial_timeout_s: 25,
            whisper: Vec::new(),
        },
        now_ms: NOW,
        expires_ms: NOW + 10_000,
    }
}

async fn state(tdb: &Tdb, call_uuid: CallUuid) -> CallState {
    tdb.call(&tenant(), call_uuid).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_transfer_is_placed_once_first_in_its_campaign_and_pinned() {
    let (tdb, _dir) = open().await;
    let parent = parent(&tdb).await;
    queued(&tdb).await;
    let child = transfer(&parent);
    for _ in 0..2 {
        let placed = tdb.place_transfer(child.clone()).await.unwrap();
        assert_eq!(placed, Placed::At(CallState::Queued));
    }
    let picked = tdb.pick(&tenant(), &campaign(), 10, NOW).await.unwrap();
    assert_eq!(picked.len(), 2);
    assert_eq!(picked[0].call_uuid, child.call_uuid);
    let waited_for = Some((parent.call_uuid, child.asked_by.clone()));
    assert_eq!(picked[0].waited_for, waited_for);
    assert_eq!(picked[1].waited_for, None);

    let call = tdb.call(&tenant(), child.call_uuid).await.unwrap().unwrap();
    assert_eq!(call.parent_uuid, Some(parent.call_uuid));
    assert_eq!(call.expires_ms, Some(NOW + 10_000));
    assert_eq!(
        call.event_url.as_deref(),
        Some("https://hooks.example/x"),
        "its events go where those of its parent go"
    );
}

#[tokio::test]
async fn a_switch_asks_for_calls_that_it_holds_only() {
    let (tdb, _dir) = open().await;
    let parent = parent(&tdb).await;
    let mut of_another_life = transfer(&parent);
    of_another_life.asked_by.incarnation = CallUuid::fresh();
    let mut of_nobody = transfer(&parent);
    of_nobody.parent_uuid = CallUuid::fresh();
    let waiting = Assignment {
        call_uuid: queued(&tdb).await,
        ..parent.clone()
    };
    for refused in [of_another_life, transfer(&waiting)] {
        let placed = tdb.place_transfer(refused).await.unwrap();
        assert!(
            matches!(&placed, Placed::Refused(why) if why.starts_with("parent_uuid:")),
            "{placed:?}"
        );
    }
    let placed = tdb.place_transfer(of_nobody).await.unwrap();
    assert_eq!(placed, Placed::NotYet);

    let mut taken = transfer(&parent);
    taken.call_uuid = waiting.call_uuid;
    let placed = tdb.place_transfer(taken).await.unwrap();
    assert!(
        matches!(&placed, Placed::Refused(why) if why.starts_with("call_uuid:")),
        "{placed:?}"
    );
}

#[tokio::test]
async fn the_end_of_the_one_that_waits_cancels_what_is_not_dialled() {
    let (tdb, _dir) = open().await;
    let parent = parent(&tdb).await;
    let (waits, sent) = (transfer(&parent), transfer(&parent));
    for child in [&waits, &sent] {
        tdb.place_transfer(child.clone()).await.unwrap();
    }
    let on_its_way = Assignment {
        call_uuid: sent.call_uuid,
        attempt_id: CallUuid::fresh(),
        ..parent.clone()
    };
    let assigned = tdb.assign(REGION, on_its_way.clone(), NOW).await;
    assert_eq!(assigned.unwrap(), Assigned::Yes);

    stored(&tdb, event(&parent, 3, hangup(true, Some(200)))).await;
    assert_eq!(state(&tdb, waits.call_uuid).await, CallState::Canceled);
    // It may have been dialled: its switch ends it, and a refusal does not bring it back.
    assert_eq!(state(&tdb, sent.call_uuid).await, CallState::Assigned);
    let requeued = tdb
        .requeue(lead(), sent.call_uuid, 1, "busy", NOW, NOW)
        .await;
    assert_eq!(requeued.unwrap(), Requeued::Canceled);

    let late = tdb.place_transfer(transfer(&parent)).await.unwrap();
    assert!(
        matches!(&late, Placed::Refused(why) if why.contains("has ended")),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_transfer_counts_in_its_trunk_and_campaign() {
    let (tdb, _dir) = open().await;
    let parent = parent(&tdb).await;
    let child = transfer(&parent);
    tdb.place_transfer(child.clone()).await.unwrap();
    let given = Assignment {
        call_uuid: child.call_uuid,
        attempt_id: CallUuid::fresh(),
        ..parent.clone()
    };
    let assigned = tdb.assign(REGION, given, NOW).await;
    assert_eq!(assigned.unwrap(), Assigned::Yes);
    let live = tdb.live_counts().await.unwrap();
    assert_eq!(live.by_trunk.get(&parent.trunk), Some(&2));
    assert_eq!(live.by_campaign.get(&(tenant(), campaign())), Some(&2));
    let starts = tdb.recent_starts(&parent.trunk, NOW - 1, 10).await.unwrap();
    assert_eq!(starts.len(), 2, "both take a place in the trunk's rate");
}

#[tokio::test]
async fn a_transfer_that_finds_no_room_expires() {
    let (tdb, _dir) = open().await;
    let parent = parent(&tdb).await;
    let child = transfer(&parent);
    tdb.place_transfer(child.clone()).await.unwrap();
    let expired = tdb.expire_due(child.expires_ms, 10).await.unwrap();
    assert_eq!(expired, [child.call_uuid]);
    let placed = tdb.place_transfer(child).await.unwrap();
    assert_eq!(placed, Placed::At(CallState::Expired));
}

#[tokio::test]
async fn a_call_of_which_nothing_is_known_yet_is_told_from_one_without_a_campaign() {
    let (tdb, _dir) = open().await;
    let begun = assignment(CallUuid::fresh(), 1);
    assert_eq!(tdb.campaign_of(begun.call_uuid).await.unwrap(), None);
    let placed = tdb.place_transfer(transfer(&begun)).await.unwrap();
    assert_eq!(placed, Placed::NotYet);
    stored(&tdb, event(&begun, 1, started())).await;
    let known = tdb.campaign_of(begun.call_uuid).await.unwrap();
    assert_eq!(known, Some((tenant(), None)));
    let of_one = parent(&tdb).await;
    let known = tdb.campaign_of(of_one.call_uuid).await.unwrap();
    assert_eq!(known, Some((tenant(), Some(campaign()))));
}
