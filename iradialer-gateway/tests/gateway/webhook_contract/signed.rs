//! How a webhook is signed, and what its events are called.

use super::receiver::Receiver;
use super::{canceled_call, queued_call, settled, start};
use crate::gateway::Site;
use crate::router::fake_switch::FakeSwitch;
use crate::webhooks::all_settled;
use axum::http::StatusCode;
use serde_json::json;

const NEW: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
const OLD: &str = "whsec_QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
const OTHER: &str = "whsec_Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M=";

/// The secret that a gateway without one in its configuration has made.
pub fn secret_of(site: &Site) -> String {
    let secret = std::fs::read_to_string(site.data().join("webhook.secret")).unwrap();
    secret.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_call_is_signed_over_what_came() {
    let (gateway, token) = start("").await;
    let receiver = Receiver::always(StatusCode::OK).await;
    let _switch = FakeSwitch::start(&gateway.bus().await, "sw1", 10, &[]).await;
    let body = json!({
        "campaign_name": "reminders", "to_number": "+15005550006",
        "call_params": { "event_url": receiver.url, "token": "open sesame" },
    });
    let call = gateway.make_call(&token, &body).await;
    all_settled(&gateway, &token, &call, (5, "delivered")).await;

    let secret = secret_of(gateway.site());
    let seen = receiver.seen();
    let names = ["queued", "started", "ringing", "answered", "hangup"];
    assert_eq!(
        receiver.names(),
        names.map(|name| format!("iradialer::{name}"))
    );
    for (seq, received) in (1..).zip(&seen) {
        assert!(received.is_signed_with(&secret), "{received:?}");
        assert!(!received.is_signed_with(OTHER), "{received:?}");
        assert_eq!(received.header("webhook-id"), format!("{call}_{seq}"));
        assert_eq!(received.header("authorization"), "Bearer open sesame");
        assert_eq!(received.header("content-type"), "application/json");
        let body = received.json();
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(body["event_data"]["seq"], seq);
        assert_eq!(body["event_data"]["final"] == true, seq == 5, "{body}");

        let mut changed = received.clone();
        let text = String::from_utf8(changed.body).unwrap();
        changed.body = text.replace("+15005550006", "+15005550007").into_bytes();
        assert!(!changed.is_signed_with(&secret), "the body is signed");
        let mut renamed = received.clone();
        renamed
            .headers
            .insert("webhook-id", "another".parse().unwrap());
        assert!(!renamed.is_signed_with(&secret), "the id is signed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_secrets_change_each_of_the_two_verifies() {
    let lines = format!("secret = \"{NEW}\"\nprevious_secret = \"{OLD}\"");
    let (gateway, token) = start(&lines).await;
    let receiver = Receiver::always(StatusCode::OK).await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    settled(&gateway, &token, &call, "delivered").await;
    for received in receiver.seen() {
        let signatures = received.header("webhook-signature").split(' ');
        let signatures: Vec<String> = signatures.map(str::to_owned).collect();
        assert_eq!(signatures.len(), 2, "{signatures:?}");
        for (secret, other, signature) in [(NEW, OLD, &signatures[0]), (OLD, NEW, &signatures[1])] {
            assert!(received.is_signed_with(secret));
            // Each is enough by itself, and only for its own secret.
            let mut alone = received.clone();
            let value = signature.parse().unwrap();
            alone.headers.insert("webhook-signature", value);
            assert!(alone.is_signed_with(secret) && !alone.is_signed_with(other));
        }
        assert!(!received.is_signed_with(OTHER));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_of_event_names_is_a_setting() {
    let (gateway, token) = start("event_prefix = \"iravoice::\"").await;
    let receiver = Receiver::always(StatusCode::OK).await;
    let call = queued_call(&gateway, &token, &receiver.url).await;
    all_settled(&gateway, &token, &call, (1, "delivered")).await;
    assert_eq!(receiver.names(), ["iravoice::queued"]);
    let path = format!("/api/calls/{call}/events");
    let events = gateway.get(&token, &path).await.body;
    assert_eq!(events["events"][0]["event_name"], "iravoice::queued");
}
