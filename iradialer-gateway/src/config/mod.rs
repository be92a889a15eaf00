//! The configuration: one embedded, commented default file; a file, environment variables and flags
//! override it in that order. Everything is checked at start, and a mistake names its key.

mod caller_numbers;
mod check;
mod destinations;
mod dids;
mod file;
mod flows;
mod hours;
mod license;
mod load;
mod mistake;
mod nodes;
mod secret;
mod tenant_secrets;
pub mod webhook_secret;

pub use check::MAX_REQUESTS;
pub use dids::Did;
pub use hours::Hours;
pub use license::LicenseConfig;
pub use load::{DEFAULT_FILE, Sources};
pub use mistake::ConfigError;
pub use nodes::{Node, USUAL_WEIGHT};
pub use secret::Secret;
pub use tenant_secrets::TenantSecrets;

use crate::catalogue::Catalogue;
use crate::destinations::Destinations;
use crate::flows::OwnFlow;
use crate::tdb::DatabaseUrl;
use iradialer_core::address::AddressRange;
use iradialer_core::value::{ClusterName, DialNumber, RegionName};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The checked configuration of one gateway process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The cluster's name: the first token of every NATS subject.
    pub cluster: ClusterName,
    /// Where this process keeps what must survive it.
    pub data_dir: PathBuf,
    /// Development mode: a `nats-server` of its own, and webhooks to loopback are let through.
    pub dev: bool,
    /// The roles to run.
    pub roles: Vec<Role>,
    /// The HTTPS API.
    pub web: WebConfig,
    /// The bus. Without meaning in development mode.
    pub nats: NatsConfig,
    /// Where the TDB is.
    pub database: DatabaseUrl,
    /// Webhooks.
    pub webhooks: WebhookConfig,
    /// The router.
    pub router: RouterConfig,
    /// Campaigns, trunks and switches as they are written down: what is added at run time is beside it in
    /// [`crate::catalogue`].
    pub catalogue: Arc<Catalogue>,
    /// The flows of `flows.dir` by name, each checked.
    pub flows: BTreeMap<String, OwnFlow>,
    /// Whose licences count.
    pub license: LicenseConfig,
    /// Whose the numbers are that are called; by their digits, as [`Config::did`] finds them.
    pub dids: BTreeMap<String, Did>,
    /// Which numbers may be called.
    pub destinations: Destinations,
}

impl Config {
    /// Whose that number is, with or without its `+`.
    pub fn did(&self, number: &DialNumber) -> Option<&Did> {
        self.dids.get(number.as_str().trim_start_matches('+'))
    }
}

/// A part of the gateway that can run in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Role {
    /// The HTTPS API.
    Web,
    /// Gives queued calls to switches.
    Router,
    /// Writes what the switches report to the TDB.
    Collector,
    /// Delivers events to webhooks.
    Dispatcher,
    /// Looks after the licence.
    Pass,
}

impl Role {
    /// Every role, in the order they start.
    pub const ALL: [Role; 5] = [
        Role::Collector,
        Role::Dispatcher,
        Role::Pass,
        Role::Router,
        Role::Web,
    ];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Web => "web",
            Role::Router => "router",
            Role::Collector => "collector",
            Role::Dispatcher => "dispatcher",
            Role::Pass => "pass",
        }
    }
}

/// `[web]`
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate chain and key in PEM files; without them an own certificate is made.
    pub tls: Option<TlsFiles>,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Requests a second that a token may make, where it has no limit of its own; 0: any number.
    pub requests_per_s: u32,
    /// Requests at once, from 1.
    pub burst: u32,
    /// Origins whose pages may use the API: `SCHEME://HOST[:PORT]`.
    pub cors_origins: Vec<String>,
}

/// The certificate chain and its key.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// PEM, leaf first.
    pub cert: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// `[nats]`
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// `nats://HOST:PORT` or `tls://HOST:PORT`; empty only in development mode.
    pub url: String,
    /// The gateway's user, or empty.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// `[webhooks]`
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// The signing secret in Standard Webhooks form (`whsec_…`). Where the configuration gives none it
    /// is made at first start and kept in `DATA_DIR/webhook.secret`.
    pub secret: Option<Secret>,
    /// The secret before that one, which signs as well while receivers change over.
    pub previous_secret: Option<Secret>,
    /// What the webhooks of single tenants are signed with instead, the newest first.
    pub secrets_of_tenants: TenantSecrets,
    /// Prefix of every event name sent to a webhook.
    pub event_prefix: String,
    /// Addresses that are let through though private; loopback is among them in development mode.
    pub allow_addresses: Vec<AddressRange>,
    /// The operator's own webhook, told before deliveries are given up.
    pub alert_url: Option<String>,
    /// How long to wait after each failed try; after the last of them the delivery is dead.
    pub retry_after: Vec<Duration>,
    /// For the whole request.
    pub timeout: Duration,
    /// For the connection.
    pub connect_timeout: Duration,
    /// Certificates beside the machine's.
    pub tls: WebhookTls,
    /// How long what was delivered or given up is kept.
    pub keep: Duration,
}

/// Certificates that webhooks are sent with, beside the machine's.
#[derive(Debug, Clone, Default)]
pub struct WebhookTls {
    /// Authorities that are trusted as well.
    pub authorities: Option<PathBuf>,
    /// What a receiver is shown that asks for it.
    pub client: Option<TlsFiles>,
}

/// `[router]`
#[derive(Debug, Clone)]
pub struct RouterConfig {
    /// The region whose calls this process gives out.
    pub region: RegionName,
    /// How long to wait for a switch's answer to a dial command.
    pub dispatch_timeout: Duration,
    /// How long a dial command is good for; longer than `dispatch_timeout`.
    pub not_after: Duration,
    /// Silence after which a switch gets no new calls.
    pub switch_lost_after: Duration,
    /// Silence after which its open calls end as unknown.
    pub switch_unknown_after: Duration,
    /// What requests on the bus to activate switches, or none, have to name; empty: they are refused.
    pub instance_password: Secret,
}

/// `[queue]`
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// From this many queued calls on, answers ask the client to slow down.
    pub slow_down_above: u64,
    /// From this many queued calls on, new ones are refused (429).
    pub refuse_above: u64,
    /// How long a call may wait in the queue when the request does not say.
    pub expires_after: Duration,
}

#[cfg(test)]
mod tests;
