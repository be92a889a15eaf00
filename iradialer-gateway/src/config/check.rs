//! Checks the document and makes a [`Config`] of it. Every mistake is noted, then all are told.

use super::caller_numbers;
use super::destinations;
use super::dids;
use super::file::{self, Document};
use super::flows;
use super::license;
use super::load::Sources;
use super::mistake::Mistakes;
use super::nodes;
use super::tenant_secrets::{self, TenantSecrets, secret};
use super::{
    Config, Hours, NatsConfig, QueueConfig, Role, RouterConfig, Secret, TlsFiles, WebConfig,
    WebhookConfig, WebhookTls,
};
use crate::catalogue::{Campaign, Catalogue, Source, Trunk, TrunksUsed};
use crate::tdb::DatabaseUrl;
use iradialer_core::address::AddressRange;
use iradialer_core::value::{
    CallerNumber, CampaignName, ClusterName, FlowName, RegionName, TenantId, TrunkName,
};
use iradialer_core::wire::DtmfWay;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The highest limit of the requests of a token, a second and at once.
pub const MAX_REQUESTS: u32 = 100_000;

/// Makes a checked configuration of the document, or names every mistake in it.
pub(super) fn check(document: Document, sources: &Sources) -> Result<Config, Vec<String>> {
    let mut mistakes = Mistakes::default();
    let data_dir = data_dir(&document.data_dir, &mut mistakes);
    let cluster = mistakes.take(ClusterName::parse("cluster.name", &document.cluster.name));
    let web = web(&document.web, &mut mistakes);
    let nats = nats(
        document.nats,
        sources.uses_bus && !sources.dev,
        &mut mistakes,
    );
    let database = database(&document.database_url, &data_dir, &mut mistakes);
    let mut webhooks = webhooks(document.webhooks, sources.dev, &mut mistakes);
    webhooks.secrets_of_tenants = tenant_secrets::check(&document.tenants, &mut mistakes);
    let router = router(&document.router, &mut mistakes);
    let queue = queue(&document.queue, &mut mistakes);
    let flows = flows::read(&document.flows.dir, &mut mistakes);
    let license = license::check(&document.license, &mut mistakes);
    let destinations =
        destinations::check(&document.destinations, &document.tenants, &mut mistakes);
    let caller_numbers = caller_numbers::check(&document.tenants, &mut mistakes);
    let nodes = nodes::check(&document.nodes, &mut mistakes);
    let trunks = trunks(&document.trunks, &mut mistakes);
    let campaigns = campaigns(&document.campaigns, &trunks, &mut mistakes);
    let dids = dids::check(&document.dids, &campaigns, &mut mistakes);
    match (cluster, web, database, router) {
        (Some(cluster), Some(web), Some(database), Some(router)) if mistakes.is_empty() => {
            Ok(Config {
                cluster,
                data_dir,
                dev: sources.dev,
                roles: roles(&sources.roles),
                web,
                nats,
                database,
                webhooks,
                catalogue: Arc::new(Catalogue {
                    version: 0,
                    region: router.region.clone(),
                    nodes,
                    trunks,
                    campaigns,
                    deleted: BTreeMap::new(),
                    queue,
                    entries: Arc::default(),
                    caller_numbers,
                }),
                router,
                flows,
                license,
                dids,
                destinations,
            })
        }
        _ => Err(mistakes.into_vec()),
    }
}

fn roles(asked: &[Role]) -> Vec<Role> {
    Role::ALL
        .into_iter()
        .filter(|role| asked.is_empty() || asked.contains(role))
        .collect()
}

fn data_dir(text: &str, mistakes: &mut Mistakes) -> PathBuf {
    if text.is_empty() {
        mistakes.refuse("data_dir", "a directory", text);
    }
    // Absolute, because it is told to others (ready.json) and must not depend on where we were started.
    std::path::absolute(text).unwrap_or_else(|_| PathBuf::from(text))
}

