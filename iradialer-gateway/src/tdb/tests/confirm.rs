//! What a switch may forget.

use super::stored;
use crate::tdb::OutOfOrder;
use crate::tdb::test_support::*;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::EndedAttempt;

#[tokio::test]
async fn an_attempt_may_be_forgotten_once_all_its_events_are_stored() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    let ended = EndedAttempt {
        call_uuid,
        attempt: 1,
        attempt_id: try1.attempt_id,
        last_seq: 3,
    };
    let asked = [ended.clone()];
    stored(&tdb, event(&try1, 1, started())).await;
    let last = event(&try1, 3, hangup(false, Some(486)));
    tdb.apply_event(last, OutOfOrder::Store, &trunks(&["chime"]), NOW)
        .await
        .unwrap();
    assert_eq!(
        tdb.stored_attempts(&asked).await.unwrap(),
        [],
        "2 is missing"
    );
    stored(&tdb, event(&try1, 2, ringing())).await;
    let stranger = EndedAttempt {
        attempt_id: CallUuid::fresh(),
        ..ended.clone()
    };
    let longer = EndedAttempt {
        last_seq: 4,
        ..ended.clone()
    };
    let other = EndedAttempt {
        call_uuid: CallUuid::fresh(),
        ..ended.clone()
    };
    let none = EndedAttempt {
        last_seq: 0,
        ..ended.clone()
    };
    let asked = [stranger, longer, ended, other, none];
    assert_eq!(
        tdb.stored_attempts(&asked).await.unwrap(),
        [try1.attempt_id]
    );
}
