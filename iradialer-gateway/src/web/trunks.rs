//! `GET /api/trunks`: what the trunks may have, and what they have shown of themselves.

use super::WebState;
use super::auth::Caller;
use super::error::ApiError;
use super::openapi::example;
use super::timestamp::Time;
use crate::catalogue::{Catalogue, Definition, NumberRange, Source, Trunk};
use crate::trunk::{Gate, TrunkState};
use axum::Json;
use axum::extract::{Path, State};
use iradialer_core::value::{NodeId, RegionName, TrunkName};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A trunk, and what it has shown of itself.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(ShownTrunk::example())))]
pub(super) struct ShownTrunk {
    /// `calls`, `one_probe` or `nothing`.
    accepts: &'static str,
    /// `closed`, `open` or `half_open`.
    breaker: &'static str,
    /// What its carrier answered that opened it.
    breaker_reason: Option<String>,
    /// Numbers that its calls may show, `FIRST-LAST`.
    caller_ranges: Vec<String>,
    /// The campaigns that use it, `TENANT/NAME`; for operators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    campaigns: Option<Vec<String>>,
    /// The rate that it has now.
    cps: f64,
    /// Whether calls go through it.
    enabled: bool,
    /// How often in a row calls failed for its sake.
    failures: u32,
    learned_at: Option<Time>,
    /// The rate that its carrier was found to bear, calls a second.
    learned_cps: Option<f64>,
    /// Calls that switches have on it now.
    live_calls: u32,
    /// Calls at once.
    max_calls: u32,
    /// Calls a second.
    max_cps: f64,
    #[schema(value_type = String)]
    name: TrunkName,
    /// The switches that have it; none: any. For operators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    nodes: Option<Vec<String>>,
    /// The parameters of its gateway, where it was added here, without the password. For operators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    params: Option<BTreeMap<String, String>>,
    /// The region whose campaigns use it.
    #[schema(value_type = Option<String>)]
    region: Option<RegionName>,
    /// The profile of its gateway, where it was added here. For operators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sip_profile: Option<String>,
    /// `file`: of the configuration file; `added`: at run time.
    source: Source,
    /// The variables of its gateway, where it was added here. For operators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    variables: Option<BTreeMap<String, String>>,
    /// When it takes calls again.
    wait_until: Option<Time>,
    /// Why it takes none.
    waits_for: Option<&'static str>,
}

/// Trunks, by name.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(TrunkList::example())))]
pub(super) struct TrunkList {
    trunks: Vec<ShownTrunk>,
}

impl ShownTrunk {
    pub(super) fn example() -> Self {
        ShownTrunk {
            accepts: "calls",
            breaker: "closed",
            breaker_reason: None,
            caller_ranges: vec!["15005550100-15005550199".to_owned()],
            campaigns: None,
            cps: 4.2,
            enabled: true,
            failures: 0,
            learned_at: Some(Time::example()),
            learned_cps: Some(4.2),
            live_calls: 12,
            max_calls: 100,
            max_cps: 10.0,
            name: example::name(),
            nodes: None,
            params: None,
            region: Some(example::name()),
            sip_profile: None,
            source: Source::File,
            variables: None,
            wait_until: None,
            waits_for: None,
        }
    }
}

impl TrunkList {
    fn example() -> Self {
        TrunkList {
            trunks: vec![ShownTrunk::example()],
        }
    }
}

/// The trunks of the tenant's campaigns; all of them for operators
#[utoipa::path(
    get, path = "/api/trunks", tag = "trunks",
    responses((status = 200, description = "By name", body = TrunkList)),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<TrunkList>, ApiError> {
    let trunks = shown(&state, &caller, None).await?;
    Ok(Json(TrunkList { trunks }))
}

