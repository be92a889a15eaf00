//! When a webhook that failed is tried again.

use super::receiver::Receiver;
use super::{canceled_call, queued_call, settled, start, statuses};
use crate::gateway::{Gateway, PATIENCE};
use crate::webhooks::deliveries;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::sleep;

/// The waits after each failed try, as they are published: 5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
const SCHEDULE_S: [u64; 8] = [5, 30, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
/// How long a busy machine may be between an answer and the note of when the next try is, ms.
const SLACK_MS: i64 = 500;

fn ms_of(time: &Value) -> i64 {
    let time: Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_millisecond()
}

/// Waits until the call's first webhook was tried so often.
async fn tried(gateway: &Gateway, token: &str, call: &str, tries: usize) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = deliveries(gateway, token, call).await.body;
        let first = &answer["deliveries"][0];
        if statuses(first).len() == tries {
            let last = &first["tries"][tries - 1];
            let next = &first["next_try_at"];
            // The tries are read after what they are of: the last one may have been noted in between.
            if next.is_null() || ms_of(&last["at"]) < ms_of(next) {
                return first.clone();
            }
        }
        assert!(Instant::now() < deadline, "not {tries} tries: {answer}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_published_schedule_is_in_the_file_of_defaults() {
    let printed = Command::new(env!("CARGO_BIN_EXE_iradialer-gateway"))
        .args(["config", "defaults"])
        .output();
    let printed = String::from_utf8(printed.await.unwrap().stdout).unwrap();
    let printed: toml::Table = printed.parse().unwrap();
    let waits = printed["webhooks"]["retry_after_s"].as_array().unwrap();
    let waits: Vec<_> = waits
        .iter()
        .map(|wait| wait.as_integer().unwrap() as u64)
        .collect();
    assert_eq!(waits, SCHEDULE_S);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_as_published_and_then_given_up() {
    let (gateway, token) = start("").await;
    // It asks to be tried again sooner, which shortens nothing.
    let receiver = Receiver::start(|_, request| async move {
        match request.path.as_str() {
            "/well" => StatusCode::OK.into_response(),
            _ => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]).into_response(),
        }
    })
    .await;
    let well = receiver.url.replace("/hook", "/well");
    let call = queued_call(&gateway, &token, &receiver.url).await;
    for (tries, wait_s) in (1..).zip(SCHEDULE_S) {
        let failed = tried(&gateway, &token, &call, tries).await;
        assert_eq!(failed["state"], "due", "{failed}");
        let last = &failed["tries"][tries - 1];
        let wait_ms = wait_s as i64 * 1_000;
        let waits_ms = ms_of(&failed["next_try_at"]) - ms_of(&last["at"]);
        let most_ms = wait_ms * 11 / 10 + last["ms"].as_i64().unwrap() + SLACK_MS;
        assert!(
            (wait_ms * 9 / 10..=most_ms).contains(&waits_ms),
            "after {tries} tries it waits {waits_ms} ms: {failed}"
        );
        // It is that time now. What another call brings has the gateway look at its clock, and the receiver, which
        // takes that, need not rest.
        let now_ms = Timestamp::now().as_millisecond();
        let ahead_ms = ms_of(&failed["next_try_at"]) - now_ms;
        gateway.site().set_clock(ahead_ms).await;
        queued_call(&gateway, &token, &well).await;
    }
    let last = tried(&gateway, &token, &call, SCHEDULE_S.len() + 1).await;
    assert_eq!(last["state"], "dead", "{last}");
    assert!(last["next_try_at"].is_null(), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_more_time_gets_it() {
    let (gateway, token) = start("retry_after_s = [1]").await;
    let receiver = Receiver::start(|count, _| async move {
        match count {
            0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response(),
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    let taken = settled(&gateway, &token, &call, "delivered").await;
    assert_eq!(statuses(&taken[0]), [Some(429), Some(200)]);
    let seen = receiver.seen();
    let waited = seen[1].at - seen[0].at;
    // The schedule's own wait is 1.1 s at the most. The gateway counts in ms, by a wall clock.
    assert!(waited >= Duration::from_millis(1_950), "{waited:?}");
}
