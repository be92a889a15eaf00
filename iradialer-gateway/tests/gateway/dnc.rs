//! The do-not-call list as a client and an operator see it.

use crate::gateway::{Answer, CONFIG, Gateway, Site, send};
use serde_json::{Value, json};
use std::process::Output;

const NUMBER: &str = "+15005550006";

async fn delete(gateway: &Gateway, token: &str, body: &Value) -> Answer {
    let url = format!("{}/api/dnc", gateway.url);
    let request = gateway.client.delete(url).bearer_auth(token).json(body);
    send(request).await
}

async fn add(gateway: &Gateway, token: &str, body: &Value) -> Answer {
    gateway.post(token, "/api/dnc", body).await
}

fn numbers(listed: &Answer) -> Vec<&str> {
    let entries = listed.body["numbers"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["number"].as_str().unwrap())
        .collect()
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_number_is_listed_refused_and_called_again() {
    let (gateway, token) = Gateway::start().await;
    let call = json!({ "campaign_name": "reminders", "to_number": NUMBER });
    let waiting = gateway.make_call(&token, &call).await;
    let body =
        json!({"numbers": [NUMBER, "15005550006", "+15005550007"], "reason": "asked by post"});
    let added = add(&gateway, &token, &body).await;
    assert_eq!(added.status, 200, "{added:?}");
    assert_eq!(
        (&added.body["added"], &added.body["listed_before"]),
        (&json!(2), &json!(0)),
        "a number is the same with and without its +"
    );
    let again = add(&gateway, &token, &body).await;
    assert_eq!(again.body["listed_before"], 2, "{again:?}");

    let listed = gateway.get(&token, "/api/dnc").await;
    assert_eq!(numbers(&listed), ["15005550006", "15005550007"]);
    assert_eq!(listed.body["next_cursor"], Value::Null);
    let entry = &listed.body["numbers"][0];
    for (name, value) in [
        ("scope", json!("tenant")),
        ("campaign_name", Value::Null),
        ("reason", json!("asked by post")),
        ("source", json!("api")),
        ("call_uuid", Value::Null),
    ] {
        assert_eq!(entry[name], value, "{entry}");
    }
    assert!(entry["created_at"].as_str().unwrap().ends_with('Z'));

    let refused = gateway.post(&token, "/api/makecall", &call).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.body["error"]["name"], "do_not_call");
    // What is queued already says that it will not be dialled.
    let path = format!("/api/calls/{waiting}/explain");
    let explained = gateway.get(&token, &path).await;
    let reasons = explained.body["waiting"]["reasons"].to_string();
    assert!(
        reasons.contains(r#""listed_for":"asked by post""#),
        "{reasons}"
    );

    let gone = delete(
        &gateway,
        &token,
        &json!({"numbers": [NUMBER, "+15005550009"]}),
    )
    .await;
    assert_eq!(
        (&gone.body["removed"], &gone.body["not_listed"]),
        (&json!(1), &json!(1)),
        "{gone:?}"
    );
    assert_eq!(
        gateway.post(&token, "/api/makecall", &call).await.status,
        200
    );
}

#[tokio::test]
async fn a_campaigns_list_is_its_own_and_a_tenants_too() {
    let site = Site::new(CONFIG);
    let (acme, other) = (site.token("acme").await, site.token("other").await);
    let gateway = site.start().await;
    let body = json!({"numbers": [NUMBER], "scope": "campaign", "campaign_name": "trunkless"});
    assert_eq!(add(&gateway, &acme, &body).await.status, 200);
    let unknown = add(&gateway, &other, &body).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert_eq!(unknown.body["error"]["name"], "unknown_campaign");
    assert!(numbers(&gateway.get(&other, "/api/dnc").await).is_empty());
    let gone = delete(&gateway, &other, &body).await;
    assert_eq!(gone.body["removed"], 0, "another tenant's stays: {gone:?}");

    let call = json!({ "campaign_name": "reminders", "to_number": NUMBER });
    gateway.make_call(&acme, &call).await;
    for (query, count) in [
        ("campaign=trunkless", 1),
        ("campaign=reminders", 0),
        ("number=15005550006", 1),
        ("number=%2B15005550007", 0),
        ("number=%2B15005550006&campaign=trunkless", 1),
    ] {
        let listed = gateway.get(&acme, &format!("/api/dnc?{query}")).await;
        assert_eq!(numbers(&listed).len(), count, "{query}: {listed:?}");
    }
    let everywhere = delete(&gateway, &acme, &json!({"numbers": [NUMBER]})).await;
    assert_eq!(everywhere.body["removed"], 0, "{everywhere:?}");
    assert_eq!(delete(&gateway, &acme, &body).await.body["removed"], 1);
}

#[tokio::test]
async fn ten_thousand_numbers_at_once_and_page_by_page() {
    let (gateway, token) = Gateway::start().await;
    let many = |count: u32| -> Vec<String> { (0..count).map(|n| format!("+1415{n:07}")).collect() };
    let added = add(&gateway, &token, &json!({"numbers": many(10_000)})).await;
    assert_eq!(added.body["added"], 10_000, "{added:?}");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let listed = gateway
            .get(&token, &format!("/api/dnc?limit=1000{cursor}"))
            .await;
        seen.extend(numbers(&listed).into_iter().map(str::to_owned));
        match listed.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<_> = many(10_000).iter().map(|n| n[1..].to_owned()).collect();
    assert_eq!(seen, expected);
    let refused = add(&gateway, &token, &json!({"numbers": many(10_001)})).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]["field"]),
        (422, &json!("numbers"))
    );
    let gone = delete(&gateway, &token, &json!({"numbers": many(10_000)})).await;
    assert_eq!(gone.body["removed"], 10_000, "{gone:?}");
}

