//! Deliveries to webhooks.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::value::{CallUuid, CampaignName, TenantId};

const RECEIVER: &str = "acme https://hooks.example";

/// The events of which a delivery is due now.
async fn due(tdb: &Tdb, now_ms: u64) -> Vec<(CallUuid, u32)> {
    let due = tdb
        .due_deliveries(RECEIVER, 100, now_ms, |_| true)
        .await
        .unwrap();
    let events = due.iter().map(|delivery| &delivery.event);
    events.map(|event| (event.call_uuid, event.seq)).collect()
}

/// A call whose one event was given up at this time, with this status.
async fn given_up(tdb: &Tdb, status: u16, dead_ms: u64) -> CallUuid {
    let call_uuid = queued(tdb).await;
    let verdict = match status {
        410 => Verdict::Gone,
        _ => Verdict::Dead,
    };
    let tried = tried(verdict, status);
    tdb.delivery_tried(call_uuid, 1, tried, dead_ms)
        .await
        .unwrap();
    call_uuid
}

/// Whether the call's next event is one that its receiver does not want.
async fn is_gone(tdb: &Tdb, call_uuid: CallUuid) -> bool {
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    let stored = event(&try1, 1, started());
    let trunks = trunks(&[]);
    tdb.apply_event(stored, OutOfOrder::Hold, &trunks, NOW)
        .await
        .unwrap();
    let due = tdb.due_deliveries(RECEIVER, 100, NOW + 5, |call| *call == call_uuid);
    due.await.unwrap()[0].is_gone
}

async fn listed(tdb: &Tdb, filter: DeadLetterFilter) -> Vec<CallUuid> {
    let letters = tdb.dead_letters(&tenant(), &filter).await.unwrap();
    letters.iter().map(|letter| letter.call_uuid).collect()
}

fn page(limit: u32) -> DeadLetterFilter {
    DeadLetterFilter {
        limit,
        ..DeadLetterFilter::default()
    }
}

fn replay(limit: u32) -> Replay {
    Replay {
        campaign_name: None,
        from_ms: None,
        until_ms: None,
        limit,
    }
}

fn other_tenant() -> TenantId {
    TenantId::parse("tenant_id", "other").unwrap()
}

#[tokio::test]
async fn deliveries_go_in_order_and_a_dead_one_lets_the_next_pass() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try1, 1, started())).await;
    let receivers = tdb.due_receivers(NOW).await.unwrap();
    assert_eq!(
        receivers,
        [DueReceiver {
            receiver: RECEIVER.to_owned(),
            newest_ms: Some(NOW),
            later_ms: None
        }]
    );
    let names = [RECEIVER.to_owned(), "other http://x".to_owned()];
    let mut known = tdb.due_of(&names, NOW - 1).await.unwrap();
    known.sort_by(|a, b| a.receiver.cmp(&b.receiver));
    let times: Vec<_> = known
        .iter()
        .map(|due| (due.newest_ms, due.later_ms))
        .collect();
    assert_eq!(times, [(None, Some(NOW)), (None, None)]);
    let first = tdb
        .due_deliveries(RECEIVER, 10, NOW, |_| true)
        .await
        .unwrap();
    assert_eq!(first.len(), 1, "of a call only the first event that waits");
    assert_eq!(
        (first[0].event.seq, first[0].event.name.as_str()),
        (1, "queued")
    );

    let next_ms = NOW + 5_000;
    let again = tried(Verdict::Again { next_ms }, 500);
    let next = tdb.delivery_tried(call_uuid, 1, again, NOW).await.unwrap();
    assert_eq!(next, Some(next_ms));
    assert_eq!(due(&tdb, NOW).await, []);
    let retried = tdb
        .due_deliveries(RECEIVER, 10, next_ms, |_| true)
        .await
        .unwrap();
    assert_eq!((retried[0].event.seq, retried[0].tries), (1, 1));

    let dead = tried(Verdict::Dead, 500);
    assert_eq!(
        tdb.delivery_tried(call_uuid, 1, dead, NOW).await.unwrap(),
        None
    );
    assert_eq!(due(&tdb, NOW).await, [(call_uuid, 2)]);
    let delivered = tried(Verdict::Delivered, 200);
    assert_eq!(
        tdb.delivery_tried(call_uuid, 2, delivered, NOW)
            .await
            .unwrap(),
        None
    );
    assert!(tdb.due_receivers(NOW).await.unwrap().is_empty());
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
    let next_ms = NOW + 600_000;
    let again = tried(Verdict::Again { next_ms }, 500);
    let noted = tdb.delivery_tried(retried, 1, again, NOW).await.unwrap();
    assert_eq!(noted, Some(next_ms));

    assert_eq!(
        due(&tdb, NOW).await,
        [],
        "its first event holds the others up"
    );
    const LONGEST_MS: u64 = 700_000;
    assert_eq!(tdb.mend_deliveries(LONGEST_MS, NOW).await.unwrap(), 1);
    assert_eq!(
        due(&tdb, NOW).await,
        [(ahead.call_uuid, 1)],
        "what is to be tried again waits on"
    );
    assert_eq!(tdb.mend_deliveries(LONGEST_MS, NOW).await.unwrap(), 0);

    // One that no schedule has put off for so long was tried by a clock that was ahead.
    let before_ms = NOW - LONGEST_MS;
    assert!(tdb.mend_deliveries(LONGEST_MS, before_ms).await.unwrap() > 0);
    assert!(due(&tdb, NOW).await.contains(&(retried, 1)));
}

