//! The hours of a campaign: nobody is called outside them, neither when asked to nor later.

use crate::gateway::{CONFIG, Site};
use crate::router::fake_switch::FakeSwitch;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

fn campaign(name: &str, hours: &str) -> String {
    format!(
        "[[campaigns]]\nname = \"{name}\"\ntenant_id = \"acme\"\ntrunks = [\"chime\"]\nhours = \"{hours}\"\n"
    )
}

fn body(campaign: &str) -> Value {
    json!({ "campaign_name": campaign, "to_number": "+15005550006" })
}

/// A span of two hours that begins in so many, in UTC.
fn hours_ahead(ahead: i8) -> (String, String) {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let hour = |ahead: i8| format!("{:02}00", (now.hour() + ahead) % 24);
    (hour(ahead), hour(ahead + 2))
}

#[tokio::test]
async fn outside_its_hours_a_campaign_takes_no_calls() {
    let (from, to) = hours_ahead(2);
    let (open, closed) = (
        campaign("open", "0000-2400"),
        campaign("closed", &format!("{from}-{to}")),
    );
    let site = Site::new(&format!("{CONFIG}\n{open}\n{closed}"));
    let token = site.token("acme").await;
    let gateway = site.start().await;
    gateway.make_call(&token, &body("open")).await;
    let refused = gateway.post(&token, "/api/makecall", &body("closed")).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.body["status_code"], 3);
    assert_eq!(refused.body["error"]["field"], "campaign_name");
    let expected = format!("This campaign is not allowed outside of production hours {from}-{to}");
    assert_eq!(refused.body["status"], expected);
    // Where the callee is, it is another time: some zone is in those hours now.
    let mut elsewhere = body("closed");
    elsewhere["timezone"] = json!("Etc/GMT-3");
    let accepted = gateway.post(&token, "/api/makecall", &elsewhere).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(gateway.calls(&token).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_waited_until_the_hours_were_over_are_put_off() {
    let site = Site::new(&format!("{CONFIG}\n{}", campaign("day", "0000-2400")));
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let late = gateway.make_call(&token, &body("day")).await;
    let other = gateway.make_call(&token, &body("reminders")).await;
    let (_, site) = gateway.stop().await;

    // The hours are over, and begin again in two.
    let (from, to) = hours_ahead(2);
    let config = format!("{CONFIG}\n{}", campaign("day", &format!("{from}-{to}")));
    std::fs::write(site.config(), config).unwrap();
    let gateway = site.start().await;
    let switch = FakeSwitch::start(&gateway.bus().await, "sw1", 10, &[]).await;

    let path = format!("/api/calls/{late}");
    let deadline = Instant::now() + Duration::from_secs(10);
    let shown = loop {
        let shown = gateway.get(&token, &path).await.body;
        if shown["not_before"] != shown["created_at"] {
            break shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(shown["state"], "queued");
    let not_before = shown["not_before"].as_str().unwrap();
    assert!(
        not_before.contains(&format!("T{}:00:00", &from[..2])),
        "{not_before}"
    );
    let dialled = switch.wait_for_dials(1).await;
    assert_eq!(dialled.len(), 1);
    assert_eq!(dialled[0].command.call_uuid.to_string(), other);
}
