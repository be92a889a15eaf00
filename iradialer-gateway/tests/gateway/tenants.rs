//! A walk over every route with the ids of another tenant. The routes are those that the gateway describes, so that
//! one that is new and not walked here fails the test.

use crate::described::described;
use crate::flows::{flow, goes_to, hangs_up, put};
use crate::gateway::{Answer, CONFIG, Gateway, PATIENCE, Site, send};
use crate::tokens::call;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// What only `acme` has.
const TRUNK: &str = "acme-only";
const CAMPAIGN: &str = "acme-surveys";
const NUMBER: &str = "+15005550199";

/// What a tenant has, by which another one might ask for it.
struct Ids {
    call: String,
    token: String,
}

/// How a route is walked.
enum Walk {
    /// It names something of the owner's: 404 to anybody else.
    Named(String, Value),
    /// It names nothing, or what each tenant may have: nothing of the owner's is in the answer.
    Own(String, Value),
    /// It is for admins.
    Admins(String),
    /// It takes no token, and tells nothing of anybody.
    Open,
}

/// The method and path of every route. Nothing is served that is not described: a test of the description's holds that.
async fn routes(gateway: &Gateway) -> Vec<(Method, String)> {
    let url = gateway.url.parse().unwrap();
    let described = described(&gateway.client, &url).await;
    let operations = described.operations().into_iter();
    let routes = operations.map(|(method, path, _)| (method, path.to_owned()));
    routes.collect()
}

