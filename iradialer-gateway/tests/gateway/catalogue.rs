//! Campaigns and trunks that are added and changed while the gateway runs.

mod typed;

use crate::gateway::{Answer, CONFIG, Gateway, Site, send};
use crate::tokens::token_with;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A gateway, and tokens of an operator and of a tenant.
pub struct Ground {
    pub gateway: Gateway,
    pub operator: String,
    pub tenant: String,
}

impl Ground {
    pub async fn start() -> Ground {
        let site = Site::new(CONFIG);
        let operator = token_with(&site, &["--role", "operator"]).await;
        let tenant = site.token("acme").await;
        Ground {
            gateway: site.start().await,
            operator,
            tenant,
        }
    }

    pub async fn ask(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        let client = &self.gateway.client;
        let request = client.request(method, format!("{}{path}", self.gateway.url));
        let request = match body {
            Value::Null => request,
            body => request.json(&body),
        };
        send(request.bearer_auth(token)).await
    }

    /// The same by the operator, who gets that status.
    pub async fn do_it(&self, method: Method, path: &str, body: Value, status: u16) -> Value {
        let answer = self.ask(&self.operator, method, path, body).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        answer.body
    }

    /// A queued call of the campaign.
    pub async fn call(&self, campaign: &str) -> String {
        let body = json!({"campaign_name": campaign, "to_number": "+15005550006"});
        self.gateway.make_call(&self.tenant, &body).await
    }

    pub async fn state(&self, call: &str) -> String {
        let answer = self
            .gateway
            .get(&self.tenant, &format!("/api/calls/{call}"))
            .await;
        answer.body["state"].as_str().unwrap().to_owned()
    }

    /// Why a call waits.
    pub async fn reasons(&self, call: &str) -> Vec<String> {
        let path = format!("/api/calls/{call}/explain");
        let answer = self.gateway.get(&self.tenant, &path).await;
        let reasons = answer.body["waiting"]["reasons"]
            .as_array()
            .unwrap()
            .clone();
        let reason = |facts: &Value| facts["reason"].as_str().unwrap().to_owned();
        reasons.iter().map(reason).collect()
    }
}

