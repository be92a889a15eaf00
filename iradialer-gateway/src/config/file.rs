//! The configuration as it is written, before it is checked.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub data_dir: String,
    pub database_url: String,
    pub cluster: Cluster,
    pub web: Web,
    pub nats: Nats,
    pub webhooks: Webhooks,
    pub router: Router,
    pub queue: Queue,
    pub flows: Flows,
    pub license: License,
    pub destinations: Destinations,
    #[serde(default)]
    pub tenants: Vec<Tenant>,
    #[serde(default)]
    pub nodes: Vec<Node>,
    #[serde(default)]
    pub trunks: Vec<Trunk>,
    #[serde(default)]
    pub campaigns: Vec<Campaign>,
    #[serde(default)]
    pub dids: Vec<Did>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Web {
    pub listen: String,
    pub tls_cert: String,
    pub tls_key: String,
    pub max_body_bytes: i64,
    pub requests_per_s: i64,
    pub burst: i64,
    pub cors_origins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nats {
    pub url: String,
    pub user: String,
    pub password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhooks {
    pub secret: String,
    pub previous_secret: String,
    pub event_prefix: String,
    pub allow_addresses: Vec<String>,
    pub alert_url: String,
    pub retry_after_s: Vec<i64>,
    pub timeout_s: i64,
    pub connect_timeout_s: i64,
    pub ca_file: String,
    pub client_cert: String,
    pub client_key: String,
    pub keep_days: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Router {
    pub region: String,
    pub dispatch_timeout_ms: i64,
    pub not_after_ms: i64,
    pub switch_lost_after_ms: i64,
    pub switch_unknown_after_ms: i64,
    pub instance_password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    pub slow_down_above: i64,
    pub refuse_above: i64,
    pub expires_after_s: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flows {
    pub dir: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct License {
    pub file: String,
    pub public_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Destinations {
    pub default_region: String,
    pub allow: Vec<String>,
    pub allow_any_kind: Vec<String>,
    pub deny: Vec<String>,
    pub refused_kinds: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tenant {
    pub tenant_id: String,
    #[serde(default)]
    pub allow: Vec<String>,
    #[serde(default)]
    pub allow_any_kind: Vec<String>,
    #[serde(default)]
    pub deny: Vec<String>,
    #[serde(default)]
    pub from_numbers: Vec<String>,
    #[serde(default)]
    pub webhook_secret: String,
    #[serde(default)]
    pub webhook_previous_secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub node_id: String,
    #[serde(default)]
    pub address: String,
    #[serde(default = "usual_weight")]
    pub weight: i64,
    #[serde(default = "default_region")]
    pub region: String,
}

fn default_region() -> String {
    crate::catalogue::DEFAULT_REGION.to_owned()
}

fn usual_weight() -> i64 {
    super::USUAL_WEIGHT.into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trunk {
    pub name: String,
    pub max_cps: f64,
    pub max_calls: i64,
    #[serde(default)]
    pub dtmf: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Campaign {
    pub name: String,
    pub tenant_id: String,
    #[serde(default = "default_region")]
    pub region: String,
    pub trunks: Vec<String>,
    #[serde(default)]
    pub from_number: String,
    #[serde(default)]
    pub event_url: String,
    #[serde(default)]
    pub flow: String,
    #[serde(default = "default_max_calls")]
    pub max_calls: i64,
    #[serde(default)]
    pub hours: String,
    #[serde(default = "default_timezone")]
    pub timezone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Did {
    pub number: String,
    pub tenant_id: String,
    pub campaign: String,
    #[serde(default)]
    pub flow: String,
}

fn default_max_calls() -> i64 {
    100
}

fn default_timezone() -> String {
    "UTC".to_owned()
}
