//! `GET /api/trunks`: what the trunks may have, and what they have shown of themselves.

use super::WebState;
use super::auth::Caller;
use super::error::ApiError;
use super::timestamp;
use crate::config::Trunk;
use crate::trunk::{Gate, TrunkState};
use axum::Json;
use axum::extract::{Path, State};
use iradialer_core::value::{RegionName, TrunkName};
use serde_json::{Value, json};

/// The trunks of the tenant's campaigns
#[utoipa::path(
    get, path = "/api/trunks", tag = "trunks",
    responses(
        (status = 200),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(
        json!({ "trunks": shown(&state, &caller, None).await? }),
    ))
}

/// One trunk
#[utoipa::path(
    get, path = "/api/trunks/{name}", tag = "trunks",
    params(("name" = String, Path)),
    responses(
        (status = 200),
        (status = 404, description = "unknown_trunk"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let name = TrunkName::parse("path.name", &name)?;
    let mut shown = shown(&state, &caller, Some(&name)).await?;
    match shown.pop() {
        Some(trunk) => Ok(Json(trunk)),
        None => Err(ApiError::UnknownTrunk(name.to_string())),
    }
}

async fn shown(
    state: &WebState,
    caller: &Caller,
    only: Option<&TrunkName>,
) -> Result<Vec<Value>, ApiError> {
    let config = &state.app.config;
    let used = |trunk: &&Trunk| {
        let mut campaigns = config.campaigns.values();
        campaigns.any(|campaign| {
            campaign.tenant_id == caller.tenant_id && campaign.trunks.contains(&trunk.name)
        })
    };
    let now_ms = state.app.clock.now_ms();
    let states = state.app.tdb.trunk_states().await?;
    let live = state.app.tdb.live_counts().await?;
    let trunks = config.trunks.values().filter(used);
    let wanted = trunks.filter(|trunk| only.is_none_or(|name| *name == trunk.name));
    Ok(wanted
        .map(|trunk| {
            let known = states.get(&trunk.name).cloned().unwrap_or_default();
            let live = live.by_trunk.get(&trunk.name).copied().unwrap_or(0);
            let region = config.trunk_region(&trunk.name);
            show(trunk, region, &known, live, now_ms)
        })
        .collect())
}

fn show(
    trunk: &Trunk,
    region: Option<&RegionName>,
    known: &TrunkState,
    live: u32,
    now_ms: u64,
) -> Value {
    let (accepts, until, waits_for) = match known.gate(now_ms) {
        Gate::Open => ("calls", None, None),
        Gate::Probe => ("one_probe", None, None),
        Gate::Shut(at_ms, why) => ("nothing", Some(timestamp::show(at_ms)), Some(why.as_str())),
    };
    json!({
        "name": trunk.name,
        "region": region,
        "max_cps": trunk.max_cps,
        "learned_cps": known.learned_cps(now_ms).map(|cps| rounded(cps.min(trunk.max_cps))),
        "learned_at": known.learned.map(|learned| timestamp::show(learned.at_ms)),
        "cps": rounded(known.rate(trunk.max_cps, now_ms)),
        "max_calls": trunk.max_calls,
        "live_calls": live,
        "breaker": known.breaker.as_str(),
        "breaker_reason": known.breaker_reason,
        "failures": known.failures,
        "accepts": accepts,
        "wait_until": until,
        "waits_for": waits_for,
    })
}

/// A rate as a person reads it.
pub(super) fn rounded(cps: f64) -> f64 {
    (cps * 1_000.0).round() / 1_000.0
}