/// One trunk
#[utoipa::path(
    get, path = "/api/trunks/{name}", tag = "trunks",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "That trunk", body = ShownTrunk),
        (status = 404, description = "unknown_trunk"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ShownTrunk>, ApiError> {
    let name = TrunkName::parse("path.name", &name)?;
    shown_one(&state, &caller, &name).await.map(Json)
}

/// That trunk, if the caller may see it.
pub(super) async fn shown_one(
    state: &WebState,
    caller: &Caller,
    name: &TrunkName,
) -> Result<ShownTrunk, ApiError> {
    let mut shown = shown(state, caller, Some(name)).await?;
    shown
        .pop()
        .ok_or_else(|| ApiError::UnknownTrunk(name.to_string()))
}

async fn shown(
    state: &WebState,
    caller: &Caller,
    only: Option<&TrunkName>,
) -> Result<Vec<ShownTrunk>, ApiError> {
    let catalogue = state.app.catalogue();
    let is_operator = caller.token.spec.role.is_of_cluster();
    let is_seen = |trunk: &&Trunk| {
        let mut users = catalogue.users_of(&trunk.name);
        is_operator || users.any(|campaign| campaign.tenant_id == caller.tenant_id)
    };
    let now_ms = state.app.clock.now_ms();
    let states = state.app.tdb.trunk_states().await?;
    let live = state.app.tdb.live_counts().await?;
    let wanted = catalogue.trunks.values();
    let wanted = wanted.filter(|trunk| only.is_none_or(|name| *name == trunk.name));
    let show = |trunk: &Trunk| {
        let known = states.get(&trunk.name).cloned().unwrap_or_default();
        let live = live.by_trunk.get(&trunk.name).copied().unwrap_or(0);
        let shown = show(
            trunk,
            catalogue.trunk_region(&trunk.name),
            &known,
            live,
            now_ms,
        );
        match is_operator {
            true => with_definition(shown, trunk, &catalogue),
            false => shown,
        }
    };
    Ok(wanted.filter(is_seen).map(show).collect())
}

/// With what is nobody's but the operator's.
fn with_definition(shown: ShownTrunk, trunk: &Trunk, catalogue: &Catalogue) -> ShownTrunk {
    let users = catalogue.users_of(&trunk.name);
    let definition = trunk.definition.as_ref();
    ShownTrunk {
        campaigns: Some(
            users
                .map(|user| format!("{}/{}", user.tenant_id, user.name))
                .collect(),
        ),
        nodes: Some(trunk.nodes.iter().map(NodeId::to_string).collect()),
        params: definition.map(Definition::shown_params),
        sip_profile: definition.map(|definition| definition.sip_profile.clone()),
        variables: definition.map(|definition| definition.variables.clone()),
        ..shown
    }
}

fn show(
    trunk: &Trunk,
    region: Option<&RegionName>,
    known: &TrunkState,
    live_calls: u32,
    now_ms: u64,
) -> ShownTrunk {
    let (accepts, wait_until, waits_for) = match (trunk.enabled, known.gate(now_ms)) {
        (false, _) => ("nothing", None, Some("disabled")),
        (true, Gate::Open) => ("calls", None, None),
        (true, Gate::Probe) => ("one_probe", None, None),
        (true, Gate::Shut(at_ms, why)) => ("nothing", Some(Time::of(at_ms)), Some(why.as_str())),
    };
    let learned_cps = known.learned_cps(now_ms);
    ShownTrunk {
        accepts,
        breaker: known.breaker.as_str(),
        breaker_reason: known.breaker_reason.clone(),
        caller_ranges: trunk.caller_ranges.iter().map(NumberRange::shown).collect(),
        campaigns: None,
        cps: rounded(known.rate(trunk.max_cps, now_ms)),
        enabled: trunk.enabled,
        failures: known.failures,
        learned_at: known.learned.map(|learned| Time::of(learned.at_ms)),
        learned_cps: learned_cps.map(|cps| rounded(cps.min(trunk.max_cps))),
        live_calls,
        max_calls: trunk.max_calls,
        max_cps: trunk.max_cps,
        name: trunk.name.clone(),
        nodes: None,
        params: None,
        region: region.cloned(),
        sip_profile: None,
        source: trunk.source,
        variables: None,
        wait_until,
        waits_for,
    }
}

/// A rate as a person reads it.
pub(super) fn rounded(cps: f64) -> f64 {
    (cps * 1_000.0).round() / 1_000.0
}
