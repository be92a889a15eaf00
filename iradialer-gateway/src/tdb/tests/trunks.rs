//! What the trunks show of themselves is kept with the events that say it.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use crate::trunk::{Breaker, Gate, TrunkState};
use iradialer_core::value::TrunkName;
use iradialer_core::wire::{EventBody, Hangup};

fn chime() -> TrunkName {
    TrunkName::parse("trunk", "chime").unwrap()
}

fn refused(status: u16, phrase: &str) -> EventBody {
    let EventBody::Hangup(hangup) = hangup(false, Some(status)) else {
        unreachable!()
    };
    EventBody::Hangup(Hangup {
        sip_phrase: Some(phrase.to_owned()),
        rang: false,
        ..hangup
    })
}

async fn state(tdb: &Tdb) -> TrunkState {
    let states = tdb.trunk_states().await.unwrap();
    states.get(&chime()).cloned().unwrap_or_default()
}

/// Whether a fresh call could be assigned at that time, and the assignment.
async fn assigned(tdb: &Tdb, probe: bool, now_ms: u64) -> (bool, Assignment) {
    let this = Assignment {
        probe,
        ..assignment(queued(tdb).await, 1)
    };
    let done = tdb.assign(REGION, this.clone(), now_ms).await.unwrap();
    (done.is_yes(), this)
}

/// A call that was assigned and ended so, both at that time.
async fn told(tdb: &Tdb, probe: bool, last: EventBody, now_ms: u64) -> Option<Box<TrunkNews>> {
    let (done, this) = assigned(tdb, probe, now_ms).await;
    assert!(done);
    stored(tdb, event(&this, 1, started())).await;
    let applied = tdb
        .apply_event(
            event(&this, 2, last),
            OutOfOrder::Hold,
            &trunks(&["chime"]),
            now_ms,
        )
        .await;
    let Applied::Stored { trunk, .. } = applied.unwrap() else {
        panic!("not stored")
    };
    trunk
}

#[tokio::test]
async fn a_refusal_for_the_rate_halves_it() {
    let (tdb, _dir) = open().await;
    for n in 0..7 {
        assigned(&tdb, false, NOW + n * 100).await;
    }
    let limit = refused(503, "Trunk CPS limit exceeded");
    let news = told(&tdb, false, limit.clone(), NOW + 700).await.unwrap();
    assert_eq!(news.before, TrunkState::default());
    let kept = state(&tdb).await;
    assert_eq!(kept, news.after);
    assert_eq!(kept.rate(50.0, NOW + 700), 4.0, "half of eight in a second");
    let news = told(&tdb, false, limit, NOW + 2_000).await.unwrap();
    assert_eq!(news.after.rate(50.0, NOW + 2_000), 0.5, "half of the one");
}