fn web(web: &file::Web, mistakes: &mut Mistakes) -> Option<WebConfig> {
    let listen = web.listen.parse().ok();
    if listen.is_none() {
        mistakes.refuse(
            "web.listen",
            "ADDRESS:PORT, such as 127.0.0.1:8443",
            &web.listen,
        );
    }
    let tls = match (web.tls_cert.as_str(), web.tls_key.as_str()) {
        ("", "") => None,
        (cert, "") => {
            mistakes.refuse("web.tls_key", "the key that goes with web.tls_cert", cert);
            None
        }
        ("", key) => {
            mistakes.refuse(
                "web.tls_cert",
                "the certificate that goes with web.tls_key",
                key,
            );
            None
        }
        (cert, key) => {
            for (name, path) in [("web.tls_cert", cert), ("web.tls_key", key)] {
                if let Err(error) = std::fs::File::open(path) {
                    mistakes.refuse(name, &format!("a file that can be read ({error})"), path);
                }
            }
            Some(TlsFiles {
                cert: cert.into(),
                key: key.into(),
            })
        }
    };
    for (index, origin) in web.cors_origins.iter().enumerate() {
        if !is_origin(origin) {
            let expected = "an origin: https://HOST or http://HOST, with :PORT where it is another";
            mistakes.refuse(&format!("web.cors_origins[{index}]"), expected, origin);
        }
    }
    let range = 1_024..=16_777_216;
    let max_body_bytes = in_range("web.max_body_bytes", web.max_body_bytes, range, mistakes);
    let most = i64::from(MAX_REQUESTS);
    let requests_per_s = in_range("web.requests_per_s", web.requests_per_s, 0..=most, mistakes);
    let burst = in_range("web.burst", web.burst, 1..=most, mistakes);
    Some(WebConfig {
        listen: listen?,
        tls,
        max_body_bytes: max_body_bytes as usize,
        requests_per_s: requests_per_s as u32,
        burst: burst as u32,
        cors_origins: web.cors_origins.clone(),
    })
}

fn nats(nats: file::Nats, is_needed: bool, mistakes: &mut Mistakes) -> NatsConfig {
    if nats.url.is_empty() && is_needed {
        let expected = "nats://HOST:PORT (or --dev, which starts a nats-server of its own)";
        mistakes.refuse("nats.url", expected, &nats.url);
    }
    let known = ["nats://", "tls://"];
    let is_url = |part: &str| known.iter().any(|scheme| part.trim().starts_with(scheme));
    if !nats.url.is_empty() && !nats.url.split(',').all(is_url) {
        let expected = "nats://HOST:PORT or tls://HOST:PORT, several separated by commas";
        mistakes.refuse("nats.url", expected, &nats.url);
    }
    if nats.user.is_empty() && !nats.password.is_empty() {
        mistakes.note("nats.user: expected the user that goes with nats.password, got nothing");
    }
    NatsConfig {
        url: nats.url,
        user: nats.user,
        password: Secret::new(nats.password),
    }
}

fn database(url: &str, data_dir: &Path, mistakes: &mut Mistakes) -> Option<DatabaseUrl> {
    if url.is_empty() {
        return Some(DatabaseUrl::file(data_dir.join("iradialer.db")));
    }
    match DatabaseUrl::parse(url) {
        Ok(url) => Some(url),
        Err(mistake) => {
            mistakes.note(format!("database_url: {mistake}"));
            None
        }
    }
}

/// Whether it is written as a browser says where a page is from.
fn is_origin(text: &str) -> bool {
    let url = reqwest::Url::parse(text).ok();
    url.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}

fn webhooks(webhooks: file::Webhooks, dev: bool, mistakes: &mut Mistakes) -> WebhookConfig {
    let previous_secret = secret(
        "webhooks.previous_secret",
        &webhooks.previous_secret,
        mistakes,
    );
    let newest_secret = secret("webhooks.secret", &webhooks.secret, mistakes);
    let prefix = &webhooks.event_prefix;
    if prefix.len() > 40 || !prefix.bytes().all(|b| b.is_ascii_graphic()) {
        let expected = "up to 40 printable ASCII characters without a space";
        mistakes.refuse("webhooks.event_prefix", expected, prefix);
    }
    let mut allow_addresses = Vec::new();
    for (index, text) in webhooks.allow_addresses.iter().enumerate() {
        match AddressRange::parse(text) {
            Some(range) => allow_addresses.push(range),
            None => mistakes.refuse(
                &format!("webhooks.allow_addresses[{index}]"),
                "an address or a range such as 10.1.0.0/16, with no bits set below its prefix",
                text,
            ),
        }
    }
    if dev {
        allow_addresses.extend(
            ["127.0.0.0/8", "::1"]
                .iter()
                .filter_map(|t| AddressRange::parse(t)),
        );
    }
    let alert_url = Some(webhooks.alert_url).filter(|url| !url.is_empty());
    if let Some(url) = &alert_url {
        mistakes.take(crate::web::check_event_url("webhooks.alert_url", url));
    }
    let mut retry_after = Vec::new();
    for (index, seconds) in webhooks.retry_after_s.iter().enumerate() {
        let key = format!("webhooks.retry_after_s[{index}]");
        retry_after.push(seconds_in(&key, *seconds, 1..=604_800, mistakes));
    }
    let timeout = seconds_in("webhooks.timeout_s", webhooks.timeout_s, 1..=60, mistakes);
    let longest = webhooks.timeout_s.max(1);
    WebhookConfig {
        secret: newest_secret,
        previous_secret,
        secrets_of_tenants: TenantSecrets::new(),
        event_prefix: webhooks.event_prefix,
        allow_addresses,
        alert_url,
        retry_after,
        timeout,
        connect_timeout: seconds_in(
            "webhooks.connect_timeout_s",
            webhooks.connect_timeout_s,
            1..=longest,
            mistakes,
        ),
        tls: webhook_tls(
            &webhooks.ca_file,
            &webhooks.client_cert,
            &webhooks.client_key,
            mistakes,
        ),
        keep: Duration::from_secs(86_400)
            * in_range(
                "webhooks.keep_days",
                webhooks.keep_days,
                1..=3_650,
                mistakes,
            ) as u32,
    }
}

