//! `/api/overview`, `/api/regions`, `/api/cpaconfigs`: one look at what there is.

use super::auth::Caller;
use super::error::ApiError;
use super::timestamp::Time;
use super::{WebState, nodes};
use crate::catalogue::Catalogue;
use crate::operations::queue;
use crate::trunk::Gate;
use axum::Json;
use axum::extract::State;
use iradialer_core::live::name;
use iradialer_core::value::TenantId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// A day, ms.
const DAY_MS: u64 = 86_400_000;
/// How many calls of a tenant are counted, the last of the day.
const MOST_CALLS: u32 = 100_000;

/// One look at the tenant's calls; for admins and operators at the cluster.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Overview::example())))]
pub(super) struct Overview {
    /// Average call duration: of the calls of today that were answered and have ended, s. Null: there is none.
    acd_s: Option<f64>,
    /// Answer-seizure ratio: how many of the calls of today that were dialled and have ended were answered, 0 to 1.
    /// Null: there is none.
    asr: Option<f64>,
    /// Calls since midnight UTC by their state now; of each tenant the last 100,000.
    calls_today: BTreeMap<String, u64>,
    /// Calls that switches have now.
    live_calls: u32,
    /// Calls that wait.
    queued: u64,
    /// Since when today is.
    since: Time,
    /// Switches by their state; for admins and operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    switches: Option<BTreeMap<String, u32>>,
    /// Trunks by what they take: `calls`, `one_probe`, `nothing`, `disabled`.
    trunks: BTreeMap<String, u32>,
    /// What a person should look at, a sentence each.
    warnings: Vec<String>,
}

/// The regions, by name.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(RegionList::example())))]
pub(super) struct RegionList {
    regions: Vec<Region>,
}

/// Switches, and the campaigns whose calls they get.
#[derive(Serialize, ToSchema)]
pub(super) struct Region {
    /// Its campaigns, `TENANT/NAME`.
    campaigns: Vec<String>,
    /// Whether a router gives out its calls.
    has_router: bool,
    /// Its switches.
    nodes: Vec<String>,
    region: String,
    /// The trunks of its campaigns.
    trunks: Vec<String>,
}

/// Configurations of call progress analysis: there are none, as there is no such analysis yet.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(CpaConfigs::example())))]
pub(super) struct CpaConfigs {
    #[schema(max_items = 0)]
    cpaconfigs: Vec<String>,
}

impl Overview {
    fn example() -> Self {
        let text = |name: &str| name.to_owned();
        Overview {
            acd_s: Some(41.7),
            asr: Some(0.62),
            calls_today: BTreeMap::from([(text("completed"), 620), (text("queued"), 17)]),
            live_calls: 12,
            queued: 17,
            since: Time::example(),
            switches: Some(BTreeMap::from([(text("active"), 2)])),
            trunks: BTreeMap::from([(text("calls"), 2)]),
            warnings: vec![text(
                "the switch switch-3 is silent: its heartbeats have stopped",
            )],
        }
    }
}

impl RegionList {
    fn example() -> Self {
        RegionList {
            regions: vec![Region {
                campaigns: vec!["acme/reminders".to_owned()],
                has_router: true,
                nodes: vec!["switch-1".to_owned()],
                region: "default".to_owned(),
                trunks: vec!["chime".to_owned()],
            }],
        }
    }
}

impl CpaConfigs {
    fn example() -> Self {
        CpaConfigs {
            cpaconfigs: Vec::new(),
        }
    }
}