#[tokio::test]
async fn tenants_with_one_origin_are_two_receivers() {
    let (tdb, _dir) = open().await;
    queued(&tdb).await;
    let mut other = new_call();
    other.tenant_id = other_tenant();
    tdb.accept(other).await.unwrap();
    let receivers = tdb.due_receivers(NOW).await.unwrap();
    let names: Vec<&str> = receivers.iter().map(|due| due.receiver.as_str()).collect();
    assert_eq!(names, [RECEIVER, "other https://hooks.example"]);
    assert_eq!(due(&tdb, NOW).await.len(), 1);
}

#[tokio::test]
async fn each_try_is_kept() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let again = tried(Verdict::Again { next_ms: NOW }, 500);
    tdb.delivery_tried(call_uuid, 1, again, NOW).await.unwrap();
    let mut unanswered = tried(Verdict::Dead, 0);
    unanswered.status = None;
    unanswered.answer = None;
    unanswered.took_ms = 10_000;
    tdb.delivery_tried(call_uuid, 1, unanswered, NOW)
        .await
        .unwrap();
    tdb.redeliver(&tenant(), call_uuid, Redeliver::Missing, author(), NOW + 9)
        .await
        .unwrap();
    let delivered = tried(Verdict::Delivered, 204);
    tdb.delivery_tried(call_uuid, 1, delivered, NOW + 10)
        .await
        .unwrap();

    let deliveries = tdb.deliveries(call_uuid, 0, 10).await.unwrap();
    assert_eq!(deliveries.len(), 1);
    let noted = &deliveries[0];
    assert_eq!((noted.seq, noted.name.as_str()), (1, "queued"));
    assert_eq!(noted.state, DeliveryState::Delivered);
    assert_eq!(
        (noted.next_ms, noted.done_ms, noted.replayed_ms),
        (None, Some(NOW + 10), Some(NOW + 9))
    );
    let tries: Vec<_> = noted
        .tries
        .iter()
        .map(|each| (each.number, each.taken, each.status, each.took_ms))
        .collect();
    assert_eq!(
        tries,
        [
            (1, false, Some(500), 7),
            (2, false, None, 10_000),
            (3, true, Some(204), 7)
        ]
    );
    assert_eq!(noted.tries[0].error.as_deref(), Some("HTTP 500"));
    assert_eq!(noted.tries[0].answer.as_deref(), Some("what it said"));
    assert_eq!(noted.tries[1].answer, None);
    assert_eq!(tdb.deliveries(call_uuid, 1, 10).await.unwrap(), []);
}

#[tokio::test]
async fn dead_letters_are_listed_by_tenant_campaign_and_time_page_by_page() {
    let (tdb, _dir) = open().await;
    let mut dead = Vec::new();
    // Two at the same moment, so that a page ends between them.
    for dead_ms in [NOW, NOW + 1, NOW + 1, NOW + 2] {
        dead.push(given_up(&tdb, 500, dead_ms).await);
    }
    dead[1..3].sort();
    dead.reverse();
    queued(&tdb).await;
    assert_eq!(listed(&tdb, page(10)).await, dead);
    let mut paged = Vec::new();
    let mut filter = page(1);
    while let [letter] = tdb
        .dead_letters(&tenant(), &filter)
        .await
        .unwrap()
        .as_slice()
    {
        paged.push(letter.call_uuid);
        filter.after = Some((letter.dead_ms, letter.call_uuid, letter.seq));
        assert_eq!(
            (letter.name.as_str(), letter.tries, letter.status),
            ("queued", 1, Some(500))
        );
        assert_eq!(letter.url, "https://hooks.example/x");
    }
    assert_eq!(paged, dead);

    let mut late = page(10);
    late.from_ms = Some(NOW + 1);
    assert_eq!(listed(&tdb, late).await, dead[..3]);
    let mut of_campaign = page(10);
    of_campaign.campaign_name = Some("surveys".to_owned());
    assert_eq!(listed(&tdb, of_campaign.clone()).await, []);
    of_campaign.campaign_name = Some(campaign().to_string());
    assert_eq!(listed(&tdb, of_campaign).await, dead);
    let foreign = tdb.dead_letters(&other_tenant(), &page(10)).await;
    assert_eq!(foreign.unwrap(), []);
}

