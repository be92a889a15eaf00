//! Calls of which nobody can say what became.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::{CallState, EndedBy};
use iradialer_core::value::CallUuid;
use iradialer_core::wire::EventBody;

/// A call on a switch whose request asked for this.
async fn dialled(tdb: &Tdb, on_unknown: OnUnknown, expires_ms: Option<u64>) -> Assignment {
    let mut call = new_call();
    call.request.on_unknown = on_unknown;
    call.expires_ms = expires_ms;
    let call_uuid = call.call_uuid;
    tdb.accept(call).await.unwrap();
    let try1 = assignment(call_uuid, 1);
    assert!(
        tdb.assign(REGION, try1.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    stored(tdb, event(&try1, 1, started())).await;
    try1
}

async fn give_up(tdb: &Tdb, call_uuid: CallUuid, attempt: u32, now_ms: u64) -> GivenUp {
    let given_up = tdb.give_up(lead(), call_uuid, attempt, "the switch is gone", now_ms);
    given_up.await.unwrap()
}

fn crash(was_answered: bool) -> EventBody {
    let mut crash = hangup(was_answered, None);
    if let EventBody::Hangup(hangup) = &mut crash {
        hangup.by = EndedBy::Crash;
    }
    crash
}

async fn finals(tdb: &Tdb, call_uuid: CallUuid) -> Vec<String> {
    let events = tdb.events(call_uuid, 0, 100).await.unwrap();
    let finals = events.into_iter().filter(|event| event.is_final);
    finals.map(|event| event.name).collect()
}

#[tokio::test]
async fn it_ends_unless_its_request_asked_for_more() {
    let (tdb, _dir) = open().await;
    let try1 = dialled(&tdb, OnUnknown::End, None).await;
    let call = try1.call_uuid;
    assert_eq!(give_up(&tdb, call, 2, NOW).await, GivenUp::Stale);
    assert_eq!(give_up(&tdb, call, 1, NOW).await, GivenUp::Ended);
    assert_eq!(give_up(&tdb, call, 1, NOW).await, GivenUp::Stale);
    // The switch comes back: what it says is kept, and ends nothing once more.
    assert_eq!(tdb.late_end(call).await.unwrap(), None);
    stored(&tdb, event(&try1, 2, hangup(true, Some(200)))).await;
    assert_eq!(finals(&tdb, call).await, ["unknown"]);
    let late = tdb.late_end(call).await.unwrap().unwrap();
    assert_eq!((late.name.as_str(), late.attempt_seq), ("hangup", 2));
    assert_eq!(late.data["sip_status"], 200);
    let record = tdb.call(&tenant(), call).await.unwrap().unwrap();
    assert_eq!(record.state, CallState::Unknown);
    let reason = record.ended.and_then(|ended| ended.fault);
    assert_eq!(reason.as_deref(), Some("the switch is gone"));
}

#[tokio::test]
async fn it_is_dialled_again_where_its_request_asked_for_that() {
    let (tdb, _dir) = open().await;
    let try1 = dialled(&tdb, OnUnknown::Redial, None).await;
    let call = try1.call_uuid;
    stored(&tdb, event(&try1, 2, ringing())).await;
    assert_eq!(give_up(&tdb, call, 1, NOW).await, GivenUp::Queued);
    let picked = tdb.pick(&tenant(), &campaign(), 10, NOW).await.unwrap();
    assert_eq!(picked[0].attempt, 2);
    let record = tdb.call(&tenant(), call).await.unwrap().unwrap();
    assert_eq!((record.started_ms, record.ringing_ms), (None, None));

    let try2 = assignment(call, 2);
    assert!(
        tdb.assign(REGION, try2.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    stored(&tdb, event(&try1, 3, hangup(true, Some(200)))).await;
    stored(&tdb, event(&try2, 1, started())).await;
    stored(&tdb, event(&try2, 2, hangup(false, Some(486)))).await;
    let record = tdb.call(&tenant(), call).await.unwrap().unwrap();
    assert_eq!(record.state, CallState::Busy);
    let names = tdb.events(call, 0, 100).await.unwrap();
    let names: Vec<_> = names.iter().map(|event| event.name.as_str()).collect();
    let told = [
        "queued", "started", "ringing", "unknown", "hangup", "started", "hangup",
    ];
    assert_eq!(names, told);
    assert_eq!(finals(&tdb, call).await, ["hangup"]);
}

#[tokio::test]
async fn a_switch_that_died_with_it_counts_as_well() {
    let (tdb, _dir) = open().await;
    let try1 = dialled(&tdb, OnUnknown::Redial, None).await;
    let applied = stored(&tdb, event(&try1, 2, crash(false))).await;
    assert!(
        matches!(
            applied,
            Applied::Stored {
                state: CallState::Queued,
                ended: false,
                ..
            }
        ),
        "{applied:?}"
    );
    let again = stored(&tdb, event(&try1, 2, crash(false))).await;
    assert_eq!(again, Applied::Duplicate);

    let try1 = dialled(&tdb, OnUnknown::End, None).await;
    stored(&tdb, event(&try1, 2, crash(false))).await;
    assert_eq!(finals(&tdb, try1.call_uuid).await, ["hangup"]);
}

#[tokio::test]
async fn what_was_answered_canceled_or_is_too_old_is_not_dialled_again() {
    let (tdb, _dir) = open().await;
    let answered_call = dialled(&tdb, OnUnknown::Redial, None).await;
    stored(&tdb, event(&answered_call, 2, answered())).await;
    let canceled = dialled(&tdb, OnUnknown::Redial, None).await;
    let wish = tdb
        .request_cancel(&tenant(), canceled.call_uuid, None, NOW)
        .await;
    assert!(matches!(wish.unwrap(), CancelOutcome::Live { .. }));
    let expired = dialled(&tdb, OnUnknown::Redial, Some(NOW + 1_000)).await;
    for call in [&answered_call, &canceled, &expired] {
        let given_up = give_up(&tdb, call.call_uuid, 1, NOW + 1_000).await;
        assert_eq!(given_up, GivenUp::Ended);
    }
    let crashed = dialled(&tdb, OnUnknown::Redial, None).await;
    stored(&tdb, event(&crashed, 2, crash(true))).await;
    assert_eq!(finals(&tdb, crashed.call_uuid).await, ["hangup"]);
}