/// One look
///
/// Of the tenant; for admins and operators of all, unless they name another tenant than theirs.
#[utoipa::path(
    get, path = "/api/overview", tag = "overview",
    responses((status = 200, description = "As it is now", body = Overview)),
)]
pub(super) async fn overview(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<Overview>, ApiError> {
    let (tdb, catalogue) = (&state.app.tdb, state.app.catalogue());
    let now_ms = state.app.clock.now_ms();
    let since_ms = now_ms - now_ms % DAY_MS;
    let only = caller.of_one_tenant();
    let tenants: BTreeSet<TenantId> = match only {
        Some(tenant) => BTreeSet::from([tenant.clone()]),
        None => catalogue
            .campaigns
            .keys()
            .map(|(tenant, _)| tenant.clone())
            .collect(),
    };
    let mut day = Day::default();
    for tenant in &tenants {
        for (name, calls, billsec_ms) in tdb.calls_since(tenant, since_ms, MOST_CALLS).await? {
            day.add(name, calls, billsec_ms);
        }
    }
    let live = tdb.live_counts().await?.by_campaign;
    let own = live
        .iter()
        .filter(|((tenant, _), _)| only.is_none_or(|only| only == tenant));
    let live_calls = own.map(|(_, calls)| calls).sum();
    let mut warnings = Vec::new();
    let trunks = trunks(&state, &catalogue, only, &mut warnings).await?;
    let switches = match only {
        Some(_) => None,
        None => Some(switches(&state, &catalogue, &mut warnings).await?),
    };
    if !catalogue.parameters().fires() {
        warnings
            .push("no new calls are dialled: the queue's enable_firing_calls is false".to_owned());
    }
    let campaigns = catalogue.campaigns.values();
    for campaign in campaigns.filter(|of| only.is_none_or(|only| *only == of.tenant_id)) {
        if !campaign.active {
            warnings.push(format!(
                "the campaign {}/{} is not active",
                campaign.tenant_id, campaign.name
            ));
        }
    }
    Ok(Json(Overview {
        acd_s: day.acd_s(),
        asr: day.asr(),
        calls_today: day.by_state,
        live_calls,
        queued: queue::sizes(tdb, &catalogue, only).await?.size,
        since: Time::of(since_ms),
        switches,
        trunks,
        warnings,
    }))
}

/// The calls of a day.
#[derive(Default)]
struct Day {
    by_state: BTreeMap<String, u64>,
    billsec_ms: u64,
}

impl Day {
    fn add(&mut self, state: String, calls: u64, billsec_ms: u64) {
        *self.by_state.entry(state).or_default() += calls;
        self.billsec_ms += billsec_ms;
    }

    fn count(&self, states: &[&str]) -> u64 {
        let counts = states.iter().map(|state| self.by_state.get(*state));
        counts.flatten().sum()
    }

    fn asr(&self) -> Option<f64> {
        let answered = self.count(&["completed"]);
        let seized = answered + self.count(&["failed", "busy", "no_answer", "rejected"]);
        (seized > 0).then(|| super::trunks::rounded(answered as f64 / seized as f64))
    }

    fn acd_s(&self) -> Option<f64> {
        let answered = self.count(&["completed"]);
        let average_s = || self.billsec_ms as f64 / answered as f64 / 1_000.0;
        (answered > 0).then(|| super::trunks::rounded(average_s()))
    }
}

async fn trunks(
    state: &WebState,
    catalogue: &Catalogue,
    only: Option<&TenantId>,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, u32>, ApiError> {
    let states = state.app.tdb.trunk_states().await?;
    let now_ms = state.app.clock.now_ms();
    let mut counts = BTreeMap::new();
    for trunk in catalogue.trunks.values() {
        let mut users = catalogue.users_of(&trunk.name);
        if only.is_some_and(|only| !users.any(|user| user.tenant_id == *only)) {
            continue;
        }
        let known = states.get(&trunk.name).cloned().unwrap_or_default();
        let takes = match (trunk.enabled, known.gate(now_ms)) {
            (false, _) => "disabled",
            (true, Gate::Open) => "calls",
            (true, Gate::Probe) => "one_probe",
            (true, Gate::Shut(..)) => "nothing",
        };
        if takes != "calls" {
            let why = known
                .breaker_reason
                .filter(|_| trunk.enabled)
                .unwrap_or_default();
            let sentence = format!("the trunk {} takes no calls: {takes} {why}", trunk.name);
            warnings.push(sentence.trim_end().to_owned());
        }
        *counts.entry(takes.to_owned()).or_default() += 1;
    }
    Ok(counts)
}

async fn switches(
    state: &WebState,
    catalogue: &Catalogue,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, u32>, ApiError> {
    let mut counts = BTreeMap::new();
    for node in nodes::all(state).await? {
        if let Some(reason) = &node.reason {
            warnings.push(format!(
                "the switch {} is {}: {reason}",
                node.node_id, node.state
            ));
        }
        *counts.entry(node.state.to_owned()).or_default() += 1;
    }
    if !state.app.switches.is_connected() {
        warnings.push("NATS is away".to_owned());
    }
    for region in all_regions(state, catalogue).await? {
        if !region.has_router && !region.campaigns.is_empty() {
            warnings.push(format!(
                "the region {} has no router: nothing dials its calls",
                region.region
            ));
        }
    }
    Ok(counts)
}

/// The regions, by name
#[utoipa::path(
    get, path = "/api/regions", tag = "overview",
    responses((status = 200, description = "For admins and operators", body = RegionList)),
)]
pub(super) async fn regions(
    State(state): State<WebState>,
    _of_cluster: Caller,
) -> Result<Json<RegionList>, ApiError> {
    let regions = all_regions(&state, &state.app.catalogue()).await?;
    Ok(Json(RegionList { regions }))
}

async fn all_regions(state: &WebState, catalogue: &Catalogue) -> Result<Vec<Region>, ApiError> {
    let mut regions: BTreeMap<String, Region> = BTreeMap::new();
    let of = |regions: &mut BTreeMap<String, Region>, name: &str| {
        regions.entry(name.to_owned()).or_insert_with(|| Region {
            campaigns: Vec::new(),
            has_router: false,
            nodes: Vec::new(),
            region: name.to_owned(),
            trunks: Vec::new(),
        });
    };
    for campaign in catalogue.campaigns.values() {
        of(&mut regions, campaign.region.as_str());
        if let Some(region) = regions.get_mut(campaign.region.as_str()) {
            region
                .campaigns
                .push(format!("{}/{}", campaign.tenant_id, campaign.name));
            for trunk in &campaign.trunks {
                if !region.trunks.iter().any(|known| known == trunk.as_str()) {
                    region.trunks.push(trunk.to_string());
                }
            }
        }
    }
    for node in nodes::all(state).await? {
        of(&mut regions, &node.region);
        if let Some(region) = regions.get_mut(&node.region) {
            region.nodes.push(node.node_id.to_string());
        }
    }
    let now_ms = state.app.clock.now_ms();
    for region in regions.values_mut() {
        let ends_ms = state.app.tdb.lease_ends_ms(&region.region).await?;
        region.has_router = ends_ms.is_some_and(|ends_ms| ends_ms > now_ms);
        region.trunks.sort();
    }
    Ok(regions.into_values().collect())
}

/// The configurations of call progress analysis: none yet
#[utoipa::path(
    get, path = "/api/cpaconfigs", tag = "overview",
    responses((status = 200, description = "None", body = CpaConfigs)),
)]
pub(super) async fn cpaconfigs(_caller: Caller) -> Json<CpaConfigs> {
    Json(CpaConfigs::example())
}

/// Refused: there is no call progress analysis to configure yet
#[utoipa::path(
    put, path = "/api/cpaconfigs/{name}", tag = "overview",
    params(super::openapi::params::OfName),
    request_body = Object,
    responses((status = 501, description = "not_yet")),
)]
pub(super) async fn put_cpaconfig(caller: Caller) -> ApiError {
    no_cpa(&caller)
}

/// Refused: there is no call progress analysis to configure yet
#[utoipa::path(
    delete, path = "/api/cpaconfigs/{name}", tag = "overview",
    params(super::openapi::params::OfName),
    responses((status = 501, description = "not_yet")),
)]
pub(super) async fn delete_cpaconfig(caller: Caller) -> ApiError {
    no_cpa(&caller)
}

fn no_cpa(caller: &Caller) -> ApiError {
    match caller.must_be_operator() {
        Err(refused) => refused,
        Ok(()) => ApiError::LiveRefused {
            name: name::NOT_YET.to_owned(),
            message:
                "There is no call progress analysis yet: nothing would come of a configuration"
                    .to_owned(),
            field: None,
            retryable: false,
        },
    }
}
