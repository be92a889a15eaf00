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
mod regions;
mod secret;
pub mod webhook_secret;

pub use check::MAX_REQUESTS;
pub use dids::Did;
pub use hours::Hours;
pub use license::LicenseConfig;
pub use load::{DEFAULT_FILE, Sources};
pub use mistake::ConfigError;
pub use nodes::{Node, USUAL_WEIGHT};
pub use regions::DEFAULT as DEFAULT_REGION;
pub use secret::Secret;

use crate::destinations::Destinations;
use crate::flows::OwnFlow;
use crate::tdb::DatabaseUrl;
use caller_numbers::CallerNumbers;
use iradialer_core::address::AddressRange;
use iradialer_core::value::{
    CallerNumber, CampaignName, ClusterName, DialNumber, FlowName, RegionName, TenantId, TrunkName,
};
use iradialer_core::wire::DtmfWay;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
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
    /// How long the queue may get.
    pub queue: QueueConfig,
    /// The switches, each with a NATS user of its own, as far as they are written down.
    pub nodes: Vec<Node>,
    /// The trunks by name.
    pub trunks: BTreeMap<TrunkName, Trunk>,
    /// The campaigns by tenant and name.
    pub campaigns: BTreeMap<(TenantId, CampaignName), Campaign>,
    /// The flows of `flows.dir` by name, each checked.
    pub flows: BTreeMap<String, OwnFlow>,
    /// Whose licences count.
    pub license: LicenseConfig,
    /// Whose the numbers are that are called; by their digits, as [`Config::did`] finds them.
    pub dids: BTreeMap<String, Did>,
    /// Which numbers may be called.
    pub destinations: Destinations,
    /// The numbers that tenants may call from, beside those of their campaigns.
    caller_numbers: CallerNumbers,
}

impl Config {
    /// The campaign of that name, if the tenant has one.
    pub fn campaign(&self, tenant: &TenantId, name: &CampaignName) -> Option<&Campaign> {
        self.campaigns.get(&(tenant.clone(), name.clone()))
    }

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

/// `[[trunks]]`: a SIP trunk, a FreeSWITCH gateway of that name.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name.
    pub name: TrunkName,
    /// Calls a second; above 0. Those of one region, whose router counts them.
    pub max_cps: f64,
    /// Calls at once.
    pub max_calls: u32,
    /// How keys come on it.
    pub dtmf: DtmfWay,
}

/// `[[campaigns]]`
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Its name.
    pub name: CampaignName,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Where its calls are dialled: by switches of that region.
    pub region: RegionName,
    /// The trunks it may use, in order of preference; each is in [`Config::trunks`].
    pub trunks: Vec<TrunkName>,
    /// The caller's number where the request gives none; may be empty.
    pub from_number: CallerNumber,
    /// The webhook where the request gives none.
    pub event_url: Option<String>,
    /// The flow where the request gives none: one that the tenant has stored, or of [`Config::flows`].
    pub flow: Option<FlowName>,
    /// Calls at once.
    pub max_calls: u32,
    /// When it may call.
    pub hours: Option<Hours>,
    /// Where those hours are.
    pub timezone: TimeZone,
}

impl Campaign {
    /// Whether it may call at that time (ms since the Unix epoch). The hours count where the callee is,
    /// if `timezone` (an IANA name) says where that is, else where the campaign is.
    pub fn is_open(&self, at_ms: u64, timezone: Option<&str>) -> bool {
        let minute = self.minute_of_day(at_ms, timezone);
        self.hours.is_none_or(|hours| hours.contains(minute))
    }

    /// When it may next begin to call after that time, to be asked again then: a change to or from
    /// summer time on the way makes it an hour off.
    pub fn next_opening(&self, at_ms: u64, timezone: Option<&str>) -> u64 {
        let Some(hours) = &self.hours else {
            return at_ms;
        };
        let minutes = hours.minutes_to_next(self.minute_of_day(at_ms, timezone));
        at_ms - at_ms % 60_000 + u64::from(minutes) * 60_000
    }

    /// The last time up to `until_ms` to which the hours that are open at `at_ms` go on, where they are
    /// counted as for [`Campaign::is_open`]; `at_ms` itself where they are closed.
    pub fn open_until(&self, at_ms: u64, until_ms: u64, timezone: Option<&str>) -> u64 {
        if !self.is_open(at_ms, timezone) {
            return at_ms;
        }
        // Hours and zones change at whole minutes.
        let next_minute_ms = at_ms - at_ms % 60_000 + 60_000;
        let mut minutes = (next_minute_ms..=until_ms).step_by(60_000);
        let closing_ms = minutes.find(|minute_ms| !self.is_open(*minute_ms, timezone));
        closing_ms.map_or(until_ms, |closing_ms| closing_ms - 1)
    }

    fn minute_of_day(&self, at_ms: u64, timezone: Option<&str>) -> u16 {
        let callee = timezone.and_then(|name| TimeZone::get(name).ok());
        let time = i64::try_from(at_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::MAX);
        let there = time.to_zoned(callee.unwrap_or_else(|| self.timezone.clone()));
        u16::from(there.hour().unsigned_abs()) * 60 + u16::from(there.minute().unsigned_abs())
    }
}

#[cfg(test)]
mod tests;
