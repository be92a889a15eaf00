//! Many calls in one request, and calls for a cluster by its name.

use crate::gateway::{Gateway, send};
use crate::tokens::call;
use serde_json::{Value, json};

async fn make_calls(gateway: &Gateway, token: &str, calls: Value) -> Value {
    let body = json!({ "calls": calls });
    let answer = gateway.post(token, "/api/makecalls", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn keyed(number: usize) -> Value {
    let mut call = call();
    call["idempotency_key"] = json!(format!("order-{number}"));
    call["to_number"] = json!(format!("+1500555{number:04}"));
    call
}

#[tokio::test]
async fn each_is_accepted_or_refused_by_itself_and_in_order() {
    let (gateway, token) = Gateway::start().await;
    let mut bad = call();
    bad["to_number"] = json!("+1500{555");
    bad["priority"] = json!("12");
    let mut unknown = call();
    unknown["campaign_name"] = json!("nonesuch");
    let mut trunkless = call();
    trunkless["campaign_name"] = json!("trunkless");
    let calls = json!([call(), bad, unknown, 7, trunkless, keyed(1)]);
    let answer = make_calls(&gateway, &token, calls).await;
    assert_eq!(
        (&answer["accepted"], &answer["refused"]),
        (&json!(2), &json!(4))
    );
    let results = answer["results"].as_array().unwrap();
    let told = results.iter().map(|result| {
        let name = result["error"]["name"].as_str().unwrap_or("");
        (result["http_status"].as_u64().unwrap(), name)
    });
    let expected = [
        (200, ""),
        (422, "invalid_field"),
        (404, "unknown_campaign"),
        (422, "invalid_field"),
        (409, "no_trunks"),
        (200, ""),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected, "{answer}");
    assert_eq!(results[1]["detail"].as_array().unwrap().len(), 2);
    let made: Vec<&Value> = [0, 5].map(|at| &results[at]["call_uuid"]).to_vec();
    let listed = gateway.calls(&token).await;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|call| made.contains(&&call["call_uuid"])));
}

#[tokio::test]
async fn a_thousand_at_once_may_be_asked_for_again() {
    let (gateway, token) = Gateway::start().await;
    let calls: Value = (0..1_000).map(keyed).collect();
    let first = make_calls(&gateway, &token, calls.clone()).await;
    assert_eq!(first["accepted"], 1_000);
    let again = make_calls(&gateway, &token, calls.clone()).await;
    let pairs = first["results"].as_array().unwrap().iter();
    for (first, again) in pairs.zip(again["results"].as_array().unwrap()) {
        assert_eq!(first["call_uuid"], again["call_uuid"]);
        assert_eq!(again["replayed"], true);
    }
    // One that says something else now is the only one to be refused.
    let mut changed = calls;
    changed[500]["priority"] = json!(1);
    let changed = make_calls(&gateway, &token, changed).await;
    assert_eq!(
        (&changed["accepted"], &changed["refused"]),
        (&json!(999), &json!(1))
    );
    assert_eq!(changed["results"][500]["error"]["name"], "conflict");
    // The same key twice in one request is one call.
    let twice = make_calls(&gateway, &token, json!([keyed(2_000), keyed(2_000)])).await;
    let results = &twice["results"];
    assert_eq!(results[0]["call_uuid"], results[1]["call_uuid"], "{twice}");
}

#[tokio::test]
async fn what_is_no_list_of_calls_is_refused() {
    let (gateway, token) = Gateway::start().await;
    for body in [
        json!({}),
        json!({ "calls": [] }),
        json!({ "calls": {} }),
        json!({ "calls": vec![json!(1); 1_001] }),
    ] {
        let answer = gateway.post(&token, "/api/makecalls", &body).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.body["error"]["field"], "calls");
    }
    let body = json!({ "calls": [call()] }).to_string();
    let request = gateway.request("/api/makecalls", body).bearer_auth(&token);
    let answer = send(request.header("Idempotency-Key", "all")).await;
    assert_eq!(answer.body["error"]["field"], "header.idempotency-key");
    let huge = json!({ "calls": [{ "to_number": "1".repeat(4 * 1024 * 1024) }] });
    let answer = gateway.post(&token, "/api/makecalls", &huge).await;
    assert_eq!(answer.status, 413);
    assert!(gateway.calls(&token).await.is_empty());
}

#[tokio::test]
async fn a_call_for_another_cluster_is_not_placed() {
    let (gateway, token) = Gateway::start().await;
    let asked = |cluster: Value| {
        let mut body = keyed(1);
        body["cluster"] = cluster;
        body
    };
    let direct = "/api/makecalldirect";
    let first = gateway.post(&token, direct, &asked(json!("ira"))).await;
    assert_eq!(first.status, 200, "{first:?}");
    // It is the same call, whichever path it is asked for at.
    let again = gateway.post(&token, "/api/makecall", &keyed(1)).await;
    assert_eq!(again.body, first.body);
    let other = gateway.post(&token, direct, &asked(json!("east"))).await;
    assert_eq!(other.status, 503, "{other:?}");
    assert_eq!(other.body["status_code"], 2);
    assert_eq!(other.body["status"], "Clusters unreachable: east");
    assert_eq!(other.body["error"]["name"], "clusters_unreachable");
    for none in [Value::Null, json!(""), json!(7)] {
        let answer = gateway.post(&token, direct, &asked(none)).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.body["error"]["field"], "cluster");
    }
    assert_eq!(gateway.calls(&token).await.len(), 1);
}

#[tokio::test]
async fn one_id_is_in_header_call_event_and_refusal() {
    let (gateway, token) = Gateway::start().await;
    let asked = |id: &str| {
        let request = gateway.request("/api/makecall", call().to_string());
        request.bearer_auth(&token).header("x-request-id", id)
    };
    let made = send(asked("job-7:3.a")).await;
    assert_eq!(made.headers["x-request-id"], "job-7:3.a");
    let path = format!("/api/calls/{}", made.body["call_uuid"].as_str().unwrap());
    assert_eq!(
        gateway.get(&token, &path).await.body["request_id"],
        "job-7:3.a"
    );
    let events = gateway.get(&token, &format!("{path}/events")).await;
    assert_eq!(events.body["events"][0]["data"]["request_id"], "job-7:3.a");
    // What does not fit is replaced by one of ours.
    for odd in ["a b", &"x".repeat(65), "\"", ""] {
        let made = send(asked(odd)).await;
        let id = made.headers["x-request-id"].to_str().unwrap();
        assert_eq!(id.len(), 36, "{odd}: {id}");
    }
    let body = gateway.request("/api/makecall", "{").bearer_auth(&token);
    let refused = send(body.header("x-request-id", "job-8")).await;
    assert_eq!(refused.body["request_id"], "job-8");
}