/// How the route is walked; `None`: it is not known here.
fn walk(method: &Method, route: &str, ids: &Ids) -> Option<Walk> {
    let asked = |more: Value| {
        let mut body = json!({ "call_uuid": ids.call });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Some(Walk::Named(route.to_owned(), body))
    };
    let named = |path: String| Some(Walk::Named(path, Value::Null));
    let own = |body| Some(Walk::Own(route.to_owned(), body));
    let of_call = || named(route.replace("{call_uuid}", &ids.call));
    let flow_path = || route.replace("{name}", "hello");
    match (method.as_str(), route) {
        (
            "GET",
            "/healthz" | "/readyz" | "/api/openapi.json" | "/api/docs" | "/api/docs/page.css"
            | "/api/docs/page.js",
        ) => Some(Walk::Open),
        ("GET", "/api/audit" | "/metrics" | "/api/license") | ("PUT", "/api/license") => {
            Some(Walk::Admins(route.to_owned()))
        }
        ("GET", "/api/calls" | "/api/dnc" | "/api/flows" | "/api/tokens" | "/api/trunks") => {
            own(Value::Null)
        }
        (
            "GET",
            "/api/calls/{call_uuid}"
            | "/api/calls/{call_uuid}/deliveries"
            | "/api/calls/{call_uuid}/details"
            | "/api/calls/{call_uuid}/events"
            | "/api/calls/{call_uuid}/explain",
        ) => of_call(),
        // It does not end; tests of its own hold what is in it.
        ("GET", "/api/stream") => Some(Walk::Open),
        ("POST", "/api/makecalls") => own(json!({ "calls": [call()] })),
        ("POST", "/api/makecall" | "/api/makecalldirect") => {
            let mut body = call();
            body["campaign_name"] = json!(CAMPAIGN);
            if route.ends_with("direct") {
                body["cluster"] = json!("ira");
            }
            Some(Walk::Named(route.to_owned(), body))
        }
        (
            "POST",
            "/api/dropcall" | "/api/stopplay" | "/api/holdcall" | "/api/unholdcall"
            | "/api/mutecall" | "/api/unmutecall" | "/api/startrecord" | "/api/stoprecord",
        ) => asked(json!({})),
        ("POST", "/api/calls/{call_uuid}/redeliver") => of_call(),
        ("GET", "/api/webhooks" | "/api/webhooks/deadletters") => own(Value::Null),
        ("POST", "/api/webhooks/deadletters/replay") => {
            let body = json!({ "webhook_id": format!("{}_1", ids.call) });
            Some(Walk::Named(route.to_owned(), body))
        }
        ("POST", "/api/playfile") => asked(json!({ "filename": "a.wav" })),
        ("POST", "/api/playurl") => asked(json!({ "url": "https://example.com/a.wav" })),
        ("POST", "/api/playtts") => asked(json!({ "text": "hello" })),
        ("POST", "/api/getvaliddtmf") => {
            asked(json!({ "var_name": "pin", "audio_type": "tts", "prompt_message": "your pin" }))
        }
        ("POST", "/api/getsimpledtmf") => asked(json!({ "var_name": "pin" })),
        ("POST", "/api/senddtmf") => asked(json!({ "digits": "1" })),
        ("POST", "/api/transfercall") => asked(json!({ "destination": "+15005550007" })),
        ("POST", "/api/bridgecalls") => {
            let body = json!({ "first_uuid": ids.call, "second_uuid": ids.call });
            Some(Walk::Named(route.to_owned(), body))
        }
        ("POST", "/api/dnc") => {
            let body = json!({ "numbers": ["+15005550123"], "campaign_name": CAMPAIGN });
            Some(Walk::Named(route.to_owned(), body))
        }
        ("DELETE", "/api/dnc") => own(json!({ "numbers": [NUMBER] })),
        ("POST", "/api/flows/check") => own(flow("mine", "a.wav", goes_to("hello"))),
        ("GET" | "DELETE", "/api/flows/{name}") => named(flow_path()),
        ("PUT", "/api/flows/{name}") => {
            Some(Walk::Own(flow_path(), flow("hello", "b.wav", hangs_up())))
        }
        ("GET", "/api/queue" | "/api/overview" | "/api/cpaconfigs") => own(Value::Null),
        // Last, as it takes away what is the stranger's own.
        ("DELETE", "/api/queue") => own(Value::Null),
        ("GET", "/api/nodes" | "/api/regions") | ("PUT", "/api/queue") => {
            Some(Walk::Admins(route.to_owned()))
        }
        ("GET", "/api/nodes/{node_id}") | ("POST", "/api/nodes/{node_id}/{order}") => {
            let path = route.replace("{node_id}", "switch-1");
            Some(Walk::Admins(path.replace("{order}", "disable")))
        }
        ("PUT" | "DELETE", "/api/cpaconfigs/{name}") => {
            Some(Walk::Admins(route.replace("{name}", "default")))
        }
        ("GET", "/api/campaigns") => own(Value::Null),
        ("GET" | "PATCH", "/api/campaigns/{name}") => Some(Walk::Named(
            route.replace("{name}", CAMPAIGN),
            patch_of(method),
        )),
        ("PUT" | "DELETE", "/api/campaigns/{name}") => {
            Some(Walk::Admins(route.replace("{name}", CAMPAIGN)))
        }
        ("POST", "/api/trunks") => Some(Walk::Admins(route.to_owned())),
        ("GET", "/api/trunks/{name}/definition")
        | ("PUT" | "PATCH" | "DELETE", "/api/trunks/{name}") => {
            Some(Walk::Admins(route.replace("{name}", TRUNK)))
        }
        ("GET", "/api/trunks/{name}") => named(route.replace("{name}", TRUNK)),
        ("POST", "/api/tokens") => own(json!({ "name": "mine" })),
        ("DELETE", "/api/tokens/{token_id}") => named(route.replace("{token_id}", &ids.token)),
        _ => None,
    }
}

fn patch_of(method: &Method) -> Value {
    match *method {
        Method::PATCH => json!({ "max_calls": 1 }),
        _ => Value::Null,
    }
}

async fn ask(gateway: &Gateway, token: &str, method: &Method, path: &str, body: &Value) -> Answer {
    let request = gateway
        .client
        .request(method.clone(), format!("{}{path}", gateway.url));
    let request = match body {
        Value::Null => request,
        body => request.json(body),
    };
    send(request.bearer_auth(token)).await
}