/// The files are read when the dispatcher starts; here they have to be there.
fn webhook_tls(ca_file: &str, cert: &str, key: &str, mistakes: &mut Mistakes) -> WebhookTls {
    let mut file = |name: &str, path: &str| {
        if path.is_empty() {
            return None;
        }
        if let Err(error) = std::fs::File::open(path) {
            let expected = format!("a file that can be read ({error})");
            mistakes.refuse(&format!("webhooks.{name}"), &expected, path);
        }
        Some(PathBuf::from(path))
    };
    let authorities = file("ca_file", ca_file);
    let client = match (file("client_cert", cert), file("client_key", key)) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
        (None, None) => None,
        (cert, _) => {
            let (given, missing) = match cert {
                Some(_) => ("client_cert", "client_key"),
                None => ("client_key", "client_cert"),
            };
            let expected = format!("the file that goes with webhooks.{given}");
            mistakes.refuse(&format!("webhooks.{missing}"), &expected, "");
            None
        }
    };
    WebhookTls {
        authorities,
        client,
    }
}

fn router(router: &file::Router, mistakes: &mut Mistakes) -> Option<RouterConfig> {
    let region = mistakes.take(RegionName::parse("router.region", &router.region));
    let mut ms = |key: &str, value, range| {
        let key = format!("router.{key}");
        Duration::from_millis(in_range(&key, value, range, mistakes))
    };
    let dispatch = router.dispatch_timeout_ms;
    let lost = router.switch_lost_after_ms;
    Some(RouterConfig {
        region: region?,
        dispatch_timeout: ms("dispatch_timeout_ms", dispatch, 100..=60_000),
        not_after: ms(
            "not_after_ms",
            router.not_after_ms,
            dispatch.max(100)..=60_000,
        ),
        switch_lost_after: ms("switch_lost_after_ms", lost, 2_000..=600_000),
        instance_password: Secret::new(router.instance_password.clone()),
        switch_unknown_after: ms(
            "switch_unknown_after_ms",
            router.switch_unknown_after_ms,
            lost.max(2_000)..=86_400_000,
        ),
    })
}

fn queue(queue: &file::Queue, mistakes: &mut Mistakes) -> QueueConfig {
    let slow = queue.slow_down_above;
    let most = 10_000_000;
    QueueConfig {
        slow_down_above: in_range("queue.slow_down_above", slow, 1..=most, mistakes),
        refuse_above: in_range(
            "queue.refuse_above",
            queue.refuse_above,
            slow.max(1)..=most,
            mistakes,
        ),
        expires_after: seconds_in(
            "queue.expires_after_s",
            queue.expires_after_s,
            10..=2_592_000,
            mistakes,
        ),
    }
}

fn trunks(trunks: &[file::Trunk], mistakes: &mut Mistakes) -> BTreeMap<TrunkName, Trunk> {
    let mut checked = BTreeMap::new();
    for (index, trunk) in trunks.iter().enumerate() {
        let key = |name: &str| format!("trunks[{index}].{name}");
        if !(trunk.max_cps > 0.0 && trunk.max_cps <= 1_000.0) {
            let expected = "calls a second, above 0, up to 1000";
            mistakes.refuse(&key("max_cps"), expected, &trunk.max_cps.to_string());
        }
        let max_calls = in_range(&key("max_calls"), trunk.max_calls, 1..=100_000, mistakes);
        let dtmf = match trunk.dtmf.as_str() {
            "" | "rfc4733" => DtmfWay::Rfc4733,
            "info" => DtmfWay::Info,
            "inband" => DtmfWay::Inband,
            other => {
                mistakes.refuse(&key("dtmf"), "rfc4733, info or inband", other);
                DtmfWay::default()
            }
        };
        let Some(name) = mistakes.take(TrunkName::parse(&key("name"), &trunk.name)) else {
            continue;
        };
        let trunk = Trunk {
            name: name.clone(),
            enabled: true,
            max_cps: trunk.max_cps,
            defined_cps: trunk.max_cps,
            max_calls: max_calls as u32,
            dtmf,
            caller_ranges: Vec::new(),
            nodes: Vec::new(),
            definition: None,
            source: Source::File,
            changed_ms: None,
        };
        if let Some(twice) = checked.insert(name, trunk) {
            mistakes.refuse(&key("name"), "a name of its own", twice.name.as_str());
        }
    }
    checked
}

