//! Configurations right and wrong.

use super::*;
use iradialer_core::value::DialNumber;
use iradialer_core::value::{CampaignName, TenantId};
use jiff::Timestamp;
use std::collections::BTreeMap;

struct Setting {
    file: String,
    environment: BTreeMap<String, String>,
    dev: bool,
}

fn load(setting: Setting) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    std::fs::write(&file, setting.file).unwrap();
    Config::load(&Sources {
        file: Some(file),
        environment: setting.environment,
        dev: setting.dev,
        uses_bus: true,
        ..Sources::default()
    })
}

fn file(text: &str) -> Result<Config, ConfigError> {
    load(Setting {
        file: text.to_owned(),
        environment: BTreeMap::new(),
        dev: true,
    })
}

const TRUNK: &str = "[[trunks]]\nname = \"chime\"\nmax_cps = 1.0\nmax_calls = 100\n";

#[test]
fn the_defaults_and_a_file_of_few_lines() {
    let text = format!(
        "{TRUNK}[[campaigns]]\nname = \"reminders\"\ntenant_id = \"acme\"\ntrunks = [\"chime\"]\nhours = \"0900-1900\"\n"
    );
    let config = file(&text).unwrap();
    assert_eq!(config.cluster.as_str(), "ira");
    assert_eq!(config.roles, Role::ALL);
    // As published: 5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    let published = [5, 30, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
    assert_eq!(
        config.webhooks.retry_after,
        published.map(Duration::from_secs)
    );
    let file = config.data_dir.join("iradialer.db");
    assert_eq!(config.database, DatabaseUrl::file(file));
    let tenant = TenantId::parse("t", "acme").unwrap();
    let name = CampaignName::parse("c", "reminders").unwrap();
    let campaign = config.catalogue.campaign(&tenant, &name).unwrap();
    assert_eq!(campaign.trunks[0].as_str(), "chime");
    assert_eq!(campaign.max_calls, 100);
    assert!(campaign.hours.is_some());
    let other = TenantId::parse("t", "other").unwrap();
    assert!(
        config.catalogue.campaign(&other, &name).is_none(),
        "another tenant's"
    );
}

