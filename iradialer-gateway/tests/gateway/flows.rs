//! Stored flows as a client sees them.

use crate::gateway::{Answer, CONFIG, Gateway, Site, send};
use serde_json::{Value, json};

/// Plays a file and leads on.
pub fn flow(name: &str, file: &str, then: Value) -> Value {
    let mut nodes = json!({"a": {"play": [{"file": file}], "next": "b"}});
    nodes["b"] = then;
    json!({"version": 1, "name": name, "start": "a", "no_agent": "a test", "nodes": nodes})
}

pub fn hangs_up() -> Value {
    json!({"hangup": {}})
}

pub fn goes_to(flow: &str) -> Value {
    json!({"goto": {"flow": flow}})
}

pub async fn put(gateway: &Gateway, token: &str, name: &str, flow: &Value) -> Answer {
    let url = format!("{}/api/flows/{name}", gateway.url);
    let request = gateway.client.put(url).bearer_auth(token).json(flow);
    send(request).await
}

pub async fn delete(gateway: &Gateway, token: &str, name: &str) -> Answer {
    let url = format!("{}/api/flows/{name}", gateway.url);
    send(gateway.client.delete(url).bearer_auth(token)).await
}

fn named(listed: &Answer) -> Vec<(&str, u64)> {
    let flows = listed.body["flows"].as_array().unwrap();
    flows
        .iter()
        .map(|flow| {
            let version = flow["version"].as_u64().unwrap();
            (flow["name"].as_str().unwrap(), version)
        })
        .collect()
}

#[tokio::test]
async fn a_flow_is_stored_listed_read_and_deleted() {
    let (gateway, token) = Gateway::start().await;
    let one = flow("hello", "hello.wav", hangs_up());
    let stored = put(&gateway, &token, "hello", &one).await;
    assert_eq!(stored.status, 201, "{stored:?}");
    assert_eq!(stored.body["version"], 1);
    assert_eq!(stored.body["findings"], json!([]));
    let hash = stored.body["hash"].as_str().unwrap();
    assert_eq!(hash.len(), 64);
    // The same in another order of its keys.
    let text = one.to_string().replacen("\"name\":\"hello\",", "", 1);
    let text = format!("{{ \"name\": \"hello\", {}", &text[1..]);
    let url = format!("{}/api/flows/hello", gateway.url);
    let again = send(gateway.client.put(url).bearer_auth(&token).body(text)).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["version"]),
        (200, &json!(1))
    );
    assert_eq!(again.body["hash"], stored.body["hash"]);

    let two = flow("hello", "other.wav", hangs_up());
    assert_eq!(
        put(&gateway, &token, "hello", &two).await.body["version"],
        2
    );
    put(&gateway, &token, "bye", &flow("bye", "bye.wav", hangs_up())).await;
    let listed = gateway.get(&token, "/api/flows").await;
    assert_eq!(named(&listed), [("bye", 1), ("hello", 2)]);
    let first = gateway.get(&token, "/api/flows?limit=1").await;
    assert_eq!(named(&first), [("bye", 1)]);
    let rest = gateway.get(&token, "/api/flows?limit=1&cursor=bye").await;
    assert_eq!(named(&rest), [("hello", 2)]);

    let newest = gateway.get(&token, "/api/flows/hello").await;
    assert_eq!(
        (&newest.body["flow"], &newest.body["version"]),
        (&two, &json!(2))
    );
    let first = gateway.get(&token, "/api/flows/hello?version=1").await;
    assert_eq!(
        (&first.body["flow"], &first.body["hash"]),
        (&one, &json!(hash))
    );
    let none = gateway.get(&token, "/api/flows/hello?version=3").await;
    assert_eq!(none.status, 404);
    assert_eq!(none.body["error"]["name"], "unknown_flow");

    let deleted = delete(&gateway, &token, "hello").await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    assert_eq!(delete(&gateway, &token, "hello").await.status, 404);
    assert_eq!(gateway.get(&token, "/api/flows/hello").await.status, 404);
    let back = put(&gateway, &token, "hello", &one).await;
    assert_eq!(back.body["version"], 3, "a number is never used twice");
}

#[tokio::test]
async fn another_tenants_flows_are_not_there() {
    let site = Site::new(CONFIG);
    let (acme, other) = (site.token("acme").await, site.token("other").await);
    let gateway = site.start().await;
    let hello = flow("hello", "hello.wav", hangs_up());
    assert_eq!(put(&gateway, &acme, "hello", &hello).await.status, 201);
    assert_eq!(gateway.get(&other, "/api/flows/hello").await.status, 404);
    assert_eq!(named(&gateway.get(&other, "/api/flows").await), []);
    assert_eq!(delete(&gateway, &other, "hello").await.status, 404);
    let own = put(&gateway, &other, "hello", &hello).await;
    assert_eq!(
        (own.status.as_u16(), &own.body["version"]),
        (201, &json!(1))
    );
    let leads_there = flow("x", "a.wav", goes_to("bye"));
    put(&gateway, &acme, "bye", &flow("bye", "b.wav", hangs_up())).await;
    assert_eq!(put(&gateway, &acme, "x", &leads_there).await.status, 201);
    assert_eq!(put(&gateway, &other, "x", &leads_there).await.status, 422);
}