#[tokio::test]
async fn bad_lists_are_refused_by_their_field_and_leave_nothing() {
    let (gateway, token) = Gateway::start().await;
    for (body, field) in [
        (json!({}), "numbers"),
        (json!({"numbers": []}), "numbers"),
        (json!({"numbers": NUMBER}), "numbers"),
        (json!({"numbers": [NUMBER, "+1500{555"]}), "numbers.1"),
        (json!({"numbers": [15005550006u64]}), "numbers.0"),
        (json!({"numbers": [NUMBER], "scope": "world"}), "scope"),
        (
            json!({"numbers": [NUMBER], "scope": "campaign"}),
            "campaign_name",
        ),
        (
            json!({"numbers": [NUMBER], "scope": "tenant", "campaign_name": "reminders"}),
            "campaign_name",
        ),
        (
            json!({"numbers": [NUMBER], "campaign_name": "a.b"}),
            "campaign_name",
        ),
        (json!({"numbers": [NUMBER], "reason": "a\nb"}), "reason"),
        (
            json!({"numbers": [NUMBER], "reason": "x".repeat(201)}),
            "reason",
        ),
        (json!({"numbers": [NUMBER], "colour": "red"}), "colour"),
        (json!({"numbers": vec!["x"; 5_000]}), "numbers.0"),
    ] {
        let refused = add(&gateway, &token, &body).await;
        assert_eq!(refused.status, 422, "{body}: {refused:?}");
        assert_eq!(refused.body["error"]["field"], field, "{refused:?}");
        assert!(refused.body["detail"].as_array().unwrap().len() <= 100);
    }
    let refused = delete(
        &gateway,
        &token,
        &json!({"numbers": [NUMBER], "reason": "x"}),
    )
    .await;
    assert_eq!(refused.body["error"]["field"], "reason", "{refused:?}");
    for query in [
        "number=x",
        "campaign=a.b",
        "cursor=a:b",
        "cursor=%2B1500:a",
        "limit=0",
        "x=1",
    ] {
        let refused = gateway.get(&token, &format!("/api/dnc?{query}")).await;
        assert_eq!(refused.status, 422, "{query}: {refused:?}");
    }
    assert!(numbers(&gateway.get(&token, "/api/dnc").await).is_empty());
}

#[tokio::test]
async fn a_file_is_imported_beside_a_running_gateway_and_exported() {
    let (gateway, token) = Gateway::start().await;
    let site = gateway.site();
    let path = site.config().with_file_name("list.csv");
    let file = path.to_str().unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = vec!["dnc"];
        command.extend(arguments);
        command.extend(["--tenant", "acme"]);
        site.run(&command).await
    };

    std::fs::write(&path, "number,reason\n+15005550006,registry\n+1500 555\n").unwrap();
    let refused = run(&["import", file]).await;
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("line 3: number: expected"),
        "{refused:?}"
    );
    std::fs::write(&path, "number,campaign_name\n+15005550006,nosuch\n").unwrap();
    let refused = run(&["import", file]).await;
    assert!(said(&refused).contains("no campaign nosuch"), "{refused:?}");
    assert!(numbers(&gateway.get(&token, "/api/dnc").await).is_empty());

    let lines: String = (0..2_500)
        .map(|n| format!("+1415{n:07},,registry\n"))
        .collect();
    std::fs::write(&path, format!("{lines}{NUMBER},reminders\n")).unwrap();
    let imported = run(&["import", file]).await;
    assert!(imported.status.success(), "{imported:?}");
    assert!(
        said(&imported).contains("2501 added, 0 were listed before"),
        "{imported:?}"
    );
    let again = run(&["import", file]).await;
    assert!(
        said(&again).contains("0 added, 2501 were listed before"),
        "{again:?}"
    );
    let call = json!({ "campaign_name": "reminders", "to_number": NUMBER });
    assert_eq!(
        gateway.post(&token, "/api/makecall", &call).await.status,
        403
    );
    let entry = gateway.get(&token, "/api/dnc?campaign=reminders").await;
    assert_eq!(entry.body["numbers"][0]["source"], "import");
    assert_eq!(entry.body["numbers"][0]["reason"], "imported");

    let exported = run(&["list"]).await;
    let text = String::from_utf8(exported.stdout).unwrap();
    assert_eq!(text.lines().count(), 2_502, "{text}");
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("15005550006,reminders,imported,import,2"),
        "{last}"
    );

    let missed = run(&["remove", NUMBER]).await;
    assert!(
        !missed.status.success(),
        "it is the campaign's alone: {missed:?}"
    );
    let removed = run(&["remove", NUMBER, "--campaign", "reminders"]).await;
    assert!(said(&removed).contains("1 removed"), "{removed:?}");
    assert_eq!(
        gateway.post(&token, "/api/makecall", &call).await.status,
        200
    );
    // What was exported is what an import makes again.
    std::fs::write(&path, &text).unwrap();
    run(&["import", file]).await;
    let back = run(&["list"]).await;
    assert_eq!(String::from_utf8(back.stdout).unwrap(), text);
}