#[tokio::test]
async fn a_trunk_that_works_has_no_row() {
    let (tdb, _dir) = open().await;
    for last in [
        hangup(true, Some(200)),
        refused(404, "Not Found"),
        refused(486, "Busy Here"),
        refused(603, "Decline"),
    ] {
        assert_eq!(told(&tdb, false, last, NOW).await, None);
    }
    assert!(tdb.trunk_states().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_probe_at_a_time_in_the_whole_cluster() {
    let (tdb, _dir) = open().await;
    for _ in 0..5 {
        told(&tdb, false, refused(503, "Service Unavailable"), NOW).await;
    }
    let open = state(&tdb).await;
    assert_eq!(open.breaker, Breaker::Open);
    assert_eq!(
        open.breaker_reason.as_deref(),
        Some("503 Service Unavailable")
    );
    assert!(!assigned(&tdb, true, NOW).await.0, "not yet");

    let at_ms = open.breaker_until_ms;
    let (sent, probe) = assigned(&tdb, true, at_ms).await;
    assert!(sent);
    assert_eq!(state(&tdb).await.breaker, Breaker::HalfOpen);
    assert!(
        !assigned(&tdb, true, at_ms + 10).await.0,
        "one is on its way"
    );

    // A switch refused it, so nothing is known, and the next one may go.
    let back = tdb
        .requeue(lead(), probe.call_uuid, 1, "busy", at_ms, at_ms)
        .await;
    assert_eq!(back.unwrap(), Requeued::Queued(2));
    assert_eq!(state(&tdb).await.gate(at_ms + 20), Gate::Probe);

    // It fails: twice as long. Then one rings.
    told(&tdb, true, refused(503, "Service Unavailable"), at_ms + 20).await;
    let open = state(&tdb).await;
    assert_eq!(open.breaker_until_ms, at_ms + 20 + 10_000);
    let at_ms = open.breaker_until_ms;
    let (sent, probe) = assigned(&tdb, true, at_ms).await;
    assert!(sent);
    stored(&tdb, event(&probe, 1, started())).await;
    stored(&tdb, event(&probe, 2, ringing())).await;
    let closed = state(&tdb).await;
    assert_eq!((closed.breaker, closed.failures), (Breaker::Closed, 0));
}

#[tokio::test]
async fn a_probe_that_is_not_given_out_is_none() {
    let (tdb, _dir) = open().await;
    told(&tdb, false, refused(403, "Forbidden"), NOW).await;
    let at_ms = state(&tdb).await.breaker_until_ms;
    let stale = Assignment {
        probe: true,
        epoch: 1,
        ..assignment(queued(&tdb).await, 1)
    };
    assert!(!tdb.assign(REGION, stale, at_ms).await.unwrap().is_yes());
    assert_eq!(state(&tdb).await.breaker, Breaker::Open);
}

#[tokio::test]
async fn a_misused_trunk_leaves_the_call_to_the_next() {
    let (tdb, _dir) = open().await;
    let (_, this) = assigned(&tdb, false, NOW).await;
    stored(&tdb, event(&this, 1, started())).await;
    let last = event(&this, 2, refused(403, "Forbidden"));
    let both = trunks(&["chime", "twilio"]);
    let applied = tdb.apply_event(last, OutOfOrder::Hold, &both, NOW).await;
    assert!(matches!(
        applied.unwrap(),
        Applied::Stored {
            ended: false,
            trunk: Some(_),
            ..
        }
    ));
    assert_eq!(tdb.refused_trunks(this.call_uuid).await.unwrap(), [chime()]);
    assert_eq!(state(&tdb).await.breaker, Breaker::Open);
}

#[tokio::test]
async fn no_room_is_over_when_a_call_ends() {
    let (tdb, _dir) = open().await;
    let (_, live) = assigned(&tdb, false, NOW).await;
    stored(&tdb, event(&live, 1, started())).await;
    stored(&tdb, event(&live, 2, ringing())).await;
    told(
        &tdb,
        false,
        refused(503, "Trunk concurrent call limit exceeded"),
        NOW,
    )
    .await;
    assert!(matches!(state(&tdb).await.gate(NOW), Gate::Shut(..)));
    stored(&tdb, event(&live, 3, hangup(false, Some(487)))).await;
    assert_eq!(state(&tdb).await.gate(NOW), Gate::Open);
}

#[tokio::test]
async fn the_last_starts_are_known_to_whoever_takes_over() {
    let (tdb, _dir) = open().await;
    let mut tries = Vec::new();
    for n in 0..5 {
        tries.push(assigned(&tdb, false, NOW + n * 100).await.1);
    }
    // The second has begun; the third was refused.
    stored(&tdb, event(&tries[1], 1, started())).await;
    let refused = &tries[2];
    let requeued = tdb.requeue(lead(), refused.call_uuid, 1, "busy", NOW, NOW);
    assert_eq!(requeued.await.unwrap(), Requeued::Queued(2));
    let start = |of: usize, begun_ms| Start {
        call_uuid: tries[of].call_uuid,
        attempt: 1,
        begun_ms,
    };
    let latest = |of: usize| start(of, tries[of].not_after_ms);
    let some = tdb.recent_starts(&chime(), NOW, 10).await.unwrap();
    assert_eq!(some, [latest(4), latest(3), start(1, NOW)]);
    let last = tdb.recent_starts(&chime(), NOW, 2).await.unwrap();
    assert_eq!(last, [latest(4), latest(3)]);
}