#[tokio::test]
async fn what_is_wrong_is_told_by_node_and_path() {
    let (gateway, token) = Gateway::start().await;
    let mut bad = flow(
        "hello",
        "hello.wav",
        json!({"wait": {"ms": 5}, "next": "nowhere"}),
    );
    let refused = put(&gateway, &token, "hello", &bad).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.body["error"]["name"], "invalid_flow");
    assert_eq!(refused.body["error"]["field"], "nodes.b.next");
    let finding = &refused.body["findings"][0];
    assert_eq!(
        (&finding["severity"], &finding["node"]),
        (&json!("error"), &json!("b"))
    );
    let checked = gateway.post(&token, "/api/flows/check", &bad).await;
    assert_eq!(
        (checked.status.as_u16(), &checked.body["valid"]),
        (200, &json!(false))
    );
    assert_eq!(checked.body["findings"], refused.body["findings"]);

    bad["nodes"]["b"] = json!({"menu": {"prompt": [{"file": "menu.wav"}],
        "choices": {"1": "@hangup"}, "retries": 1, "exhausted": "@hangup"}});
    let warned = put(&gateway, &token, "hello", &bad).await;
    assert_eq!(warned.status, 201, "{warned:?}");
    let finding = &warned.body["findings"][0];
    assert_eq!(
        (&finding["severity"], &finding["node"]),
        (&json!("warning"), &json!("b"))
    );
    let checked = gateway.post(&token, "/api/flows/check", &bad).await;
    assert_eq!(checked.body["valid"], true);

    let misnamed = put(&gateway, &token, "bye", &bad).await;
    assert_eq!(
        (misnamed.status.as_u16(), &misnamed.body["error"]["field"]),
        (422, &json!("name"))
    );
    let odd = put(&gateway, &token, "a%20b", &bad).await;
    assert_eq!(
        (odd.status.as_u16(), &odd.body["error"]["field"]),
        (422, &json!("path.name"))
    );
    let huge = json!({"a": "x".repeat(600_000)});
    assert_eq!(put(&gateway, &token, "hello", &huge).await.status, 413);
    let long = json!({"a": "x".repeat(300_000)});
    let refused = put(&gateway, &token, "hello", &long).await;
    assert_eq!(refused.status, 422);
    let said = refused.body["findings"][0]["message"].as_str().unwrap();
    assert!(said.contains("262144 bytes"), "{said}");
}

#[tokio::test]
async fn where_gotos_lead_is_checked_over_the_tenants_flows() {
    let (gateway, token) = Gateway::start().await;
    let first = flow("first", "a.wav", goes_to("second"));
    let refused = put(&gateway, &token, "first", &first).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.body["error"]["field"], "nodes.b.goto.flow");
    let said = refused.body["status"].as_str().unwrap();
    assert!(said.contains("there is no flow \"second\""), "{said}");

    let second = flow("second", "b.wav", hangs_up());
    assert_eq!(put(&gateway, &token, "second", &second).await.status, 201);
    assert_eq!(put(&gateway, &token, "first", &first).await.status, 201);
    let ring = put(
        &gateway,
        &token,
        "second",
        &flow("second", "b.wav", goes_to("first")),
    )
    .await;
    assert_eq!(ring.status, 422, "{ring:?}");
    let said = ring.body["findings"][0]["message"].as_str().unwrap();
    assert!(said.contains("goes round for ever"), "{said}");
}

#[tokio::test]
async fn a_call_of_an_unknown_flow_is_refused_by_its_field() {
    let (gateway, token) = Gateway::start().await;
    put(&gateway, &token, "bye", &flow("bye", "b.wav", hangs_up())).await;
    put(
        &gateway,
        &token,
        "hello",
        &flow("hello", "a.wav", goes_to("bye")),
    )
    .await;
    let call = async |ivr: Value| {
        let body = json!({"campaign_name": "reminders", "to_number": "+15005550006", "ivr": ivr});
        gateway.post(&token, "/api/makecall", &body).await
    };
    assert_eq!(call(json!("hello")).await.status, 200);
    assert_eq!(
        call(flow("own", "a.wav", goes_to("hello"))).await.status,
        200
    );
    assert_eq!(call(flow("own", "a.wav", goes_to("own"))).await.status, 422);

    delete(&gateway, &token, "bye").await;
    for (ivr, field, said) in [
        (json!("bye"), "ivr", "there is no flow"),
        (json!("hello"), "ivr", "goes on in"),
        (flow("own", "a.wav", goes_to("bye")), "ivr", "goes on in"),
    ] {
        let refused = call(ivr).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.body["error"]["field"], field);
        assert!(
            refused.body["status"].as_str().unwrap().contains(said),
            "{refused:?}"
        );
    }
}
