//! A carrier's refusal before it rang: another trunk, the same one later, or the end.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::{CallState, Direction, EndedBy};
use iradialer_core::value::{CallUuid, TrunkName};
use iradialer_core::wire::{EventBody, Hangup};

fn refused(status: Option<u16>, phrase: &str) -> Hangup {
    let EventBody::Hangup(hangup) = hangup(false, status) else {
        unreachable!()
    };
    Hangup {
        sip_phrase: Some(phrase.to_owned()),
        rang: false,
        ..hangup
    }
}

/// The state after the call's try `attempt` on "chime" started and ended so, of these trunks.
async fn after(
    tdb: &Tdb,
    call_uuid: CallUuid,
    attempt: u32,
    hangup: Hangup,
    names: &'static [&'static str],
    now_ms: u64,
) -> CallState {
    let this = assignment(call_uuid, attempt);
    assert!(
        tdb.assign(REGION, this.clone(), now_ms)
            .await
            .unwrap()
            .is_yes()
    );
    stored(tdb, event(&this, 1, started())).await;
    let last = event(&this, 2, EventBody::Hangup(hangup));
    let trunks = trunks(names);
    let hold = OutOfOrder::Hold;
    let applied = tdb.apply_event(last.clone(), hold, &trunks, now_ms).await;
    let Applied::Stored { state, ended, .. } = applied.unwrap() else {
        panic!("not stored")
    };
    assert_eq!(ended, state.is_final());
    let again = tdb.apply_event(last, hold, &trunks, now_ms).await.unwrap();
    assert_eq!(again, Applied::Duplicate, "a redelivery does nothing");
    state
}

#[tokio::test]
async fn a_trunk_that_could_not_place_the_call_leaves_it_to_the_next() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let both = &["chime", "twilio"];
    let hangup = refused(Some(503), "Service Unavailable");
    let state = after(&tdb, call_uuid, 1, hangup.clone(), both, NOW).await;
    assert_eq!(state, CallState::Queued);
    let picked = tdb.pick(&tenant(), &campaign(), 10, NOW).await.unwrap();
    assert_eq!(picked[0].attempt, 2, "at once");
    let passed_over = tdb.refused_trunks(call_uuid).await.unwrap();
    assert_eq!(passed_over, [assignment(call_uuid, 1).trunk]);
    let call = tdb.call(&tenant(), call_uuid).await.unwrap().unwrap();
    assert_eq!((call.started_ms, call.ended), (None, None));

    // The second try is as good as the first: a switch that refuses it gives it back.
    let second = assignment(call_uuid, 2);
    tdb.assign(REGION, second, NOW).await.unwrap();
    let back = tdb
        .requeue(lead(), call_uuid, 2, "busy", NOW, NOW)
        .await
        .unwrap();
    assert_eq!(back, Requeued::Queued(3));

    let trunk = TrunkName::parse("trunk", "twilio").unwrap();
    let third = Assignment {
        trunk: trunk.clone(),
        ..assignment(call_uuid, 3)
    };
    tdb.assign(REGION, third.clone(), NOW).await.unwrap();
    let EventBody::Started {
        to_number,
        from_number,
        ..
    } = started()
    else {
        unreachable!()
    };
    let body = EventBody::Started {
        to_number,
        from_number,
        trunk,
        direction: Direction::Outbound,
        campaign_name: None,
    };
    stored(&tdb, event(&third, 1, body)).await;
    let last = event(&third, 2, EventBody::Hangup(hangup));
    let applied = tdb
        .apply_event(last, OutOfOrder::Hold, &trunks(both), NOW)
        .await;
    let Applied::Stored { state, ended, .. } = applied.unwrap() else {
        panic!("not stored")
    };
    assert_eq!((state, ended), (CallState::Failed, true), "none is left");
    let events = tdb.events(call_uuid, 0, 100).await.unwrap();
    let finals: Vec<_> = events.iter().map(|event| event.is_final).collect();
    assert_eq!(finals, [false, false, false, false, true]);
}

#[tokio::test]
async fn the_only_trunk_of_a_campaign_ends_the_call() {
    let (tdb, _dir) = open().await;
    for names in [&["chime"] as &[_], &[]] {
        let call_uuid = queued(&tdb).await;
        let state = after(&tdb, call_uuid, 1, refused(Some(503), ""), names, NOW).await;
        assert_eq!(state, CallState::Failed, "{names:?}");
    }
}

