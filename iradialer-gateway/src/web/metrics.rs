//! `GET /metrics`: what the cluster does, for Prometheus. What is in the TDB is the same at every gateway; the
//! requests are those of this process.

use super::WebState;
use super::auth::Caller;
use super::error::ApiError;
use crate::trunk::Gate;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

/// OpenMetrics, which Prometheus reads.
const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The longest queue that is counted.
const LONGEST_QUEUE: u64 = 1_000_000;
/// As far as webhooks that were given up are counted, ms.
const DAY_MS: u64 = 86_400_000;
/// Where the times of requests are parted, s.
const BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The labels of a figure.
type Labels = Vec<(&'static str, String)>;
/// A figure that goes up and down.
type Figure = Gauge<f64, AtomicU64>;

/// The requests of this process.
pub(super) struct Traffic {
    requests: Family<Labels, Counter>,
    seconds: Histogram,
}

impl Default for Traffic {
    fn default() -> Self {
        Traffic {
            requests: Family::default(),
            seconds: Histogram::new(BUCKETS),
        }
    }
}

/// Counts a request and how long its answer took.
pub(super) async fn count(
    State(traffic): State<Arc<Traffic>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let response = next.run(request).await;
    let class = format!("{}xx", response.status().as_u16() / 100);
    traffic
        .requests
        .get_or_create(&vec![("status", class)])
        .inc();
    traffic.seconds.observe(begun.elapsed().as_secs_f64());
    response
}

/// Figures for Prometheus
///
/// Of every tenant, so for admins and operators.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics",
    responses((status = 200, description = "OpenMetrics text", body = String,
        content_type = "application/openmetrics-text")),
)]
pub(super) async fn scrape(
    State(state): State<WebState>,
    _of_cluster: Caller,
) -> Result<Response, ApiError> {
    let mut registry = Registry::with_prefix("iradialer");
    let traffic = &state.traffic;
    registry.register(
        "http_requests",
        "Requests answered by this process",
        traffic.requests.clone(),
    );
    registry.register(
        "http_request_seconds",
        "How long the answers of this process took",
        traffic.seconds.clone(),
    );
    figures(&state, &mut registry).await?;
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &registry) {
        tracing::error!(%error, "the metrics can't be written");
        return Err(ApiError::Unavailable);
    }
    Ok(([(CONTENT_TYPE, CONTENT)], text).into_response())
}

/// Those of the cluster.
async fn figures(state: &WebState, registry: &mut Registry) -> Result<(), ApiError> {
    let tdb = &state.app.tdb;
    let now_ms = state.app.clock.now_ms();
    let mut one = |name: &str, help: &str, value: f64| {
        let figure = Figure::default();
        figure.set(value);
        registry.register(name, help, figure);
    };
    let connected = state.app.switches.is_connected();
    one("bus_up", "Whether the bus is there", bit(connected));
    let queued = tdb.queue_length(LONGEST_QUEUE).await? as f64;
    one(
        "calls_queued",
        "Calls in the queue, up to a million",
        queued,
    );
    let waiting = tdb.webhooks_waiting().await? as f64;
    one("webhooks_waiting", "Webhooks to be delivered yet", waiting);
    let since_ms = now_ms.saturating_sub(DAY_MS);
    let given_up = tdb.given_up_since(since_ms).await? as f64;
    let help = "Webhooks that were given up within a day, up to a thousand";
    one("webhooks_given_up", help, given_up);
    trunks(state, registry, now_ms).await?;
    switches(state, registry, now_ms).await
}

/// What campaigns and trunks have, and may have.
async fn trunks(state: &WebState, registry: &mut Registry, now_ms: u64) -> Result<(), ApiError> {
    let live = state.app.tdb.live_counts().await?;
    let states = state.app.tdb.trunk_states().await?;
    let help = "Calls that switches have or may have";
    let by_campaign = family(registry, "calls_live", help);
    for ((tenant, campaign), live) in &live.by_campaign {
        let (tenant, campaign) = (tenant.to_string(), campaign.to_string());
        let labels = vec![("tenant", tenant), ("campaign", campaign)];
        by_campaign.get_or_create(&labels).set(f64::from(*live));
    }
    let calls = family(registry, "trunk_calls_live", "Calls of the trunk");
    let most = family(
        registry,
        "trunk_calls_max",
        "Calls the trunk may have at once",
    );
    let rate = family(
        registry,
        "trunk_rate",
        "Calls a second that the trunk takes now",
    );
    let open = family(registry, "trunk_open", "Whether the trunk is given calls");
    for trunk in state.app.catalogue().trunks.values() {
        let labels = vec![("trunk", trunk.name.to_string())];
        let known = states.get(&trunk.name).cloned().unwrap_or_default();
        let live = live.by_trunk.get(&trunk.name).copied().unwrap_or(0);
        calls.get_or_create(&labels).set(f64::from(live));
        most.get_or_create(&labels).set(f64::from(trunk.max_calls));
        let now = known.rate(trunk.max_cps, now_ms);
        rate.get_or_create(&labels).set(now);
        let is_open = known.gate(now_ms) == Gate::Open;
        open.get_or_create(&labels).set(bit(is_open));
    }
    Ok(())
}

/// What the routers think of the switches.
async fn switches(state: &WebState, registry: &mut Registry, now_ms: u64) -> Result<(), ApiError> {
    let help = "How long ago the region's router has looked at its switches";
    let ages = family(registry, "router_view_age_seconds", help);
    let help = "Calls of the switch, with what its router thinks of it";
    let calls = family(registry, "switch_calls", help);
    for view in state.app.tdb.switch_views().await? {
        let region = &view.region;
        let age_s = now_ms.saturating_sub(view.at_ms) as f64 / 1_000.0;
        ages.get_or_create(&vec![("region", region.clone())])
            .set(age_s);
        for switch in view.switches.as_array().into_iter().flatten() {
            let text = |name: &str| switch[name].as_str().unwrap_or_default().to_owned();
            let labels = vec![
                ("region", region.clone()),
                ("node", text("node")),
                ("verdict", text("verdict")),
            ];
            let held = switch["calls"].as_f64().unwrap_or(0.0);
            calls.get_or_create(&labels).set(held);
        }
    }
    Ok(())
}

/// Figures of one name that differ in their labels.
fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Labels, Figure> {
    let family = Family::default();
    registry.register(name, help, Family::clone(&family));
    family
}

fn bit(is: bool) -> f64 {
    f64::from(u8::from(is))
}
