//! What the file says, with what is in the TDB: whatever is in either.

use super::*;
use crate::config::{Config, Sources};
use proptest::prelude::*;
use serde_json::{Value, json};

const FILE: &str = r#"
[[trunks]]
name = "t0"
max_cps = 10.0
max_calls = 10
[[trunks]]
name = "t1"
max_cps = 1.0
max_calls = 1
[[campaigns]]
name = "c0"
tenant_id = "acme"
trunks = ["t0"]
max_calls = 7
[[campaigns]]
name = "c1"
tenant_id = "acme"
region = "eu"
trunks = ["t1"]
hours = "0900-1700"
"#;

fn written() -> Arc<Catalogue> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    std::fs::write(&file, FILE).unwrap();
    let sources = Sources {
        file: Some(file),
        dev: true,
        ..Sources::default()
    };
    Config::load(&sources).unwrap().catalogue
}

fn entries(rows: &[(&str, &str, &str, Value)]) -> Entries {
    let mut entries = Entries::default();
    for (kind, tenant, name, body) in rows {
        entries.add(kind, tenant, name, &body.to_string());
    }
    entries
}

fn tenant() -> TenantId {
    TenantId::parse("tenant_id", "acme").unwrap()
}

fn campaign(name: &str) -> CampaignName {
    CampaignName::parse("name", name).unwrap()
}

fn trunk(name: &str) -> TrunkName {
    TrunkName::parse("name", name).unwrap()
}

fn added(region: &str, trunks: &[&str]) -> Value {
    json!({"definition": {
        "region": region, "trunks": trunks, "event_url": null, "flow": null, "active": true,
        "max_calls": 5, "hours": null, "timezone": "UTC"}, "changed_ms": 7})
}

fn added_trunk(cps: f64) -> Value {
    json!({"definition": {"enabled": true, "max_cps": cps, "max_calls": 3,
        "gateway": {"sip_profile": "external", "params": {}, "variables": {}}}, "changed_ms": 7})
}

#[test]
fn what_was_added_is_there_and_what_is_overridden_is_so() {
    let rows = [
        ("campaign", "acme", "new", added("default", &["t0", "t9"])),
        (
            "campaign",
            "acme",
            "c0",
            json!({"active": false, "changed_ms": 8}),
        ),
        (
            "campaign",
            "acme",
            "gone",
            json!({"deleted_ms": 9, "changed_ms": 9}),
        ),
        ("trunk", "", "t9", added_trunk(2.0)),
        (
            "trunk",
            "",
            "t0",
            json!({"enabled": false, "max_calls": 99, "changed_ms": 8}),
        ),
        (
            "queue",
            "",
            "",
            json!({"cps_percent": 0.5, "working_hours": "1000-1100", "max_total_queue_size": 50}),
        ),
    ];
    let (merged, doubts) = written().with(3, entries(&rows));
    assert_eq!(doubts, Vec::<String>::new());
    let of = |name| merged.campaign(&tenant(), &campaign(name));
    let new = of("new").unwrap();
    assert_eq!((new.max_calls, new.source), (5, Source::Added));
    assert_eq!(new.trunks, [trunk("t0"), trunk("t9")]);
    let c0 = of("c0").unwrap();
    assert_eq!(
        (c0.active, c0.max_calls, c0.source),
        (false, 7, Source::File)
    );
    assert_eq!(c0.hours.unwrap().to_string(), "1000-1100");
    assert_eq!(
        of("c1").unwrap().hours.unwrap().to_string(),
        "0900-1700",
        "its own"
    );
    assert!(of("gone").is_none());
    assert_eq!(merged.deleted.values().copied().collect::<Vec<_>>(), [9]);
    let (t0, t9) = (&merged.trunks[&trunk("t0")], &merged.trunks[&trunk("t9")]);
    assert_eq!(
        (t0.enabled, t0.max_calls, t0.max_cps, t0.defined_cps),
        (false, 99, 5.0, 10.0)
    );
    assert_eq!((t9.enabled, t9.max_calls, t9.max_cps), (true, 3, 1.0));
    assert_eq!(
        (merged.queue.refuse_above, merged.queue.slow_down_above),
        (50, 50)
    );
}