fn campaigns(
    campaigns: &[file::Campaign],
    trunks: &BTreeMap<TrunkName, Trunk>,
    mistakes: &mut Mistakes,
) -> BTreeMap<(TenantId, CampaignName), Campaign> {
    let mut checked = BTreeMap::new();
    let mut used = TrunksUsed::default();
    for (index, written) in campaigns.iter().enumerate() {
        let base = format!("campaigns[{index}]");
        let Some(campaign) = campaign(&base, written, trunks, mistakes) else {
            continue;
        };
        let name = format!("{base} ({}/{})", campaign.tenant_id, campaign.name);
        for (place, trunk) in campaign.trunks.iter().enumerate() {
            if let Some(other) = used.by(&name, &campaign, trunk) {
                let key = format!("{base}.trunks[{place}]");
                mistakes.refuse(
                    &key,
                    &other.expected(&name, &campaign.region),
                    trunk.as_str(),
                );
            }
        }
        let key = (campaign.tenant_id.clone(), campaign.name.clone());
        if let Some(twice) = checked.insert(key, campaign) {
            let expected = "a name of its own among the tenant's campaigns";
            mistakes.refuse(&format!("{base}.name"), expected, twice.name.as_str());
        }
    }
    checked
}

fn campaign(
    base: &str,
    written: &file::Campaign,
    trunks: &BTreeMap<TrunkName, Trunk>,
    mistakes: &mut Mistakes,
) -> Option<Campaign> {
    let key = |name: &str| format!("{base}.{name}");
    let name = mistakes.take(CampaignName::parse(&key("name"), &written.name));
    let tenant_id = mistakes.take(TenantId::parse(&key("tenant_id"), &written.tenant_id));
    let region = mistakes.take(RegionName::parse(&key("region"), &written.region));
    let from_number = mistakes.take(CallerNumber::parse(
        &key("from_number"),
        &written.from_number,
    ));

    let mut chosen = Vec::new();
    for (place, text) in written.trunks.iter().enumerate() {
        let trunk = TrunkName::parse("trunk", text).ok();
        match trunk.filter(|trunk| trunks.contains_key(trunk)) {
            Some(trunk) => chosen.push(trunk),
            None => mistakes.refuse(
                &key(&format!("trunks[{place}]")),
                "the name of one of [[trunks]]",
                text,
            ),
        }
    }
    // Whether there is such a flow is seen when a call is accepted: the tenant may store it later.
    let flow = match written.flow.as_str() {
        "" => None,
        name => mistakes.take(FlowName::parse(&key("flow"), name)),
    };
    let event_url = Some(written.event_url.as_str()).filter(|url| !url.is_empty());
    if let Some(url) = event_url {
        mistakes.take(crate::web::check_event_url(&key("event_url"), url));
    }
    let hours = Hours::parse(&written.hours);
    if hours.is_none() && !written.hours.is_empty() {
        let expected = "HHMM-HHMM such as 0900-1900, or nothing";
        mistakes.refuse(&key("hours"), expected, &written.hours);
    }
    let timezone = TimeZone::get(&written.timezone).ok();
    if timezone.is_none() {
        let expected = "an IANA time zone such as Europe/Paris";
        mistakes.refuse(&key("timezone"), expected, &written.timezone);
    }
    let max_calls = in_range(&key("max_calls"), written.max_calls, 1..=100_000, mistakes);
    Some(Campaign {
        name: name?,
        tenant_id: tenant_id?,
        region: region?,
        trunks: chosen,
        from_number: from_number?,
        caller_ranges: Vec::new(),
        event_url: event_url.map(str::to_owned),
        flow,
        active: true,
        max_calls: max_calls as u32,
        defined_max_calls: max_calls as u32,
        hours,
        timezone: timezone?,
        source: Source::File,
        changed_ms: None,
    })
}

/// The value if it is in the range; else a note, and the nearest that is, so that checking goes on.
fn in_range(key: &str, value: i64, range: RangeInclusive<i64>, mistakes: &mut Mistakes) -> u64 {
    let (least, most) = (*range.start(), (*range.end()).max(*range.start()));
    if !range.contains(&value) {
        let expected = format!("a whole number from {least} to {most}");
        mistakes.refuse(key, &expected, &value.to_string());
    }
    value.clamp(least, most) as u64
}

fn seconds_in(
    key: &str,
    value: i64,
    range: RangeInclusive<i64>,
    mistakes: &mut Mistakes,
) -> Duration {
    Duration::from_secs(in_range(key, value, range, mistakes))
}