#[tokio::test]
async fn dead_letters_that_fit_are_sent_again_the_oldest_first() {
    let (tdb, _dir) = open().await;
    let mut surveyed = new_call();
    surveyed.campaign_name = CampaignName::parse("campaign_name", "surveys").unwrap();
    tdb.accept(surveyed.clone()).await.unwrap();
    let survey = surveyed.call_uuid;
    let dead = tried(Verdict::Dead, 500);
    tdb.delivery_tried(survey, 1, dead, NOW).await.unwrap();
    let first = given_up(&tdb, 500, NOW + 1).await;
    let second = given_up(&tdb, 500, NOW + 2).await;
    let third = given_up(&tdb, 500, NOW + 3).await;

    let foreign = tdb
        .replay(&other_tenant(), replay(10), author(), NOW)
        .await
        .unwrap();
    assert_eq!((foreign.deliveries, foreign.more), (0, false));
    let mut few = replay(1);
    few.campaign_name = Some(campaign().to_string());
    let replayed = tdb.replay(&tenant(), few, author(), NOW + 9).await.unwrap();
    assert_eq!((replayed.deliveries, replayed.more), (1, true));
    assert_eq!(due(&tdb, NOW + 9).await, [(first, 1)]);
    let mut between = replay(10);
    between.from_ms = Some(NOW + 1);
    between.until_ms = Some(NOW + 3);
    let replayed = tdb
        .replay(&tenant(), between, author(), NOW + 9)
        .await
        .unwrap();
    assert_eq!((replayed.deliveries, replayed.more), (1, false));
    assert_eq!(listed(&tdb, page(10)).await, [third, survey]);
    let again = tdb
        .due_deliveries(RECEIVER, 10, NOW + 9, |_| true)
        .await
        .unwrap();
    let again: Vec<_> = again.iter().map(|d| (d.call.call_uuid, d.tries)).collect();
    let mut both = [(first, 0), (second, 0)];
    both.sort();
    assert_eq!(again, both, "from the start of the schedule");
}

#[tokio::test]
async fn a_call_is_delivered_again_as_far_as_was_asked_for() {
    let (tdb, _dir) = open().await;
    let call_uuid = queued(&tdb).await;
    let try1 = assignment(call_uuid, 1);
    tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    stored(&tdb, event(&try1, 1, started())).await;
    stored(&tdb, event(&try1, 2, ringing())).await;
    let mut outcomes = [Verdict::Delivered, Verdict::Dead].into_iter();
    for (seq, verdict) in (1..).zip(&mut outcomes) {
        let tried = tried(verdict, 200);
        tdb.delivery_tried(call_uuid, seq, tried, NOW)
            .await
            .unwrap();
    }
    let next_ms = NOW + 60_000;
    let waiting = tried(Verdict::Again { next_ms }, 500);
    tdb.delivery_tried(call_uuid, 3, waiting, NOW)
        .await
        .unwrap();

    let again = async |tenant, which| {
        tdb.redeliver(&tenant, call_uuid, which, author(), NOW + 5)
            .await
            .unwrap()
    };
    assert_eq!(again(other_tenant(), Redeliver::All).await, [0; 0]);
    assert_eq!(again(tenant(), Redeliver::One(4)).await, [0; 0]);
    assert_eq!(due(&tdb, NOW + 5).await, []);
    assert_eq!(again(tenant(), Redeliver::Missing).await, [2, 3]);
    let tries = |deliveries: Vec<Noted>| -> Vec<(DeliveryState, Option<u64>)> {
        deliveries.iter().map(|d| (d.state, d.next_ms)).collect()
    };
    let now = (DeliveryState::Due, Some(NOW + 5));
    assert_eq!(
        tries(tdb.deliveries(call_uuid, 0, 10).await.unwrap()),
        [(DeliveryState::Delivered, None), now, now]
    );
    let first = tdb
        .due_deliveries(RECEIVER, 10, NOW + 5, |_| true)
        .await
        .unwrap();
    assert_eq!((first[0].event.seq, first[0].tries), (2, 0));
    assert_eq!(again(tenant(), Redeliver::One(1)).await, [1]);
    assert_eq!(due(&tdb, NOW + 5).await, [(call_uuid, 1)]);
    assert_eq!(again(tenant(), Redeliver::All).await, [1, 2, 3]);
}