#[test]
fn what_does_not_fit_any_more_is_told_and_left_out() {
    let rows = [
        ("campaign", "acme", "c0", added("default", &[])),
        (
            "campaign",
            "acme",
            "stray",
            added("default", &["t1", "nowhere"]),
        ),
        ("trunk", "", "t0", added_trunk(99.0)),
        (
            "campaign",
            "acme",
            "later",
            json!({"of": "a later version"}),
        ),
        ("moon", "", "x", json!({})),
    ];
    let (merged, doubts) = written().with(3, entries(&rows));
    let told = doubts.join("\n");
    for part in [
        "campaign acme/c0: the configuration file has one",
        "trunk t0: the configuration file has one",
        "campaign acme/stray goes without its trunk t1",
        "campaign acme/stray: there is no trunk nowhere any more",
        "campaign acme/later:",
        "moon",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    assert_eq!(merged.trunks[&trunk("t0")].max_cps, 10.0);
    assert_eq!(
        merged
            .campaign(&tenant(), &campaign("c0"))
            .unwrap()
            .max_calls,
        7
    );
    let stray = merged.campaign(&tenant(), &campaign("stray")).unwrap();
    assert_eq!(stray.trunks, [trunk("nowhere")]);
}

#[test]
fn numbers_of_ranges_may_be_shown() {
    let mut definition = added("default", &["t9"]);
    definition["definition"]["caller_ranges"] = json!([{"first": "15550100", "last": "15550199"}]);
    let mut of_trunk = added_trunk(1.0);
    of_trunk["definition"]["caller_ranges"] =
        json!([{"prefix": "49", "first": "300", "last": "399"}]);
    let rows = [
        ("campaign", "acme", "new", definition),
        ("trunk", "", "t9", of_trunk),
    ];
    let (merged, _) = written().with(2, entries(&rows));
    let new = merged.campaign(&tenant(), &campaign("new")).unwrap();
    for (number, may) in [
        ("", true),
        ("+15550150", true),
        ("15550199", true),
        ("15550200", false),
        ("49350", true),
        ("350", false),
    ] {
        let number = CallerNumber::parse("from_number", number).unwrap();
        assert_eq!(merged.may_call_from(new, &number), may, "{number}");
    }
}

/// Rows that may be in the table, most of them sound.
fn rows() -> impl Strategy<Value = Vec<(String, String, String, Value)>> {
    let name = proptest::sample::select(vec!["c0", "c1", "c2", "c3"]);
    let trunk_name = proptest::sample::select(vec!["t0", "t1", "t2", "t3"]);
    let region = proptest::sample::select(vec!["default", "eu"]);
    let trunks = proptest::sample::subsequence(vec!["t0", "t1", "t2", "t3"], 0..4);
    let own = |kind: &'static str| {
        move |(name, body): (&str, Value)| {
            let tenant = if kind == "campaign" { "acme" } else { "" };
            (kind.to_owned(), tenant.to_owned(), name.to_owned(), body)
        }
    };
    let campaigns = prop_oneof![
        (region, trunks).prop_map(|(region, trunks)| added(region, &trunks)),
        any::<bool>().prop_map(|active| json!({"active": active, "changed_ms": 1})),
        Just(json!({"deleted_ms": 5, "changed_ms": 5})),
        Just(json!(["nonsense"])),
    ];
    let of_trunks = prop_oneof![
        (0.5..10.0f64).prop_map(added_trunk),
        any::<bool>().prop_map(|enabled| json!({"enabled": enabled, "changed_ms": 1})),
        Just(json!(null)),
    ];
    let row = prop_oneof![
        (name, campaigns).prop_map(own("campaign")),
        (trunk_name, of_trunks).prop_map(own("trunk")),
    ];
    proptest::collection::vec(row, 0..12)
}

proptest! {
    #[test]
    fn a_merge_is_sound_whatever_is_in_it(rows in rows(), share in 0.1..1.0f64) {
        let written = written();
        let mut entries = Entries::default();
        for (kind, tenant, name, body) in &rows {
            entries.add(kind, tenant, name, &body.to_string());
        }
        entries.queue.cps_percent = Some(share);
        let (merged, _) = written.with(9, entries.clone());
        // What is in the file is there, defined as there.
        for (key, campaign) in &written.campaigns {
            let now = &merged.campaigns[key];
            prop_assert_eq!((now.source, now.defined_max_calls), (Source::File, campaign.max_calls));
            prop_assert_eq!(&now.trunks, &campaign.trunks);
        }
        for (name, trunk) in &written.trunks {
            let now = &merged.trunks[name];
            prop_assert_eq!((now.source, now.defined_cps), (Source::File, trunk.max_cps));
        }
        // No trunk gets more than its rate, and none is fed by two regions.
        for trunk in merged.trunks.values() {
            prop_assert!(trunk.max_cps > 0.0 && trunk.max_cps <= trunk.defined_cps);
            let regions: BTreeSet<_> = merged.users_of(&trunk.name).map(|user| &user.region).collect();
            prop_assert!(regions.len() <= 1, "{}: {:?}", trunk.name, regions);
        }
        // Nothing is both there and deleted, and the same again is the same.
        prop_assert!(merged.deleted.keys().all(|key| !merged.campaigns.contains_key(key)));
        let (again, _) = written.with(9, entries);
        prop_assert_eq!(format!("{again:?}"), format!("{merged:?}"));
    }
}