#[test]
fn every_mistake_is_named_by_its_key() {
    for (text, key) in [
        ("[web]\nlisten = \"here\"", "web.listen:"),
        ("[web]\nlisen = \"127.0.0.1:1\"", "web.lisen"),
        ("[web]\nlisten = 8443", "web.listen:"),
        ("[web]\ntls_cert = \"/nowhere.pem\"", "web.tls_key:"),
        (
            "[web]\ntls_cert = \"/nowhere.pem\"\ntls_key = \"/nowhere.key\"",
            "web.tls_cert:",
        ),
        ("[web]\nmax_body_bytes = 1", "web.max_body_bytes:"),
        ("[web]\ncors_origins = [\"*\"]", "web.cors_origins[0]:"),
        (
            "[web]\ncors_origins = [\"https://a.example/\"]",
            "web.cors_origins[0]:",
        ),
        ("[cluster]\nname = \"a.b\"", "cluster.name:"),
        (
            "[destinations]\ndefault_region = \"France\"",
            "destinations.default_region:",
        ),
        (
            "[destinations]\nallow = [\"+\", \"+1 500\"]",
            "destinations.allow[1]:",
        ),
        (
            "[destinations]\nallow = [\"+33\"]\ndeny = [\"+33\"]",
            "destinations.deny[0]:",
        ),
        (
            "[destinations]\nrefused_kinds = [\"dear\"]",
            "destinations.refused_kinds[0]:",
        ),
        ("[[tenants]]\ntenant_id = \"a.b\"", "tenants[0].tenant_id:"),
        (
            "[[tenants]]\ntenant_id = \"acme\"\nfrom_numbers = [\"+1500\", \"x\"]",
            "tenants[0].from_numbers[1]:",
        ),
        (
            "[[tenants]]\ntenant_id = \"acme\"\n[[tenants]]\ntenant_id = \"acme\"",
            "tenants[1].tenant_id:",
        ),
        (
            "[[tenants]]\ntenant_id = \"acme\"\nallow_any_kind = [\"\"]",
            "tenants[0].allow_any_kind[0]:",
        ),
        ("[nats]\nurl = \"http://x\"", "nats.url:"),
        ("[nats]\npassword = \"x\"", "nats.user:"),
        ("database_url = \"mysql://x\"", "database_url:"),
        ("[webhooks]\nsecret = \"hunter2\"", "webhooks.secret:"),
        (
            "[webhooks]\nalert_url = \"operator\"",
            "webhooks.alert_url:",
        ),
        (
            "[webhooks]\nprevious_secret = \"hunter2\"",
            "webhooks.previous_secret:",
        ),
        (
            "[webhooks]\nallow_addresses = [\"10.0.0.1/8\"]",
            "webhooks.allow_addresses[0]:",
        ),
        (
            "[[tenants]]\ntenant_id = \"acme\"\nwebhook_secret = \"hunter2\"",
            "tenants[0].webhook_secret:",
        ),
        (
            "[[tenants]]\ntenant_id = \"acme\"\nwebhook_previous_secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
            "tenants[0].webhook_previous_secret:",
        ),
        (
            "[webhooks]\nretry_after_s = [5, 0]",
            "webhooks.retry_after_s[1]:",
        ),
        (
            "[webhooks]\nca_file = \"/nowhere.pem\"",
            "webhooks.ca_file:",
        ),
        (
            "[webhooks]\nclient_cert = \"/dev/null\"",
            "webhooks.client_key:",
        ),
        (
            "[webhooks]\nclient_key = \"/nowhere.pem\"",
            "webhooks.client_cert:",
        ),
        ("[webhooks]\nkeep_days = 0", "webhooks.keep_days:"),
        (
            "[webhooks]\ntimeout_s = 5\nconnect_timeout_s = 6",
            "webhooks.connect_timeout_s:",
        ),
        ("[router]\nnot_after_ms = 2999", "router.not_after_ms:"),
        (
            "[router]\nswitch_unknown_after_ms = 4999",
            "router.switch_unknown_after_ms:",
        ),
        ("[queue]\nrefuse_above = 999", "queue.refuse_above:"),
        ("[flows]\ndir = \"/nowhere\"", "flows.dir:"),
        (
            "[[trunks]]\nname = \"a b\"\nmax_cps = 1.0\nmax_calls = 1",
            "trunks[0].name:",
        ),
        (
            "[[trunks]]\nname = \"a\"\nmax_cps = 0.0\nmax_calls = 1",
            "trunks[0].max_cps:",
        ),
        (
            "[[trunks]]\nname = \"a\"\nmax_cps = nan\nmax_calls = 1",
            "trunks[0].max_cps:",
        ),
        (
            "[[trunks]]\nname = \"a\"\nmax_cps = 1.0\nmax_calls = 1\ndtmf = \"tones\"",
            "trunks[0].dtmf:",
        ),
        (
            "[[trunks]]\nname = \"a\"\nmax_cps = 1.0",
            "trunks[0]: missing field `max_calls`",
        ),
        (
            "[[campaigns]]\nname = \"r\"\ntenant_id = \"acme\"\ntrunks = [\"no\"]",
            "campaigns[0].trunks[0]:",
        ),
        (
            "[[campaigns]]\nname = \"r\"\ntenant_id = \"\"\ntrunks = []",
            "campaigns[0].tenant_id:",
        ),
        (
            "[[campaigns]]\nname = \"r\"\ntenant_id = \"a\"\ntrunks = []\nhours = \"9-5\"\ntimezone = \"Mars\"\nflow = \"x y\"",
            "campaigns[0].flow:",
        ),
        (
            "[[campaigns]]\nname = \"r\"\ntenant_id = \"a\"\ntrunks = []\nevent_url = \"x\"",
            "campaigns[0].event_url:",
        ),
        (
            "[[dids]]\nnumber = \"12\"\ntenant_id = \"a\"\ncampaign = \"r\"",
            "dids[0].number:",
        ),
        (
            "[[dids]]\nnumber = \"+15005550100\"\ntenant_id = \"a\"\ncampaign = \"r\"",
            "dids[0].campaign:",
        ),
        ("speed = 9", "speed"),
        ("[web", "TOML parse error"),
    ] {
        let error = file(text).unwrap_err();
        assert!(
            error.mistakes.iter().any(|mistake| mistake.contains(key)),
            "{text}: {error}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_secrets_are_not() {
    let text =
        "[webhooks]\nsecret = \"hunter2\"\n[router]\nnot_after_ms = 0\n[cluster]\nname = \"\"";
    let error = file(text).unwrap_err();
    assert_eq!(error.mistakes.len(), 3, "{error}");
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn the_environment_goes_before_the_file() {
    let with = |name: &str, value: &str| {
        load(Setting {
            file: "[nats]\nurl = \"nats://a:1\"\n".to_owned(),
            environment: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            dev: false,
        })
    };
    assert_eq!(
        with("IRADIALER_NATS_URL", "nats://b:2").unwrap().nats.url,
        "nats://b:2"
    );
    assert_eq!(
        with("IRADIALER_DATA_DIR", "/x").unwrap().data_dir,
        PathBuf::from("/x")
    );
    let retries = with("IRADIALER_WEBHOOKS_RETRY_AFTER_S", "[1, 2]").unwrap();
    assert_eq!(retries.webhooks.retry_after.len(), 2);
    let error = with("IRADIALER_WEBHOOKS_TIMEOUT_S", "soon").unwrap_err();
    assert!(
        error.to_string().contains("IRADIALER_WEBHOOKS_TIMEOUT_S"),
        "{error}"
    );
    assert!(with("IRADIALER_SERVICE_HOST", "10.0.0.1").is_ok());
}

#[test]
fn without_dev_a_bus_is_needed_and_loopback_is_closed() {
    let plain = |text: &str| {
        load(Setting {
            file: text.to_owned(),
            environment: BTreeMap::new(),
            dev: false,
        })
    };
    assert!(plain("").unwrap_err().to_string().contains("nats.url:"));
    let config = plain("[nats]\nurl = \"nats://127.0.0.1:4222\"").unwrap();
    assert!(config.webhooks.allow_addresses.is_empty());
    assert!(!file("").unwrap().webhooks.allow_addresses.is_empty());
}

#[test]
fn flows_are_read_and_their_faults_named() {
    let dir = tempfile::tempdir().unwrap();
    let flow = r#"{"version":1,"name":"hello","start":"a","nodes":{"a":{"play":[{"file":"hello.wav"}],"next":"@hangup"}}}"#;
    std::fs::write(dir.path().join("hello.json"), flow).unwrap();
    let text = format!("[flows]\ndir = {:?}\n", dir.path().to_str().unwrap());
    let config = file(&text).unwrap();
    assert!(config.flows.contains_key("hello"));

    std::fs::write(
        dir.path().join("bad.json"),
        flow.replace("\"a\",", "\"b\","),
    )
    .unwrap();
    let error = file(&text).unwrap_err();
    assert!(error.to_string().contains("bad.json"), "{error}");
}

#[test]
fn the_commented_examples_of_the_default_file_are_right() {
    let uncommented: String = DEFAULT_FILE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with("[[") || rest.contains(" = ") => rest,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = file(&uncommented).unwrap();
    let counts = (
        config.catalogue.trunks.len(),
        config.catalogue.campaigns.len(),
        config.dids.len(),
    );
    assert_eq!(counts, (1, 1, 1));
}

#[test]
fn hours_count_where_the_callee_is() {
    let text = format!(
        "{TRUNK}[[campaigns]]\nname = \"r\"\ntenant_id = \"a\"\ntrunks = [\"chime\"]\nhours = \"0900-1900\"\ntimezone = \"Europe/Paris\"\n"
    );
    let config = file(&text).unwrap();
    let campaign = config.catalogue.campaigns.values().next().unwrap();
    // 2026-01-15 08:30 UTC: 09:30 in Paris, 03:30 in New York.
    let morning = 1_768_465_800_000;
    assert!(campaign.is_open(morning, None));
    assert!(!campaign.is_open(morning, Some("America/New_York")));
    assert!(!campaign.is_open(morning, Some("UTC")));
    let half_an_hour = 30 * 60_000;
    assert_eq!(
        campaign.next_opening(morning, Some("UTC")),
        morning + half_an_hour
    );
    let next = campaign.next_opening(morning + 7, None);
    assert_eq!(next, morning + 24 * 3_600_000 - half_an_hour, "tomorrow");
}

#[test]
fn hours_hold_over_midnight_and_on_the_days_the_clocks_are_changed() {
    let hours = |hours: &str| {
        let text = format!(
            "{TRUNK}[[campaigns]]\nname = \"r\"\ntenant_id = \"a\"\ntrunks = []\nhours = \"{hours}\"\n\
             timezone = \"Europe/Berlin\"\n"
        );
        let config = file(&text).unwrap();
        config.catalogue.campaigns.values().next().unwrap().clone()
    };
    let at = |text: &str| {
        let time: Timestamp = text.parse().unwrap();
        time.as_millisecond() as u64
    };
    // Hours, a time at which they are closed, the next opening: each as the clocks there show it.
    for (span, closed, opens) in [
        (
            "2200-0600",
            "2026-11-21T06:00:00+01:00",
            "2026-11-21T22:00:00+01:00",
        ),
        (
            "2200-0600",
            "2026-11-21T12:00:00+01:00",
            "2026-11-21T22:00:00+01:00",
        ),
        // A night an hour shorter, one an hour longer.
        (
            "0900-1900",
            "2026-03-28T20:00:00+01:00",
            "2026-03-29T09:00:00+02:00",
        ),
        (
            "0900-1900",
            "2026-10-24T20:00:00+02:00",
            "2026-10-25T09:00:00+01:00",
        ),
        // The beginning is among what is left out: it is at once after that.
        (
            "0230-0600",
            "2026-03-29T01:00:00+01:00",
            "2026-03-29T03:00:00+02:00",
        ),
        // It comes twice: the first time counts.
        (
            "0230-0600",
            "2026-10-25T01:00:00+02:00",
            "2026-10-25T02:30:00+02:00",
        ),
        (
            "2200-0230",
            "2026-03-29T04:00:00+02:00",
            "2026-03-29T22:00:00+02:00",
        ),
    ] {
        let campaign = hours(span);
        let (closed_ms, opens_ms) = (at(closed), at(opens));
        assert!(!campaign.is_open(closed_ms, None), "{span} {closed}");
        assert_eq!(
            campaign.next_opening(closed_ms, None),
            opens_ms,
            "{span} {closed}"
        );
        assert!(campaign.is_open(opens_ms, None), "{span} {opens}");
        assert!(!campaign.is_open(opens_ms - 60_000, None), "{span} {opens}");
    }
    let night = hours("2200-0600");
    let evening = at("2026-10-24T23:00:00+02:00");
    // The hour that comes twice is in the span both times.
    for hour in 0..8 {
        assert!(night.is_open(evening + hour * 3_600_000, None), "{hour}");
    }
    let end = night.open_until(evening, evening + 12 * 3_600_000, None);
    assert_eq!(end, at("2026-10-25T06:00:00+01:00") - 1);
}

#[test]
fn a_dial_command_is_good_for_no_longer_than_the_hours() {
    let hours = |hours: &str| {
        let text = format!(
            "{TRUNK}[[campaigns]]\nname = \"r\"\ntenant_id = \"a\"\ntrunks = []\nhours = \"{hours}\"\n"
        );
        let config = file(&text).unwrap();
        config.catalogue.campaigns.values().next().unwrap().clone()
    };
    let at = |text: &str| {
        let time: Timestamp = text.parse().unwrap();
        time.as_millisecond() as u64
    };
    let evening = at("2026-11-21T18:59:58.500Z");
    let day = hours("0900-1900");
    let end = at("2026-11-21T19:00:00Z");
    assert_eq!(day.open_until(evening, evening + 4_000, None), end - 1);
    assert_eq!(
        day.open_until(evening, evening + 1_000, None),
        evening + 1_000
    );
    assert_eq!(day.open_until(evening, end, None), end - 1);
    assert_eq!(day.open_until(end, end + 4_000, None), end, "closed");
    // Where the callee is, it is an hour later.
    let zone = Some("Europe/Paris");
    assert_eq!(day.open_until(evening, evening + 4_000, zone), evening);
    assert_eq!(
        day.open_until(evening - 3_600_000, end, zone),
        end - 3_600_000 - 1
    );
    // A pause of one minute is not leapt over.
    let pause = hours("1900-1859");
    let before = at("2026-11-21T18:58:59.000Z");
    assert_eq!(
        pause.open_until(before, before + 60_000, None),
        before + 999
    );
}

#[test]
fn a_number_has_its_flow_or_its_campaigns() {
    let campaigns = "[[campaigns]]\nname = \"r\"\ntenant_id = \"a\"\ntrunks = []\nflow = \"hello\"
        [[campaigns]]\nname = \"s\"\ntenant_id = \"a\"\ntrunks = []\n";
    let did = |number: &str, campaign: &str, flow: &str| {
        format!(
            "[[dids]]\nnumber = \"{number}\"\ntenant_id = \"a\"\ncampaign = \"{campaign}\"\nflow = \"{flow}\"\n"
        )
    };
    let own = did("+15005550100", "r", "other") + &did("15005550101", "r", "");
    let config = file(&format!("{campaigns}{own}")).unwrap();
    for (number, flow) in [
        ("15005550100", "other"),
        ("+15005550100", "other"),
        ("+15005550101", "hello"),
    ] {
        let number = DialNumber::parse("number", number).unwrap();
        assert_eq!(config.did(&number).unwrap().flow.as_str(), flow);
    }
    let bad = did("+1500555", "s", "") + &did("+15005551", "r", "") + &did("15005551", "r", "");
    let error = file(&format!("{campaigns}{bad}")).unwrap_err();
    assert_eq!(error.mistakes.len(), 2, "{error}");
    assert!(error.mistakes[0].starts_with("dids[0].flow:"), "{error}");
    assert!(error.mistakes[1].starts_with("dids[2].number:"), "{error}");
}
