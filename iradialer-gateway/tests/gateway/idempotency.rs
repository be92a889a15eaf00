//! The same request again: one call, and the same answer.

use crate::gateway::{Answer, Gateway, send};
use serde_json::{Value, json};

fn body() -> Value {
    json!({ "campaign_name": "reminders", "to_number": "+15005550006", "priority": 7 })
}

async fn keyed(gateway: &Gateway, token: &str, key: &str, body: String) -> Answer {
    let request = gateway.request("/api/makecall", body).bearer_auth(token);
    send(request.header("Idempotency-Key", key)).await
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer() {
    let (gateway, token) = Gateway::start().await;
    let first = keyed(&gateway, &token, "order-7", body().to_string()).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    // The order of the keys and white space are not the request.
    let shuffled =
        r#"{ "priority": 7, "to_number": "+15005550006", "campaign_name": "reminders" }"#;
    for again in [body().to_string(), shuffled.to_owned()] {
        let answer = keyed(&gateway, &token, "order-7", again).await;
        assert_eq!((answer.status, &answer.body), (first.status, &first.body));
        assert_eq!(answer.headers["idempotency-replayed"], "true");
    }
    let mut other = body();
    other["to_number"] = json!("+15005550007");
    let conflict = keyed(&gateway, &token, "order-7", other.to_string()).await;
    assert_eq!(conflict.status, 409, "{conflict:?}");
    assert_eq!(conflict.body["error"]["name"], "conflict");
    assert_eq!(conflict.body["error"]["field"], "idempotency_key");
    assert_eq!(gateway.calls(&token).await.len(), 1);
}

#[tokio::test]
async fn many_at_once_with_one_key_make_one_call() {
    let (gateway, token) = Gateway::start().await;
    let requests = (0..20).map(|_| keyed(&gateway, &token, "once", body().to_string()));
    let answers = futures::future::join_all(requests).await;
    for answer in &answers {
        assert_eq!(
            (answer.status.as_u16(), &answer.body),
            (200, &answers[0].body)
        );
    }
    assert_eq!(gateway.calls(&token).await.len(), 1);
}

#[tokio::test]
async fn a_call_uuid_of_the_clients_own_is_a_key_too() {
    let (gateway, token) = Gateway::start().await;
    let mut own = body();
    own["call_uuid"] = json!("0190a5b2-0000-7000-8000-000000000001");
    let first = gateway.post(&token, "/api/makecall", &own).await;
    assert_eq!(first.body["call_uuid"], own["call_uuid"], "{first:?}");
    let again = gateway.post(&token, "/api/makecall", &own).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    own["priority"] = json!(1);
    let conflict = gateway.post(&token, "/api/makecall", &own).await;
    assert_eq!(conflict.status, 409, "{conflict:?}");
    assert_eq!(conflict.body["error"]["field"], "call_uuid");
    assert_eq!(gateway.calls(&token).await.len(), 1);
}

#[tokio::test]
async fn the_answer_survives_the_gateway() {
    let (gateway, token) = Gateway::start().await;
    let first = keyed(&gateway, &token, "k", body().to_string()).await;
    let gateway = gateway.kill().await.start().await;
    let again = keyed(&gateway, &token, "k", body().to_string()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(gateway.calls(&token).await.len(), 1);
}

#[tokio::test]
async fn a_request_whose_times_are_over_by_now_is_repeated_like_another() {
    let (gateway, token) = Gateway::start().await;
    let soon = time::OffsetDateTime::now_utc() + time::Duration::seconds(1);
    let mut body = body();
    let rfc3339 = &time::format_description::well_known::Rfc3339;
    body["expires_at"] = json!(soon.format(rfc3339).unwrap());
    let first = keyed(&gateway, &token, "short", body.to_string()).await;
    assert_eq!(first.status, 200, "{first:?}");
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    let again = keyed(&gateway, &token, "short", body.to_string()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    let late = keyed(&gateway, &token, "late", body.to_string()).await;
    assert_eq!(late.status, 422, "{late:?}");
}