#[tokio::test]
async fn one_call_too_many_waits_for_the_same_trunk() {
    for (status, phrase, least_ms, most_ms) in [
        (Some(503), "Trunk CPS limit exceeded", 1_000, 2_000),
        (
            Some(503),
            "Trunk concurrent call limit exceeded",
            3_000,
            6_000,
        ),
        (None, "", 200, 400),
    ] {
        let (tdb, _dir) = open().await;
        let call_uuid = queued(&tdb).await;
        let hangup = Hangup {
            hangup_cause: "DESTINATION_OUT_OF_ORDER".to_owned(),
            ..refused(status, phrase)
        };
        let state = after(&tdb, call_uuid, 1, hangup, &["chime"], NOW).await;
        assert_eq!(state, CallState::Queued, "{phrase}");
        let from_ms = tdb.next_queue_change(NOW).await.unwrap().unwrap();
        assert!(
            (NOW + least_ms..=NOW + most_ms).contains(&from_ms),
            "{phrase}: {from_ms}"
        );
        assert_eq!(tdb.refused_trunks(call_uuid).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_refusal_that_stays_comes_to_an_end() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let now_ms = NOW + u64::from(attempt) * 2_001;
        let hangup = refused(Some(503), "Trunk CPS limit exceeded");
        if after(&tdb, call_uuid, attempt, hangup, &["chime"], now_ms).await != CallState::Queued {
            break;
        }
    }
    assert_eq!(attempt, 20);
}

#[tokio::test]
async fn what_may_have_reached_a_person_is_not_dialled_again() {
    let (tdb, _dir) = open().await;
    let both = &["chime", "twilio"];
    let unavailable = || refused(Some(503), "");
    for (hangup, expected) in [
        (
            Hangup {
                rang: true,
                ..unavailable()
            },
            CallState::Failed,
        ),
        (
            Hangup {
                by: EndedBy::Crash,
                ..unavailable()
            },
            CallState::Unknown,
        ),
        (
            Hangup {
                by: EndedBy::Request,
                ..unavailable()
            },
            CallState::Canceled,
        ),
        (
            Hangup {
                by: EndedBy::DialTimeout,
                ..refused(Some(408), "")
            },
            CallState::NoAnswer,
        ),
        // No answer at all: the person may have been rung.
        (
            Hangup {
                sip_phrase: None,
                ..refused(Some(408), "")
            },
            CallState::Failed,
        ),
        (refused(Some(404), ""), CallState::Failed),
        (refused(Some(486), ""), CallState::Busy),
        (refused(Some(603), ""), CallState::Rejected),
    ] {
        let call_uuid = queued(&tdb).await;
        let text = format!("{hangup:?}");
        let state = after(&tdb, call_uuid, 1, hangup, both, NOW).await;
        assert_eq!(state, expected, "{text}");
    }
    // Its ringing is told by an event, or is missing: then it may have rung.
    for (seq, body) in [(2, Some(ringing())), (2, None)] {
        let call_uuid = queued(&tdb).await;
        let this = assignment(call_uuid, 1);
        tdb.assign(REGION, this.clone(), NOW).await.unwrap();
        stored(&tdb, event(&this, 1, started())).await;
        if let Some(body) = body {
            stored(&tdb, event(&this, seq, body)).await;
        }
        let last = event(&this, 3, EventBody::Hangup(unavailable()));
        let applied = tdb
            .apply_event(last, OutOfOrder::Store, &trunks(both), NOW)
            .await;
        assert!(matches!(
            applied.unwrap(),
            Applied::Stored { ended: true, .. }
        ));
    }
}

#[tokio::test]
async fn a_call_that_is_to_end_is_not_tried_again() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let this = assignment(call_uuid, 1);
    tdb.assign(REGION, this.clone(), NOW).await.unwrap();
    stored(&tdb, event(&this, 1, started())).await;
    tdb.request_cancel(&tenant(), call_uuid, None, NOW)
        .await
        .unwrap();
    let last = event(&this, 2, EventBody::Hangup(refused(Some(503), "")));
    let both = trunks(&["chime", "twilio"]);
    let applied = tdb.apply_event(last, OutOfOrder::Hold, &both, NOW).await;
    assert!(matches!(
        applied.unwrap(),
        Applied::Stored { ended: true, .. }
    ));
}
