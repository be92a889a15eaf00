//! What is published of webhooks, shown with the running gateway: what each kind of answer leads to, when a webhook is
//! tried again, how it is signed, and where it is never sent.

mod certificates;
mod receiver;
mod signed;
mod when;

use crate::gateway::{CONFIG, Gateway, PATIENCE, Site};
use crate::router::fake_switch::{FakeSwitch, Reaction};
use crate::webhooks::{all_settled, canceled_call, settled};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use receiver::Receiver;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A gateway with these lines about webhooks, and a token of the tenant `acme`.
async fn start(webhooks: &str) -> (Gateway, String) {
    let site = Site::new(&config(webhooks));
    let token = site.token("acme").await;
    (site.start().await, token)
}

fn config(webhooks: &str) -> String {
    format!("[webhooks]\n{webhooks}\n{CONFIG}")
}

/// Asks for a call that nobody is there to dial, and whose events go there.
async fn queued_call(gateway: &Gateway, token: &str, url: &str) -> String {
    let body = json!({
        "campaign_name": "reminders", "to_number": "+15005550006",
        "call_params": { "event_url": url },
    });
    gateway.make_call(token, &body).await
}

/// Waits until this is so.
async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never so: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// What each try of a delivery came to: the status, or none.
fn statuses(delivery: &Value) -> Vec<Option<u64>> {
    let tries = delivery["tries"].as_array().unwrap();
    tries.iter().map(|each| each["status"].as_u64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_ends_the_deliveries_of_the_call_and_of_no_other() {
    let (gateway, token) = start("retry_after_s = [1, 1]").await;
    let receiver = Receiver::start(|count, _| async move {
        match count {
            0 => StatusCode::GONE.into_response(),
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let script = [Reaction::Hold, Reaction::Complete];
    let switch = FakeSwitch::start(&gateway.bus().await, "sw1", 10, &script).await;
    let gone = queued_call(&gateway, &token, &receiver.url).await;
    let held = switch.wait_for_dials(1).await.remove(0);
    wait_until("the first event came", || !receiver.seen().is_empty()).await;
    switch.complete(&held.command).await;
    let ended = all_settled(&gateway, &token, &gone, (5, "dead")).await;
    assert_eq!(statuses(&ended[0]), [Some(410)]);
    for never_sent in &ended[1..] {
        assert!(statuses(never_sent).is_empty(), "{never_sent}");
    }
    assert_eq!(receiver.names(), ["iradialer::queued"]);

    // Who wants no more of one call may want all of the next.
    let next = queued_call(&gateway, &token, &receiver.url).await;
    all_settled(&gateway, &token, &next, (5, "delivered")).await;
    assert_eq!(receiver.seen().len(), 1 + 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (gateway, token) = start("retry_after_s = []").await;
    let target = Receiver::always(StatusCode::OK).await;
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let location = target.url.clone();
        let receiver = Receiver::start(move |_, _| {
            let location = location.clone();
            async move { (status, [("location", location)]).into_response() }
        })
        .await;
        let call = canceled_call(&gateway, &token, &receiver.url).await;
        for dead in settled(&gateway, &token, &call, "dead").await {
            assert_eq!(statuses(&dead), [Some(status.as_u16().into())]);
        }
        assert_eq!(receiver.seen().len(), 2);
    }
    assert!(target.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_too_late_is_none() {
    let (gateway, token) = start("retry_after_s = []\ntimeout_s = 1\nconnect_timeout_s = 1").await;
    let receiver = Receiver::start(|_, _| async {
        sleep(PATIENCE).await;
        StatusCode::OK.into_response()
    })
    .await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    for dead in settled(&gateway, &token, &call, "dead").await {
        assert_eq!(statuses(&dead), [None]);
        assert_eq!(dead["error"], "no answer in time");
        let ms = dead["tries"][0]["ms"].as_u64().unwrap();
        assert!((950..10_000).contains(&ms), "{dead}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_refused_also_behind_a_name_unless_it_is_listed() {
    // Not in development mode, which lists loopback; and nothing of this needs a bus.
    let config = |listed: &str| {
        let webhooks = format!("retry_after_s = []\nallow_addresses = [{listed}]");
        format!(
            "[nats]\nurl = \"nats://127.0.0.1:1\"\n{}",
            config(&webhooks)
        )
    };
    let site = Site::new(&config(""));
    let token = site.token("acme").await;
    let gateway = site.start_with(&[]).await;
    let receiver = Receiver::always(StatusCode::OK).await;
    let literal = json!({
        "campaign_name": "reminders", "to_number": "+15005550006",
        "call_params": { "event_url": receiver.url },
    });
    let refused = gateway.post(&token, "/api/makecall", &literal).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.body["error"]["field"], "call_params.event_url");
    // What is behind a name is found out when it is resolved.
    let by_name = receiver.url.replace("127.0.0.1", "localhost");
    let call = canceled_call(&gateway, &token, &by_name).await;
    for dead in settled(&gateway, &token, &call, "dead").await {
        assert_eq!(statuses(&dead), [None]);
        let error = dead["error"].as_str().unwrap();
        assert!(error.contains("webhooks.allow_addresses"), "{error}");
    }
    assert!(receiver.seen().is_empty());

    let (_, site) = gateway.stop().await;
    std::fs::write(site.config(), config("\"127.0.0.0/8\", \"::1\"")).unwrap();
    let gateway = site.start_with(&[]).await;
    let path = format!("/api/calls/{call}/redeliver");
    let again = gateway.post(&token, &path, &json!({})).await;
    assert_eq!(again.status, 200, "{again:?}");
    settled(&gateway, &token, &call, "delivered").await;
    let accepted = gateway.post(&token, "/api/makecall", &literal).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    wait_until("all came", || receiver.seen().len() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_told_while_there_is_one_more_try() {
    let operator = Receiver::always(StatusCode::OK).await;
    let lines = format!("retry_after_s = [1]\nalert_url = \"{}\"", operator.url);
    let (gateway, token) = start(&lines).await;
    let receiver = Receiver::always(StatusCode::BAD_GATEWAY).await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    wait_until("the operator is told", || !operator.seen().is_empty()).await;
    for dead in settled(&gateway, &token, &call, "dead").await {
        assert_eq!(statuses(&dead), [Some(502); 2]);
    }

    let told = operator.seen();
    assert_eq!(told.len(), 1, "once, though two are given up");
    assert!(told[0].at < receiver.seen()[1].at, "told too late");
    let said = told[0].json();
    assert_eq!(said["event_name"], "iradialer::webhook_failing");
    let data = &said["event_data"];
    assert_eq!(data["tenant_id"], "acme");
    assert_eq!(data["webhook_id"], format!("{call}_1"));
    assert_eq!(data["tries"], 1);
    let origin = receiver.url.trim_end_matches("/hook");
    assert_eq!(data["origin"], origin);
    assert!(data["error"].as_str().unwrap().starts_with("502"), "{said}");
    let secret = signed::secret_of(gateway.site());
    assert!(told[0].is_signed_with(&secret));
}