#[tokio::test]
async fn who_is_gone_is_asked_once_more_when_somebody_sends_again() {
    let (tdb, _dir) = open().await;
    let by_call = given_up(&tdb, 410, NOW).await;
    let by_filter = given_up(&tdb, 410, NOW + 1).await;
    for call in [by_call, by_filter] {
        assert!(is_gone(&tdb, call).await);
    }
    tdb.redeliver(&tenant(), by_call, Redeliver::Missing, author(), NOW + 5)
        .await
        .unwrap();
    assert!(!is_gone(&tdb, by_call).await);
    assert!(is_gone(&tdb, by_filter).await);
    tdb.replay(&tenant(), replay(10), author(), NOW + 5)
        .await
        .unwrap();
    assert!(!is_gone(&tdb, by_filter).await);
}

#[tokio::test]
async fn a_receiver_shows_what_waits_for_it_and_what_became_of_the_rest() {
    let (tdb, _dir) = open().await;
    let again = queued(&tdb).await;
    let verdict = Verdict::Again {
        next_ms: NOW + 5_000,
    };
    tdb.delivery_tried(again, 1, tried(verdict, 500), NOW)
        .await
        .unwrap();
    given_up(&tdb, 500, NOW).await;
    let taken = queued(&tdb).await;
    let delivered = tried(Verdict::Delivered, 200);
    tdb.delivery_tried(taken, 1, delivered, NOW).await.unwrap();
    queued(&tdb).await;
    tdb.note_breaker(RECEIVER.to_owned(), Some(NOW + 7))
        .await
        .unwrap();
    let figures = ReceiverFigures {
        origin: "https://hooks.example".to_owned(),
        waiting: 2,
        in_retry: 1,
        given_up: 1,
        delivered: 1,
        oldest_ms: Some(NOW),
        breaker_open_ms: Some(NOW + 7),
    };
    let shown = async |after| tdb.receivers(&tenant(), after, 10).await.unwrap();
    assert_eq!(shown("").await, [figures]);
    assert_eq!(shown("https://hooks.example").await, []);
    assert_eq!(tdb.receivers(&other_tenant(), "", 10).await.unwrap(), []);
    tdb.close_breakers().await.unwrap();
    assert_eq!(shown("").await[0].breaker_open_ms, None);
}

#[tokio::test]
async fn what_is_done_is_deleted_after_a_while_and_what_waits_is_not() {
    let (tdb, _dir) = open().await;
    let waits = queued(&tdb).await;
    let dead = given_up(&tdb, 500, NOW).await;
    let taken = queued(&tdb).await;
    let delivered = tried(Verdict::Delivered, 200);
    tdb.delivery_tried(taken, 1, delivered, NOW + 1)
        .await
        .unwrap();

    assert_eq!(tdb.forget_deliveries(NOW, 10).await.unwrap(), 0);
    assert_eq!(
        tdb.forget_deliveries(NOW + 2, 1).await.unwrap(),
        1,
        "the oldest"
    );
    assert_eq!(tdb.deliveries(dead, 0, 10).await.unwrap(), []);
    assert_eq!(tdb.deliveries(taken, 0, 10).await.unwrap().len(), 1);
    assert_eq!(tdb.forget_deliveries(NOW + 2, 10).await.unwrap(), 1);
    assert_eq!(tdb.deliveries(taken, 0, 10).await.unwrap(), []);
    assert_eq!(tdb.deliveries(waits, 0, 10).await.unwrap().len(), 1);
    let receivers = tdb.receivers(&tenant(), "", 10).await.unwrap();
    assert_eq!((receivers[0].waiting, receivers[0].delivered), (1, 1));

    let delivered = tried(Verdict::Delivered, 200);
    tdb.delivery_tried(waits, 1, delivered, NOW + 3)
        .await
        .unwrap();
    assert_eq!(tdb.forget_deliveries(NOW + 4, 10).await.unwrap(), 1);
    assert_eq!(
        tdb.receivers(&tenant(), "", 10).await.unwrap(),
        [],
        "nothing is left of it"
    );
}
