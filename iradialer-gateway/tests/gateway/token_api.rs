//! `/api/tokens`: an admin and a tenant look after tokens, and nobody gives more than they have.

use crate::gateway::{Answer, Gateway, send};
use crate::tokens::{is_forbidden, token_with};
use serde_json::{Value, json};

async fn make(gateway: &Gateway, token: &str, body: Value) -> Answer {
    gateway.post(token, "/api/tokens", &body).await
}

async fn revoke(gateway: &Gateway, token: &str, id: &str) -> Answer {
    let url = format!("{}/api/tokens/{id}", gateway.url);
    send(gateway.client.delete(url).bearer_auth(token)).await
}

fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.body[name].as_str().unwrap()
}

#[tokio::test]
async fn a_token_is_made_shown_once_listed_and_revoked() {
    let (gateway, acme) = Gateway::start().await;
    let asked = json!({
        "name": "reports", "role": "read-only", "scopes": ["calls:read"],
        "expires_at": "2999-01-01T00:00:00Z",
    });
    let made = make(&gateway, &acme, asked).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (token, id) = (text(&made, "token"), text(&made, "token_id"));
    assert_eq!(gateway.get(token, "/api/calls").await.status, 200);
    is_forbidden(&gateway.get(token, "/api/flows").await, "flows:read");

    let listed = gateway.get(&acme, "/api/tokens").await;
    let tokens = listed.body["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    let shown = tokens.iter().find(|shown| shown["token_id"] == id).unwrap();
    assert_eq!(shown["name"], "reports");
    assert_eq!(shown["role"], "read-only");
    assert_eq!(shown["scopes"], json!(["calls:read"]));
    assert_eq!(shown["expires_at"], "2999-01-01T00:00:00.000Z");
    assert_eq!(shown["revoked_at"], Value::Null);
    assert!(!listed.body.to_string().contains(token), "shown once");

    let revoked = revoke(&gateway, &acme, id).await;
    assert_eq!(
        (revoked.status.as_u16(), text(&revoked, "status")),
        (200, "OK")
    );
    assert_eq!(gateway.get(token, "/api/calls").await.status, 400);
    let again = revoke(&gateway, &acme, id).await;
    assert_eq!(text(&again, "status"), "The token was revoked before");
    let unknown = revoke(&gateway, &acme, "01a1fc2f-bd5c-702b-b769-11f559dde487").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert_eq!(unknown.body["error"]["name"], "unknown_token");
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let (gateway, acme) = Gateway::start().await;
    let admin = token_with(gateway.site(), &["--role", "admin"]).await;
    for role in ["admin", "operator"] {
        let refused = make(&gateway, &acme, json!({ "role": role })).await;
        is_forbidden(&refused, "has no say over one with");
    }
    let unlimited = make(&gateway, &acme, json!({ "requests_per_s": 0 })).await;
    is_forbidden(&unlimited, "only admins");
    let narrow = token_with(gateway.site(), &["--scope", "tokens:write,calls:read"]).await;
    for scopes in [json!([]), json!(["calls:write"]), json!(["flows:read"])] {
        let refused = make(&gateway, &narrow, json!({ "scopes": scopes })).await;
        is_forbidden(&refused, "more than yours");
    }
    let same = make(&gateway, &narrow, json!({ "scopes": ["calls:read"] })).await;
    assert_eq!(same.status, 201, "{same:?}");
    let brief = token_with(gateway.site(), &["--expires", "1h"]).await;
    is_forbidden(&make(&gateway, &brief, json!({})).await, "outlives yours");
    let limited = make(&gateway, &admin, json!({ "requests_per_s": 50 })).await;
    let another = make(&gateway, text(&limited, "token"), json!({})).await;
    is_forbidden(&another, "a token with limits of its own makes no other");
    // A trunk's definition has its password in it.
    let looks = ["--role", "operator", "--scope", "trunks:read"];
    let looks = token_with(gateway.site(), &looks).await;
    assert_eq!(gateway.get(&looks, "/api/trunks").await.status, 200);
    let definition = gateway.get(&looks, "/api/trunks/chime/definition").await;
    is_forbidden(&definition, "trunks:write");
    for role in ["operator", "read-only"] {
        let token = token_with(gateway.site(), &["--role", role]).await;
        is_forbidden(&make(&gateway, &token, json!({})).await, "tokens:write");
        is_forbidden(&gateway.get(&token, "/api/tokens").await, "tokens:read");
    }

    // An admin may all of it, for another tenant too; and nobody else ends an admin's token.
    let request = gateway.request("/api/tokens", r#"{"role":"operator","requests_per_s":5}"#);
    let request = request.bearer_auth(&admin).header("x-tenant-id", "other");
    let made = send(request).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        (text(&made, "tenant_id"), text(&made, "role")),
        ("other", "operator")
    );
    let listed = gateway.get(&acme, "/api/tokens").await;
    let tokens = listed.body["tokens"].as_array().unwrap();
    let of_admin = tokens
        .iter()
        .find(|shown| shown["role"] == "admin")
        .unwrap();
    let refused = revoke(&gateway, &acme, of_admin["token_id"].as_str().unwrap()).await;
    is_forbidden(&refused, "has no say over one with admin");
    assert_eq!(gateway.get(&admin, "/api/calls").await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_by_its_field() {
    let (gateway, acme) = Gateway::start().await;
    for (body, field) in [
        (json!({ "name": "x\ny" }), "name"),
        (json!({ "name": "x".repeat(81) }), "name"),
        (json!({ "role": "root" }), "role"),
        (json!({ "scopes": "calls:read" }), "scopes"),
        (json!({ "scopes": ["calls"] }), "scopes"),
        (json!({ "scopes": [1] }), "scopes"),
        (json!({ "expires_at": "90d" }), "expires_at"),
        (
            json!({ "expires_at": "2020-01-01T00:00:00Z" }),
            "expires_at",
        ),
        (json!({ "requests_per_s": -1 }), "requests_per_s"),
        (json!({ "burst": 0 }), "burst"),
        (json!({ "tenant_id": "other" }), "tenant_id"),
    ] {
        let refused = make(&gateway, &acme, body.clone()).await;
        assert_eq!(refused.status, 422, "{body}: {refused:?}");
        assert_eq!(refused.body["error"]["field"], field, "{body}");
    }
    let listed = gateway.get(&acme, "/api/tokens").await;
    assert_eq!(listed.body["tokens"].as_array().unwrap().len(), 1);
}
