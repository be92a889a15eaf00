//! Tokens: made, listed and revoked beside a running gateway; each sees its own tenant only, does what its role
//! and scopes allow, until it expires, and as often as it may.

use crate::flows::{delete, flow, hangs_up, put};
use crate::gateway::{Answer, CONFIG, Gateway, PATIENCE, Site, send};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A token of `acme` made with these arguments.
pub async fn token_with(site: &Site, arguments: &[&str]) -> String {
    let mut command = vec!["token", "create", "--tenant", "acme"];
    command.extend(arguments);
    let made = site.run(&command).await;
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// The line of the only token, as the list shows it.
async fn only_line(site: &Site) -> String {
    let list = site.run(&["token", "list"]).await;
    let list = String::from_utf8(list.stdout).unwrap();
    list.lines().nth(1).unwrap().to_owned()
}

pub fn call() -> serde_json::Value {
    json!({ "campaign_name": "reminders", "to_number": "+15005550006" })
}

pub fn is_forbidden(answer: &Answer, why: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.body["error"]["name"], "forbidden");
    assert_eq!(answer.body["error"]["retryable"], false);
    let told = answer.body["status"].as_str().unwrap();
    assert!(told.contains(why), "{told}");
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked() {
    let (gateway, token) = Gateway::start().await;
    assert_eq!(gateway.get(&token, "/api/calls").await.status, 200);

    let list = gateway.site().run(&["token", "list"]).await;
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(!list.contains(&token), "the token itself is not kept");
    let line = list.lines().find(|line| line.contains("acme")).unwrap();
    let id = line.split_whitespace().next().unwrap();
    let listed = gateway.site().run(&["token", "list", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(
        (&listed["token_id"], &listed["role"]),
        (&json!(id), &json!("tenant"))
    );
    assert_eq!(listed.get("token"), None);
    let revoked = gateway.site().run(&["token", "revoke", id]).await;
    assert!(revoked.status.success(), "{revoked:?}");
    assert_eq!(gateway.get(&token, "/api/calls").await.status, 400);

    let again = gateway.site().run(&["token", "revoke", id]).await;
    assert!(!again.status.success());
    assert!(String::from_utf8(again.stderr).unwrap().contains(id));
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let (gateway, acme) = Gateway::start().await;
    let other = gateway.site().token("other").await;
    let body = json!({ "campaign_name": "reminders", "to_number": "+15005550006" });
    let call = gateway.make_call(&acme, &body).await;
    assert_eq!(gateway.calls(&acme).await.len(), 1);
    assert_eq!(gateway.calls(&other).await.len(), 0);
    for path in [
        format!("/api/calls/{call}"),
        format!("/api/calls/{call}/events"),
    ] {
        assert_eq!(gateway.get(&acme, &path).await.status, 200);
        assert_eq!(gateway.get(&other, &path).await.status, 404);
    }
    let drop = json!({ "call_uuid": call });
    assert_eq!(
        gateway.post(&other, "/api/dropcall", &drop).await.status,
        404
    );
    // Its UUID is taken for others too, and that is all they learn.
    let mut taken = body;
    taken["call_uuid"] = json!(call);
    let answer = gateway.post(&other, "/api/makecall", &taken).await;
    assert_eq!(answer.status, 409, "{answer:?}");
}

#[tokio::test]
async fn a_token_that_is_asked_for_wrongly_is_refused() {
    let site = Site::new("");
    for (arguments, named) in [
        (vec!["token", "create", "--tenant", "a.b"], "--tenant"),
        (
            vec!["token", "create", "--tenant", "a", "--name", "x\ny"],
            "--name",
        ),
        (
            vec!["token", "create", "--tenant", "a", "--role", "root"],
            "--role",
        ),
        (
            vec!["token", "create", "--tenant", "a", "--scope", "calls:all"],
            "--scope",
        ),
        (
            vec!["token", "create", "--tenant", "a", "--expires", "yesterday"],
            "--expires",
        ),
        (
            vec!["token", "create", "--tenant", "a", "--burst", "0"],
            "--burst",
        ),
    ] {
        let refused = site.run(&arguments).await;
        assert!(!refused.status.success());
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.contains(named), "{told}");
    }
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let (gateway, acme) = Gateway::start().await;
    let reader = token_with(gateway.site(), &["--role", "read-only"]).await;
    let made = gateway.make_call(&acme, &call()).await;
    let hello = flow("hello", "hello.wav", hangs_up());
    assert_eq!(put(&gateway, &acme, "hello", &hello).await.status, 201);
    for path in ["/api/calls", "/api/flows/hello", "/api/trunks"] {
        assert_eq!(gateway.get(&reader, path).await.status, 200, "{path}");
    }
    let checked = gateway.post(&reader, "/api/flows/check", &hello).await;
    assert_eq!(checked.status, 200, "{checked:?}");
    for (path, body) in [
        ("/api/makecall", call()),
        ("/api/dropcall", json!({ "call_uuid": made })),
        ("/api/stopplay", json!({ "call_uuid": made })),
    ] {
        let refused = gateway.post(&reader, path, &body).await;
        is_forbidden(
            &refused,
            "the role read-only may not do this: it takes calls:write",
        );
    }
    let other = flow("hello", "other.wav", hangs_up());
    is_forbidden(
        &put(&gateway, &reader, "hello", &other).await,
        "flows:write",
    );
    is_forbidden(&delete(&gateway, &reader, "hello").await, "flows:write");
    let kept = gateway.get(&acme, "/api/flows/hello").await;
    assert_eq!(kept.body["flow"], hello);
    assert_eq!(gateway.calls(&acme).await.len(), 1);
    assert_eq!(gateway.calls(&acme).await[0]["state"], "queued");
}

#[tokio::test]
async fn scopes_narrow_a_role_down_and_never_widen_it() {
    let (gateway, _) = Gateway::start().await;
    let calls = token_with(gateway.site(), &["--scope", "calls:write,trunks:read"]).await;
    gateway.make_call(&calls, &call()).await;
    assert_eq!(gateway.get(&calls, "/api/calls").await.status, 200);
    assert_eq!(gateway.get(&calls, "/api/trunks").await.status, 200);
    let refused = gateway.get(&calls, "/api/flows").await;
    is_forbidden(&refused, "the scopes calls:write trunks:read");

    let both = ["--role", "read-only", "--scope", "calls:write"];
    let reader = token_with(gateway.site(), &both).await;
    assert_eq!(gateway.get(&reader, "/api/calls").await.status, 200);
    let refused = gateway.post(&reader, "/api/makecall", &call()).await;
    is_forbidden(&refused, "the role read-only");
}

#[tokio::test]
async fn admins_and_operators_act_for_the_tenant_they_name() {
    let (gateway, acme) = Gateway::start().await;
    let other = gateway.site().token("other").await;
    let made = gateway.make_call(&other, &call()).await;
    let path = format!("/api/calls/{made}");
    let as_other = async |token: &str| {
        let request = gateway.client.get(format!("{}{path}", gateway.url));
        send(request.bearer_auth(token).header("x-tenant-id", "other")).await
    };
    for role in ["admin", "operator"] {
        let token = token_with(gateway.site(), &["--role", role]).await;
        let own = gateway.get(&token, &path).await;
        assert_eq!(own.status, 404, "its own is acme: {own:?}");
        let theirs = as_other(&token).await;
        assert_eq!(theirs.status, 200, "{theirs:?}");
        assert_eq!(theirs.body["tenant_id"], "other");
    }
    is_forbidden(&as_other(&acme).await, "acts for its own tenant only");
    assert_eq!(as_other(&other).await.status, 200, "it may name its own");

    for value in ["", "a.b"] {
        let request = gateway.client.get(format!("{}/api/calls", gateway.url));
        let bad = send(request.bearer_auth(&acme).header("x-tenant-id", value)).await;
        assert_eq!(bad.status, 422, "{bad:?}");
        assert_eq!(bad.body["error"]["field"], "header.x-tenant-id");
        assert_eq!(
            bad.body["detail"][0]["loc"],
            json!(["header", "x-tenant-id"])
        );
    }
}

#[tokio::test]
async fn a_token_ends_when_it_expires() {
    let site = Site::new(CONFIG);
    let token = token_with(&site, &["--expires", "1h"]).await;
    let gateway = site.start().await;
    assert_eq!(gateway.get(&token, "/api/calls").await.status, 200);
    gateway.site().set_clock(59 * 60_000).await;
    assert_eq!(gateway.get(&token, "/api/calls").await.status, 200);
    gateway.site().set_clock(60 * 60_000).await;
    let over = gateway.get(&token, "/api/calls").await;
    assert_eq!(over.status, 400, "{over:?}");
    assert_eq!(over.body["error"]["name"], "invalid_token");
    let told = over.body["status"].as_str().unwrap();
    assert!(told.contains("it expired at 2"), "{told}");
}

#[tokio::test]
async fn its_last_use_is_shown_and_noting_it_holds_up_no_request() {
    let (gateway, token) = Gateway::start().await;
    let line = only_line(gateway.site()).await;
    let columns: Vec<_> = line.split_whitespace().collect();
    assert_eq!(columns[4], "-", "never used: {line}");

    // Nobody else can write now.
    sqlx::any::install_default_drivers();
    let database = gateway.site().database();
    let mut holder = AnyConnection::connect(&database).await.unwrap();
    let holds = match database.starts_with("sqlite") {
        true => "BEGIN IMMEDIATE",
        false => "BEGIN; LOCK TABLE tokens IN EXCLUSIVE MODE",
    };
    sqlx::raw_sql(holds).execute(&mut holder).await.unwrap();
    let asked = Instant::now();
    assert_eq!(gateway.get(&token, "/api/calls").await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(2), "{asked:?}");
    let noted = sqlx::query_scalar::<_, Option<i64>>("SELECT last_used_ms FROM tokens");
    assert_eq!(noted.fetch_one(&mut holder).await.unwrap(), None);
    let lets_go = sqlx::raw_sql("ROLLBACK").execute(&mut holder);
    lets_go.await.unwrap();

    let deadline = Instant::now() + PATIENCE;
    loop {
        let line = only_line(gateway.site()).await;
        if line.split_whitespace().nth(4) != Some("-") {
            break;
        }
        assert!(Instant::now() < deadline, "{line}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// So many requests at once; how many of them were let through, and a refusal.
async fn at_once(gateway: &Gateway, token: &str, many: usize) -> (usize, Option<Answer>) {
    let requests = (0..many).map(|_| gateway.get(token, "/api/calls"));
    let answers = join_all(requests).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.into_iter().find(|answer| answer.status != 200);
    (passed, refused)
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let (gateway, acme) = Gateway::start().await;
    let slow = token_with(gateway.site(), &["--rate", "1", "--burst", "2"]).await;
    let (passed, refused) = at_once(&gateway, &slow, 16).await;
    assert!((2..12).contains(&passed), "{passed}");
    let refused = refused.unwrap();
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.body["slowdown"], true);
    assert_eq!(refused.body["status_code"], 1);
    assert_eq!(refused.body["error"]["name"], "rate_limited");
    assert_eq!(refused.body["error"]["retryable"], true);
    assert_eq!(refused.body["error"]["retry_after_s"], 1);
    assert_eq!(at_once(&gateway, &acme, 16).await.0, 16, "others go on");
    sleep(Duration::from_millis(1_100)).await;
    assert_eq!(gateway.get(&slow, "/api/calls").await.status, 200);
}

#[tokio::test]
async fn the_configuration_has_the_limit_of_tokens_without_their_own() {
    let limits = "[web]\nrequests_per_s = 1\nburst = 3";
    let site = Site::new(&CONFIG.replace("[web]", limits));
    let usual = site.token("acme").await;
    let free = token_with(&site, &["--rate", "0"]).await;
    let gateway = site.start().await;
    let (passed, refused) = at_once(&gateway, &usual, 16).await;
    assert!((3..13).contains(&passed), "{passed}");
    assert_eq!(refused.unwrap().status, 429);
    assert_eq!(at_once(&gateway, &free, 16).await.0, 16);
}