pub fn trunk() -> Value {
    json!({"max_cps": 20, "max_calls": 5, "caller_ranges": ["15005550100-15005550199"],
        "params": {"proxy": "sip.example.net", "username": "u", "password": "s3cr<t", "register": true},
        "variables": {"codec_string": "PCMU"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_and_a_trunk_are_added_changed_and_deleted() {
    let ground = Ground::start().await;
    let put = ground
        .do_it(Method::PUT, "/api/trunks/twilio", trunk(), 201)
        .await;
    assert_eq!(
        (&put["source"], &put["params"]["password"]),
        (&json!("added"), &json!("***"))
    );
    ground
        .do_it(Method::PUT, "/api/trunks/twilio", trunk(), 200)
        .await;
    let mut again = trunk();
    again["name"] = json!("twilio");
    let refused = ground.do_it(Method::POST, "/api/trunks", again, 409).await;
    assert_eq!(refused["error"]["name"], "trunk_exists");

    let campaign = json!({"trunks": ["twilio", "chime"], "max_calls": 4, "hours": "0000-2400",
        "timezone": "Europe/Paris", "from_number": "+15005550006"});
    let put = ground
        .do_it(Method::PUT, "/api/campaigns/surveys", campaign.clone(), 201)
        .await;
    assert_eq!(put["trunks"], json!(["twilio", "chime"]));
    assert_eq!(
        (&put["active"], &put["timezone"]),
        (&json!(true), &json!("Europe/Paris"))
    );
    let list = ground
        .gateway
        .get(&ground.tenant, "/api/campaigns?limit=2")
        .await
        .body;
    let names = |list: &Value| -> Vec<Value> {
        let campaigns = list["campaigns"].as_array().unwrap().iter();
        campaigns.map(|campaign| campaign["name"].clone()).collect()
    };
    assert_eq!(names(&list), [json!("reminders"), json!("surveys")]);
    let cursor = list["next_cursor"].as_str().unwrap();
    let list = ground
        .gateway
        .get(&ground.tenant, &format!("/api/campaigns?cursor={cursor}"))
        .await;
    assert_eq!(
        (names(&list.body), &list.body["next_cursor"]),
        (vec![json!("trunkless")], &Value::Null)
    );

    // Accepted at once, with a number of the trunk's range.
    let body = json!({"campaign_name": "surveys", "to_number": "+15005550006", "from_number": "+15005550150"});
    let call = ground.gateway.make_call(&ground.tenant, &body).await;
    let refused = ground
        .do_it(Method::DELETE, "/api/trunks/twilio", Value::Null, 409)
        .await;
    assert_eq!(refused["error"]["name"], "trunk_in_use");
    assert!(
        refused["status"].as_str().unwrap().contains("acme/surveys"),
        "{refused}"
    );
    let refused = ground
        .do_it(Method::DELETE, "/api/campaigns/surveys", Value::Null, 409)
        .await;
    assert_eq!(refused["error"]["name"], "has_calls");
    let path = "/api/campaigns/surveys?cancel=true";
    let deleted = ground.do_it(Method::DELETE, path, Value::Null, 200).await;
    assert_eq!(deleted["canceled"], 1);
    assert_eq!(ground.state(&call).await, "canceled");
    let events = ground
        .gateway
        .get(&ground.tenant, &format!("/api/calls/{call}/events"))
        .await;
    let events = events.body["events"].as_array().unwrap().clone();
    let last = events.iter().filter(|event| event["final"] == true).count();
    assert_eq!(last, 1, "{events:?}");
    let refused = ground
        .gateway
        .post(&ground.tenant, "/api/makecall", &body)
        .await;
    assert_eq!(refused.status, 404);

    // Under its name there may be another.
    ground
        .do_it(Method::PUT, "/api/campaigns/surveys", campaign, 201)
        .await;
    let call = ground.call("surveys").await;
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(
        ground.state(&call).await,
        "queued",
        "the new one's calls are none of the old one's"
    );
    ground.do_it(Method::DELETE, path, Value::Null, 200).await;
    ground
        .do_it(Method::DELETE, "/api/trunks/twilio", Value::Null, 200)
        .await;
    ground
        .do_it(Method::GET, "/api/trunks/twilio", Value::Null, 404)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_active_or_enabled_waits_and_says_so() {
    let ground = Ground::start().await;
    let off = json!({"active": false});
    let path = "/api/campaigns/reminders";
    let answer = ground.ask(&ground.tenant, Method::PATCH, path, off).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["active"]),
        (200, &json!(false))
    );
    let call = ground.call("reminders").await;
    assert!(
        ground
            .reasons(&call)
            .await
            .contains(&"campaign_inactive".to_owned())
    );
    let on = json!({"active": true, "max_calls": 3});
    let answer = ground.ask(&ground.tenant, Method::PATCH, path, on).await;
    assert_eq!(
        (&answer.body["max_calls"], &answer.body["max_calls_defined"]),
        (&json!(3), &json!(100))
    );
    assert!(
        !ground
            .reasons(&call)
            .await
            .contains(&"campaign_inactive".to_owned())
    );

    let disabled = json!({"enabled": false});
    let shown = ground
        .do_it(Method::PATCH, "/api/trunks/chime", disabled, 200)
        .await;
    assert_eq!(
        (&shown["accepts"], &shown["waits_for"]),
        (&json!("nothing"), &json!("disabled"))
    );
    let path = format!("/api/calls/{call}/explain");
    let answer = ground.gateway.get(&ground.tenant, &path).await;
    assert_eq!(
        answer.body["waiting"]["trunks"][0]["verdict"], "disabled",
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_file_is_overridden_and_not_deleted_and_it_outlives_a_restart() {
    let ground = Ground::start().await;
    for (method, path, body) in [
        (Method::DELETE, "/api/trunks/chime", Value::Null),
        (Method::PUT, "/api/trunks/chime", trunk()),
        (Method::DELETE, "/api/campaigns/reminders", Value::Null),
        (
            Method::PUT,
            "/api/campaigns/reminders",
            json!({"trunks": []}),
        ),
    ] {
        let refused = ground.do_it(method, path, body, 409).await;
        assert_eq!(refused["error"]["name"], "in_file", "{refused}");
    }
    let less = json!({"max_cps": 2.5, "max_calls": 2});
    ground
        .do_it(Method::PATCH, "/api/trunks/chime", less, 200)
        .await;
    ground
        .do_it(Method::PUT, "/api/trunks/own", trunk(), 201)
        .await;
    ground
        .do_it(
            Method::PUT,
            "/api/campaigns/own",
            json!({"trunks": ["own"]}),
            201,
        )
        .await;
    let Ground {
        gateway,
        operator,
        tenant,
    } = ground;
    let (_, site) = gateway.stop().await;
    let ground = Ground {
        gateway: site.start().await,
        operator,
        tenant,
    };
    let chime = ground
        .do_it(Method::GET, "/api/trunks/chime", Value::Null, 200)
        .await;
    assert_eq!(
        (&chime["max_cps"], &chime["max_calls"]),
        (&json!(2.5), &json!(2))
    );
    let own = ground
        .do_it(Method::GET, "/api/trunks/own", Value::Null, 200)
        .await;
    assert_eq!(own["campaigns"], json!(["acme/own"]));
    ground.call("own").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_no_say_over_trunks_and_limits() {
    let ground = Ground::start().await;
    for (method, path) in [
        (Method::POST, "/api/trunks"),
        (Method::PUT, "/api/trunks/chime"),
        (Method::PATCH, "/api/trunks/chime"),
        (Method::DELETE, "/api/trunks/chime"),
        (Method::GET, "/api/trunks/chime/definition"),
        (Method::PUT, "/api/campaigns/reminders"),
        (Method::DELETE, "/api/campaigns/reminders"),
    ] {
        let answer = ground
            .ask(&ground.tenant, method.clone(), path, json!({}))
            .await;
        assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
        assert_eq!(answer.body["error"]["name"], "forbidden");
    }
    let more = json!({"max_calls": 101});
    let path = "/api/campaigns/reminders";
    let answer = ground
        .ask(&ground.tenant, Method::PATCH, path, more.clone())
        .await;
    assert_eq!(answer.status, 403, "{answer:?}");
    ground.do_it(Method::PATCH, path, more, 200).await;
    // Its own campaigns' trunks, and no definitions.
    let own = ground.gateway.get(&ground.tenant, "/api/trunks").await.body;
    assert_eq!(own["trunks"].as_array().unwrap().len(), 1);
    assert!(
        own["trunks"][0].get("params").is_none() && own["trunks"][0].get("campaigns").is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_file_is_given_to_the_operator_alone() {
    let ground = Ground::start().await;
    ground
        .do_it(Method::PUT, "/api/trunks/twilio", trunk(), 201)
        .await;
    let url = format!("{}/api/trunks/twilio/definition", ground.gateway.url);
    let request = ground.gateway.client.get(url).bearer_auth(&ground.operator);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/xml");
    let xml = answer.text().await.unwrap();
    for line in [
        "<gateway name=\"twilio\">",
        "<param name=\"password\" value=\"s3cr&lt;t\"/>",
        "<param name=\"register\" value=\"true\"/>",
        "<variable name=\"codec_string\" value=\"PCMU\" direction=\"outbound\"/>",
    ] {
        assert!(xml.contains(line), "no {line} in {xml}");
    }
    // Nowhere else.
    let admin = token_with(ground.gateway.site(), &["--role", "admin"]).await;
    let audit = ground.gateway.get(&admin, "/api/audit").await;
    let entries = audit.body["entries"].as_array().unwrap();
    let entry = entries
        .iter()
        .find(|entry| entry["action"] == "trunk.put")
        .unwrap();
    assert_eq!(
        (&entry["action"], &entry["subject"]),
        (&json!("trunk.put"), &json!("twilio"))
    );
    assert_eq!(
        (&entry["tenant_id"], &entry["before"]),
        (&json!("-"), &Value::Null)
    );
    assert!(!audit.body.to_string().contains("s3cr"), "{audit:?}");
    assert!(!ground.gateway.site().log_text().contains("s3cr"));
    let of_file = ground
        .do_it(
            Method::GET,
            "/api/trunks/chime/definition",
            Value::Null,
            409,
        )
        .await;
    assert_eq!(of_file["error"]["name"], "in_file");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let ground = Ground::start().await;
    let with = |field: &str, value: Value| {
        let mut body = trunk();
        body[field] = value;
        body
    };
    for (path, body, field) in [
        ("/api/trunks/a", json!({}), "max_cps"),
        ("/api/trunks/a", with("max_cps", json!(0)), "max_cps"),
        ("/api/trunks/a", with("max_calls", json!(0)), "max_calls"),
        ("/api/trunks/a", with("name", json!("b")), "name"),
        (
            "/api/trunks/a",
            with("params", json!({"exec": "x"})),
            "params.exec",
        ),
        (
            "/api/trunks/a",
            with("params", json!({"proxy": "a\nb"})),
            "params.proxy",
        ),
        (
            "/api/trunks/a",
            with("variables", json!({"execute_on_answer": "x"})),
            "variables.execute_on_answer",
        ),
        (
            "/api/trunks/a",
            with("caller_ranges", json!(["2-1"])),
            "caller_ranges[0]",
        ),
        ("/api/trunks/a", with("nodes", json!(["a b"])), "nodes[0]"),
        (
            "/api/trunks/a",
            with("sip_profile", json!("../x")),
            "sip_profile",
        ),
        ("/api/trunks/a", with("colour", json!("red")), "colour"),
        ("/api/campaigns/a", json!({}), "trunks"),
        (
            "/api/campaigns/a",
            json!({"trunks": ["nowhere"]}),
            "trunks[0]",
        ),
        (
            "/api/campaigns/a",
            json!({"trunks": ["chime", "chime"]}),
            "trunks[1]",
        ),
        (
            "/api/campaigns/a",
            json!({"trunks": ["chime"], "region": "eu"}),
            "trunks[0]",
        ),
        (
            "/api/campaigns/a",
            json!({"trunks": [], "timezone": "Mars"}),
            "timezone",
        ),
        (
            "/api/campaigns/a",
            json!({"trunks": [], "hours": "9-5"}),
            "hours",
        ),
        (
            "/api/campaigns/a",
            json!({"trunks": [], "event_url": "http://10.0.0.1/"}),
            "event_url",
        ),
        (
            "/api/campaigns/a",
            json!({"trunks": [], "active": "yes"}),
            "active",
        ),
    ] {
        let refused = ground.do_it(Method::PUT, path, body, 422).await;
        assert_eq!(refused["error"]["field"], field, "{refused}");
    }
    let list = ground
        .gateway
        .get(&ground.tenant, "/api/campaigns")
        .await
        .body;
    assert_eq!(
        list["campaigns"].as_array().unwrap().len(),
        2,
        "nothing is left of them"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_are_all_made_and_every_process_sees_them() {
    let ground = Ground::start().await;
    let puts = (0..12).map(|number| {
        let path = format!("/api/trunks/t{number}");
        let ground = &ground;
        async move { ground.do_it(Method::PUT, &path, trunk(), 201).await }
    });
    futures::future::join_all(puts).await;
    let trunks = ground
        .do_it(Method::GET, "/api/trunks", Value::Null, 200)
        .await;
    assert_eq!(trunks["trunks"].as_array().unwrap().len(), 13);

    // Another process on the same database.
    let more = Site::new(CONFIG).on(Some(ground.gateway.site().database()));
    let nats = ground.gateway.site().nats();
    let text = |name: &str| nats[name].as_str().unwrap().to_owned();
    let more = more
        .with("IRADIALER_NATS_URL", &text("url"))
        .with("IRADIALER_NATS_USER", &text("gateway_user"))
        .with("IRADIALER_NATS_PASSWORD", &text("gateway_password"));
    let other = more.start_with(&["--roles", "web"]).await;
    ground
        .do_it(
            Method::PATCH,
            "/api/campaigns/reminders",
            json!({"active": false}),
            200,
        )
        .await;
    let changed = Instant::now();
    loop {
        let seen = other.get(&ground.tenant, "/api/campaigns/reminders").await;
        if seen.body["active"] == false {
            break;
        }
        assert!(changed.elapsed() < Duration::from_secs(3), "{seen:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_shown_set_and_emptied_each_tenants_by_itself() {
    let ground = Ground::start().await;
    let other = ground.gateway.site().token("other").await;
    for _ in 0..2 {
        ground.call("reminders").await;
    }
    let theirs = json!({"campaign_name": "reminders", "to_number": "+15005550006"});
    let theirs = ground.gateway.make_call(&other, &theirs).await;
    let own = ground.gateway.get(&ground.tenant, "/api/queue").await.body;
    assert_eq!(own["sizes"]["size"], 2, "{own}");
    assert_eq!(
        own["sizes"]["trunks"],
        json!([{"size": 2, "trunk": "chime"}])
    );
    let all = ground
        .do_it(Method::GET, "/api/queue", Value::Null, 200)
        .await;
    assert_eq!(all["sizes"]["size"], 3, "{all}");
    assert_eq!(
        all["sizes"]["regions"],
        json!([{"region": "default", "size": 3}])
    );

    let set = json!({"max_total_queue_size": 3, "cps_percent": 0.25, "working_hours": "0900-1700"});
    let shown = ground
        .do_it(Method::PUT, "/api/queue", set.clone(), 200)
        .await;
    assert_eq!(shown["parameters"]["max_total_queue_size"], 3, "{shown}");
    let trunk = ground
        .do_it(Method::GET, "/api/trunks/chime", Value::Null, 200)
        .await;
    assert_eq!(trunk["max_cps"], 25.0);
    let campaign = ground
        .gateway
        .get(&ground.tenant, "/api/campaigns/reminders")
        .await
        .body;
    assert_eq!(campaign["hours"], "0900-1700");
    for (body, field) in [
        (json!({"cps_percent": 0}), "cps_percent"),
        (json!({"working_hours": "9-5"}), "working_hours"),
        (json!({"short_delay": 1}), "short_delay"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let refused = ground.do_it(Method::PUT, "/api/queue", body, 422).await;
        assert_eq!(refused["error"]["field"], field, "{refused}");
    }
    let refused = ground
        .ask(&ground.tenant, Method::PUT, "/api/queue", set)
        .await;
    assert_eq!(refused.status, 403);

    let path = "/api/queue?campaign=trunkless";
    let none = ground
        .ask(&ground.tenant, Method::DELETE, path, Value::Null)
        .await;
    assert_eq!(none.body["canceled"], 0, "{none:?}");
    let path = "/api/queue?campaign=reminders";
    let gone = ground
        .ask(&ground.tenant, Method::DELETE, path, Value::Null)
        .await;
    assert_eq!(
        (&gone.body["canceled"], &gone.body["more"]),
        (&json!(2), &json!(false))
    );
    let left = ground
        .gateway
        .get(&other, &format!("/api/calls/{theirs}"))
        .await;
    assert_eq!(left.body["state"], "queued", "it is another tenant's");
    let look = ground
        .gateway
        .get(&ground.tenant, "/api/overview")
        .await
        .body;
    assert_eq!(look["calls_today"], json!({"canceled": 2}), "{look}");
    assert!(look.get("switches").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_yet_says_so() {
    let ground = Ground::start().await;
    let none = ground.gateway.get(&ground.tenant, "/api/cpaconfigs").await;
    assert_eq!(none.body["cpaconfigs"], json!([]));
    let refused = ground
        .do_it(Method::PUT, "/api/cpaconfigs/default", json!({}), 501)
        .await;
    assert_eq!(refused["error"]["name"], "not_yet");
}
