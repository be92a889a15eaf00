//! What belongs to which region.

use crate::catalogue::Catalogue;
use crate::config::{Config, ConfigError, Sources};
use iradialer_core::value::{CampaignName, NodeId, TenantId};
use std::collections::BTreeMap;
use std::sync::Arc;

const TWO: &str = r#"
[[nodes]]
node_id = "eu1"
region = "eu"
[[nodes]]
node_id = "us1"
region = "us"
[[trunks]]
name = "of_eu"
max_cps = 1.0
max_calls = 1
[[trunks]]
name = "of_us"
max_cps = 1.0
max_calls = 1
[[campaigns]]
name = "eu"
tenant_id = "acme"
region = "eu"
trunks = ["of_eu"]
[[campaigns]]
name = "us"
tenant_id = "acme"
region = "us"
trunks = ["of_us"]
"#;

fn load(text: &str, variable: Option<&str>, flag: Option<&str>) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    let variable = variable.map(|of| ("IRADIALER_ROUTER_REGION".to_owned(), of.to_owned()));
    Config::load(&Sources {
        file: Some(file),
        environment: BTreeMap::from_iter(variable),
        region: flag.map(str::to_owned),
        dev: true,
        uses_bus: true,
        ..Sources::default()
    })
}

fn of(region: &str) -> Arc<Catalogue> {
    load(TWO, None, Some(region)).unwrap().catalogue
}

fn node(name: &str) -> NodeId {
    NodeId::parse("node_id", name).unwrap()
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let file = "[router]\nregion = \"file\"";
    let region = |variable, flag| {
        load(file, variable, flag)
            .unwrap()
            .router
            .region
            .to_string()
    };
    assert_eq!(region(None, None), "file");
    assert_eq!(region(Some("variable"), None), "variable");
    assert_eq!(region(Some("variable"), Some("flag")), "flag");
    let default = load("", None, None).unwrap();
    assert_eq!(default.router.region.as_str(), "default");
    let error = load("", None, Some("e u")).unwrap_err().to_string();
    assert!(
        error.contains("router.region: expected 1 to 30 letters"),
        "{error}"
    );
}

#[test]
fn names_are_checked() {
    let node = "[[nodes]]\nnode_id = \"a\"\nregion = \"\"";
    let campaign = "[[campaigns]]\nname = \"r\"\ntenant_id = \"a\"\ntrunks = []\nregion = \"a.b\"";
    for (text, key) in [
        (node, "nodes[0].region:"),
        (campaign, "campaigns[0].region:"),
    ] {
        let error = load(text, None, None).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_trunk_of_two_regions_is_a_mistake_that_names_both_campaigns() {
    let text = TWO.replace("trunks = [\"of_us\"]", "trunks = [\"of_us\", \"of_eu\"]");
    let error = load(&text, None, None).unwrap_err().to_string();
    for part in [
        "campaigns[1].trunks[1]:",
        "campaigns[0] (acme/eu)",
        "campaigns[1] (acme/us)",
        "\"of_eu\"",
    ] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    assert!(
        load(
            &text.replace("\"us\"\ntrunks", "\"eu\"\ntrunks"),
            None,
            None
        )
        .is_ok()
    );
}

#[test]
fn a_router_has_its_regions_campaigns_and_trunks_only() {
    let eu = of("eu");
    let campaigns: Vec<_> = eu.own_campaigns().map(|own| own.name.as_str()).collect();
    let trunks: Vec<_> = eu.own_trunks().map(|own| own.name.as_str()).collect();
    assert_eq!((campaigns, trunks), (vec!["eu"], vec!["of_eu"]));
    assert_eq!(of("asia").own_trunks().count(), 0);
}

#[test]
fn what_is_open_is_settled_by_one_region_whatever_has_been_taken_out() {
    let tenant = TenantId::parse("t", "acme").unwrap();
    let name = |name| CampaignName::parse("c", name).unwrap();
    // The switch decides; where it is not listed, the campaign; else a region that there is.
    for (at, campaign, expected) in [
        ("eu1", Some("us"), "eu"),
        ("us1", None, "us"),
        ("gone", Some("us"), "us"),
        ("gone", Some("gone"), "eu"),
        ("gone", None, "eu"),
    ] {
        let campaign = campaign.map(name);
        for region in ["eu", "us", "default"] {
            let of_call = campaign.as_ref().map(|campaign| (&tenant, campaign));
            let settles = of(region).settles(&node(at), of_call);
            assert_eq!(settles, region == expected, "{at} {campaign:?} {region}");
        }
    }
    // Where there are no campaigns left at all, any router.
    assert!(
        load("", None, Some("eu"))
            .unwrap()
            .catalogue
            .settles(&node("gone"), None)
    );
}

#[test]
fn doubts_are_told() {
    assert_eq!(of("eu").region_doubts(), Vec::<String>::new());
    assert_eq!(
        load("", None, None)
            .unwrap()
            .catalogue
            .region_doubts()
            .len(),
        0
    );
    let doubts = of("asia").region_doubts();
    assert!(
        doubts[0].starts_with("router.region: no campaign"),
        "{doubts:?}"
    );
    let text = TWO.replace("region = \"us\"\n[[trunks]]", "[[trunks]]");
    let doubts = load(&text, None, Some("eu"))
        .unwrap()
        .catalogue
        .region_doubts();
    assert_eq!(doubts.len(), 1);
    assert!(
        doubts[0].contains("\"us\" has campaigns and none of [[nodes]]"),
        "{doubts:?}"
    );
}