/// All that the tenant can see of what it has, but for when its tokens were used.
async fn all_of(gateway: &Gateway, token: &str, ids: &Ids) -> Vec<Value> {
    let call = format!("/api/calls/{}", ids.call);
    let events = format!("{call}/events");
    let deliveries = format!("{call}/deliveries");
    let mut all = Vec::new();
    for path in [
        "/api/calls",
        &call,
        &events,
        &deliveries,
        "/api/dnc",
        "/api/flows",
        "/api/flows/hello",
        "/api/tokens",
        "/api/webhooks/deadletters",
    ] {
        let mut answer = gateway.get(token, path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        for token in answer.body["tokens"].as_array_mut().into_iter().flatten() {
            token["last_used_at"] = Value::Null;
        }
        all.push(answer.body);
    }
    all
}

/// A call whose events nobody takes.
fn with_dead_webhook() -> Value {
    let mut body = call();
    body["call_params"] = json!({ "event_url": "http://127.0.0.1:1/hook" });
    body
}

/// Waits until the first event of the call was given up.
async fn given_up(gateway: &Gateway, owner: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = gateway.get(owner, "/api/webhooks/deadletters").await;
        if answer.body["deadletters"]
            .as_array()
            .is_some_and(|letters| !letters.is_empty())
        {
            return;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn start() -> (Gateway, String, String) {
    let more = format!(
        "[webhooks]\nretry_after_s = []\n{CONFIG}\n[[trunks]]\nname = \"{TRUNK}\"\nmax_cps = 1.0\n\n[[campaigns]]\nname = \"{CAMPAIGN}\"\n\
         tenant_id = \"acme\"\ntrunks = [\"{TRUNK}\"]\n"
    );
    let site = Site::new(&more.replace("max_cps = 1.0", "max_cps = 1.0\nmax_calls = 1"));
    let (owner, stranger) = (site.token("acme").await, site.token("other").await);
    (site.start().await, owner, stranger)
}

#[tokio::test]
async fn nothing_of_another_tenants_is_there() {
    let (gateway, owner, stranger) = start().await;
    let hello = flow("hello", "hello.wav", hangs_up());
    assert_eq!(put(&gateway, &owner, "hello", &hello).await.status, 201);
    let listed = json!({ "numbers": [NUMBER] });
    assert_eq!(gateway.post(&owner, "/api/dnc", &listed).await.status, 200);
    let made = gateway.post(&owner, "/api/tokens", &json!({})).await;
    let ids = Ids {
        call: gateway.make_call(&owner, &with_dead_webhook()).await,
        token: made.body["token_id"].as_str().unwrap().to_owned(),
    };
    given_up(&gateway, &owner).await;
    let before = all_of(&gateway, &owner, &ids).await;

    let routes = routes(&gateway).await;
    assert!(routes.len() >= 40, "{routes:?}");
    let known = |(method, route): &(Method, String)| {
        let walk = walk(method, route, &ids);
        let walk = walk.unwrap_or_else(|| panic!("{method} {route} is not walked: say how"));
        (method.clone(), walk)
    };
    let mut walks: Vec<_> = routes.iter().map(known).collect();
    // What the stranger makes of its own under the same names comes last; what takes away comes after what looks
    // for it, and a webhook is replayed before all of its call are.
    walks.sort_by_key(|(method, walk)| {
        let is_replay = matches!(walk, Walk::Named(path, _) if path.ends_with("/replay"));
        let is_own = matches!(walk, Walk::Own(..));
        (is_own, *method == Method::DELETE, !is_replay)
    });
    for (method, walk) in &walks {
        match walk {
            Walk::Open => {}
            Walk::Named(path, body) => {
                let answer = ask(&gateway, &stranger, method, path, body).await;
                assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
                assert_ne!(
                    answer.body["error"]["name"], "no_such_path",
                    "{method} {path}"
                );
            }
            Walk::Admins(path) => {
                let answer = ask(&gateway, &stranger, method, path, &Value::Null).await;
                assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
            }
            Walk::Own(path, body) => {
                let answer = ask(&gateway, &stranger, method, path, body).await;
                assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
                let told = answer.body.to_string();
                for of_owner in ["acme", &ids.call, &ids.token, &NUMBER[1..]] {
                    assert!(!told.contains(of_owner), "{method} {path}: {told}");
                }
            }
        }
    }
    assert_eq!(all_of(&gateway, &owner, &ids).await, before);

    // All of it was there to be found: its owner finds it.
    for (method, walk) in &walks {
        if let Walk::Named(path, body) = walk {
            let answer = ask(&gateway, &owner, method, path, body).await;
            assert_ne!(answer.status, 404, "{method} {path}: {answer:?}");
            assert_ne!(answer.status, 422, "{method} {path}: {answer:?}");
        }
    }
}
