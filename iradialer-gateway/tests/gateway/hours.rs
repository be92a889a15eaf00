//! The hours of a campaign: nobody is called outside them, neither when asked to nor later.

use crate::gateway::{CONFIG, Gateway, PATIENCE, Site};
use crate::router::fake_switch::FakeSwitch;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
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
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
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

/// Sets the gateway's clock to that time. It goes on from there.
async fn set_clock(gateway: &Gateway, to: Timestamp) {
    let ahead_ms = to.as_millisecond() - Timestamp::now().as_millisecond();
    gateway.site().set_clock(ahead_ms).await;
}

/// Whether the campaign takes a call; if not it is for its hours.
async fn takes_calls(gateway: &Gateway, token: &str, campaign: &str) -> bool {
    let answer = gateway.post(token, "/api/makecall", &body(campaign)).await;
    if answer.status != 200 {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.body["error"]["name"], "outside_hours", "{answer:?}");
    }
    answer.status == 200
}

#[tokio::test]
async fn hours_may_go_over_midnight() {
    let site = Site::new(&format!("{CONFIG}\n{}", campaign("night", "2200-0600")));
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let tomorrow = Timestamp::now().to_zoned(TimeZone::UTC).date() + 1.day();
    for (days, hour, minute, is_open) in [
        (0, 21, 55, false),
        (0, 22, 5, true),
        (0, 23, 55, true),
        (1, 0, 5, true),
        (1, 5, 55, true),
        (1, 6, 5, false),
        (1, 12, 0, false),
    ] {
        let day = tomorrow + days.days();
        let time = day.at(hour, minute, 0, 0).in_tz("UTC").unwrap();
        set_clock(&gateway, time.timestamp()).await;
        let taken = takes_calls(&gateway, &token, "night").await;
        assert_eq!(taken, is_open, "at {time}");
    }
}

/// When the clocks of Paris are next put forward, and when back: the first moment after each.
fn changes_of_clocks() -> (Timestamp, Timestamp) {
    let paris = TimeZone::get("Europe/Paris").unwrap();
    let changes: Vec<_> = paris.following(Timestamp::now()).take(2).collect();
    let when = |is_summer: bool| {
        let change = changes.iter().find(|each| each.dst().is_dst() == is_summer);
        change.unwrap().timestamp()
    };
    (when(true), when(false))
}

fn of_paris(name: &str, hours: &str) -> String {
    let campaign = campaign(name, hours);
    format!("{campaign}timezone = \"Europe/Paris\"\n")
}

#[tokio::test]
async fn hours_are_those_of_the_clocks_there_when_these_are_changed() {
    let campaigns = [("two", "0200-0300"), ("three", "0300-0400")];
    let campaigns = campaigns.map(|(name, hours)| of_paris(name, hours));
    let site = Site::new(&format!("{CONFIG}\n{}", campaigns.concat()));
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let (forward, back) = changes_of_clocks();
    let mut moments = [
        // From 2 o'clock to 3: the hour from 2 to 3 does not come.
        (forward, -5, false, false),
        (forward, 5, false, true),
        (forward, 55, false, true),
        (forward, 65, false, false),
        // From 3 o'clock to 2: it comes twice.
        (back, -65, false, false),
        (back, -55, true, false),
        (back, 5, true, false),
        (back, 55, true, false),
        (back, 65, false, true),
    ];
    // A clock goes forward.
    moments.sort_by_key(|(change, minutes, ..)| (*change, *minutes));
    for (change, minutes, two, three) in moments {
        let time = change + minutes.minutes();
        set_clock(&gateway, time).await;
        let taken = [
            takes_calls(&gateway, &token, "two").await,
            takes_calls(&gateway, &token, "three").await,
        ];
        assert_eq!(taken, [two, three], "{minutes} minutes after {change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_put_off_over_a_change_of_the_clocks_is_dialled_when_its_hours_begin_there()
{
    let site = Site::new(&format!("{CONFIG}\n{}", of_paris("day", "0900-1000")));
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let (forward, _) = changes_of_clocks();
    let day: Zoned = forward.in_tz("Europe/Paris").unwrap();
    let opening = day.date().at(9, 0, 0, 0).in_tz("Europe/Paris").unwrap();
    let day_before = |hour| {
        let time = (day.date() - 1.day()).at(hour, 30, 0, 0);
        time.in_tz("Europe/Paris").unwrap().timestamp()
    };
    set_clock(&gateway, day_before(9)).await;
    let call = gateway.make_call(&token, &body("day")).await;
    set_clock(&gateway, day_before(10)).await;
    let switch = FakeSwitch::start(&gateway.bus().await, "sw1", 10, &[]).await;

    let path = format!("/api/calls/{call}");
    let deadline = Instant::now() + PATIENCE;
    let shown = loop {
        let shown = gateway.get(&token, &path).await.body;
        if shown["not_before"] != shown["created_at"] {
            break shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        sleep(Duration::from_millis(20)).await;
    };
    let not_before: Timestamp = shown["not_before"].as_str().unwrap().parse().unwrap();
    assert_eq!(not_before, opening.timestamp());
    assert!(switch.dialled().is_empty());
    set_clock(&gateway, not_before).await;
    let dialled = switch.wait_for_dials(1).await;
    assert_eq!(dialled[0].command.call_uuid.to_string(), call);
}
