//! Tokens: made, listed and revoked beside a running gateway; each sees its own tenant only.

use crate::gateway::{Gateway, Site};
use serde_json::json;

#[tokio::test]
async fn a_token_works_until_it_is_revoked() {
    let (gateway, token) = Gateway::start().await;
    assert_eq!(gateway.get(&token, "/api/calls").await.status, 200);

    let list = gateway.site().run(&["token", "list"]).await;
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(!list.contains(&token), "the token itself is not kept");
    let line = list.lines().find(|line| line.contains("acme")).unwrap();
    let id = line.split_whitespace().next().unwrap();
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
async fn a_bad_tenant_or_name_is_refused() {
    let site = Site::new("");
    for (arguments, named) in [
        (vec!["token", "create", "--tenant", "a.b"], "--tenant"),
        (
            vec!["token", "create", "--tenant", "a", "--name", "x\ny"],
            "--name",
        ),
    ] {
        let refused = site.run(&arguments).await;
        assert!(!refused.status.success());
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.contains(named), "{told}");
    }
}
