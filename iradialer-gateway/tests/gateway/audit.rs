//! The audit log as an admin reads it: what came over the API and what was typed.

use crate::flows::{delete, flow, hangs_up, put};
use crate::gateway::{Gateway, send};
use crate::tokens::{is_forbidden, token_with};
use serde_json::{Value, json};

async fn entries(gateway: &Gateway, token: &str, query: &str) -> Vec<Value> {
    let answer = gateway.get(token, &format!("/api/audit{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_admin_reads_who_changed_what_through_the_api_and_the_command_line() {
    let (gateway, acme) = Gateway::start().await;
    let admin = token_with(gateway.site(), &["--role", "admin", "--name", "boss"]).await;
    let hello = flow("hello", "hello.wav", hangs_up());
    let stored = put(&gateway, &acme, "hello", &hello).await;
    assert_eq!(stored.status, 201, "{stored:?}");
    let deleted = delete(&gateway, &acme, "hello").await;
    let numbers = json!({ "numbers": ["+15005550199"] });
    let listed = gateway.post(&acme, "/api/dnc", &numbers).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let mut asked = crate::tokens::call();
    asked["call_params"] = json!({ "event_url": "http://127.0.0.1:1/hook" });
    let call = gateway.make_call(&acme, &asked).await;
    let path = format!("/api/calls/{call}");
    let asked_by = gateway.get(&acme, &path).await.body["token_id"].clone();
    for _ in 0..2 {
        // Once: the second time it has ended.
        let body = json!({ "call_uuid": call });
        let dropped = gateway.post(&acme, "/api/dropcall", &body).await;
        assert_eq!(dropped.status, 200, "{dropped:?}");
    }

    let again = gateway
        .post(
            &acme,
            &format!("/api/calls/{call}/redeliver"),
            &json!({"seq": 1}),
        )
        .await;
    assert_eq!(again.status, 200, "{again:?}");

    let mut log = entries(&gateway, &admin, "").await;
    let again = log.remove(0);
    assert_eq!(
        (&again["action"], &again["subject"], &again["after"]),
        (
            &json!("webhook.redeliver"),
            &json!(call),
            &json!({ "events": [1] })
        )
    );
    let dropped = log.remove(0);
    assert_eq!(
        (&dropped["action"], &dropped["subject"]),
        (&json!("call.drop"), &json!(call))
    );
    assert_eq!(dropped["after"]["state"], "canceled");
    let actions: Vec<_> = log.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(
        actions,
        [
            "dnc.add",
            "flow.delete",
            "flow.put",
            "token.create",
            "token.create"
        ]
    );
    let tokens = gateway.get(&admin, "/api/tokens").await;
    let of_acme = &tokens.body["tokens"][0]["token_id"];
    assert_eq!(asked_by, *of_acme);
    for (entry, answer) in [(&log[0], &listed), (&log[1], &deleted), (&log[2], &stored)] {
        assert_eq!((&entry["via"], &entry["actor"]), (&json!("api"), of_acme));
        assert_eq!(
            entry["request_id"],
            answer.headers["x-request-id"].to_str().unwrap()
        );
    }
    let version = json!({ "version": 1, "hash": stored.body["hash"] });
    assert_eq!(log[1]["subject"], "hello");
    assert_eq!(
        (&log[1]["before"], &log[1]["after"]),
        (&version, &Value::Null)
    );
    assert_eq!(
        (&log[2]["before"], &log[2]["after"]),
        (&Value::Null, &version)
    );
    assert_eq!(log[3]["via"], "command_line");
    assert_ne!(log[3]["actor"], "");
    assert_eq!(log[3]["after"]["role"], "admin");
    assert_eq!(log[3]["after"]["name"], "boss");
    let shown = format!("{log:?}");
    assert!(!shown.contains(&admin) && !shown.contains(&acme) && !shown.contains("ira_"));

    let first = gateway.get(&admin, "/api/audit?limit=3").await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let rest = entries(&gateway, &admin, &format!("?cursor={cursor}")).await;
    assert_eq!(rest, log[1..]);
    assert!(entries(&gateway, &admin, "?tenant=other").await.is_empty());
    let later = "?from=2999-01-01T00:00:00Z";
    assert!(entries(&gateway, &admin, later).await.is_empty());
    let bad = gateway.get(&admin, "/api/audit?cursor=x").await;
    assert_eq!(bad.status, 422, "{bad:?}");

    for role in ["operator", "tenant", "read-only"] {
        let token = token_with(gateway.site(), &["--role", role]).await;
        is_forbidden(&gateway.get(&token, "/api/audit").await, "audit:read");
    }
}

#[tokio::test]
async fn who_emptied_the_queue_is_told() {
    let (gateway, acme) = Gateway::start().await;
    let admin = token_with(gateway.site(), &["--role", "admin", "--name", "boss"]).await;
    for _ in 0..3 {
        gateway.make_call(&acme, &crate::tokens::call()).await;
    }
    for path in ["/api/queue?campaign=reminders", "/api/queue"] {
        let request = gateway.client.delete(format!("{}{path}", gateway.url));
        let emptied = send(request.bearer_auth(&acme)).await;
        assert_eq!(emptied.status, 200, "{emptied:?}");
    }
    let log = entries(&gateway, &admin, "").await;
    let emptied: Vec<_> = log
        .iter()
        .filter(|entry| entry["action"] == "queue.empty")
        .collect();
    assert_eq!(
        emptied.len(),
        1,
        "nothing was left the second time: {log:?}"
    );
    let entry = emptied[0];
    assert_eq!(
        (&entry["subject"], &entry["before"], &entry["via"]),
        (&json!("reminders"), &json!({ "calls": 3 }), &json!("api"))
    );
    assert!(entry["actor"].is_string() && entry["request_id"].is_string());
}
