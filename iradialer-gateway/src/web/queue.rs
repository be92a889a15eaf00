//! `/api/queue`: how many calls wait, the queue's parameters, and calls taken out of it.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use super::query::{in_query, query_fields};
use crate::operations::queue::{
    self, CampaignQueue, QueueSizes, RegionQueue, ShownParameters, TrunkQueue,
};
use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use iradialer_core::router_request::SetQueueParams;
use iradialer_core::value::CampaignName;
use serde::Serialize;
use utoipa::ToSchema;

/// What may be set.
const PARAMETERS: &str = "max_total_queue_size, short_delay, long_delay, cps_percent, enable_firing_calls, \
    dial_timeout, working_hours";

/// The queue.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(ShownQueue::example())))]
pub(super) struct ShownQueue {
    parameters: ShownParameters,
    sizes: QueueSizes,
}

/// Calls were taken out of the queue.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Emptied::example())))]
pub(super) struct Emptied {
    /// So many ended as canceled.
    canceled: u64,
    /// Whether there are more of them: ask again.
    more: bool,
    /// `OK`.
    status: &'static str,
    /// 0.
    status_code: u8,
}

/// What is set of the queue's parameters; the others stay.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct QueueChange {
    /// How much of each trunk's rate is used.
    #[schema(minimum = 0.1, maximum = 1)]
    cps_percent: Option<f64>,
    /// How long a phone rings where a request does not say, s.
    #[schema(minimum = 10, maximum = 100)]
    dial_timeout: Option<u32>,
    /// Whether new calls are dialled.
    enable_firing_calls: Option<bool>,
    /// Kept, and without effect.
    #[schema(minimum = 20, maximum = 100)]
    long_delay: Option<u32>,
    /// From this many queued calls on, new ones are refused.
    #[schema(minimum = 1, maximum = 200_000)]
    max_total_queue_size: Option<u32>,
    /// Kept, and without effect.
    #[schema(minimum = 5, maximum = 10)]
    short_delay: Option<u32>,
    /// When campaigns may call that have no hours of their own, `HHMM-HHMM`.
    working_hours: Option<String>,
}

impl ShownQueue {
    fn example() -> Self {
        ShownQueue {
            parameters: ShownParameters {
                cps_percent: 1.0,
                dial_timeout: 30,
                enable_firing_calls: true,
                long_delay: None,
                max_total_queue_size: 100_000,
                short_delay: None,
                working_hours: None,
            },
            sizes: QueueSizes {
                campaigns: vec![CampaignQueue {
                    campaign_name: "reminders".to_owned(),
                    region: Some("default".to_owned()),
                    size: 17,
                    tenant_id: "acme".to_owned(),
                    trunks: vec!["chime".to_owned()],
                }],
                regions: vec![RegionQueue {
                    region: "default".to_owned(),
                    size: 17,
                }],
                size: 17,
                trunks: vec![TrunkQueue {
                    size: 17,
                    trunk: "chime".to_owned(),
                }],
            },
        }
    }
}

impl Emptied {
    fn example() -> Self {
        Emptied {
            canceled: 17,
            more: false,
            status: "OK",
            status_code: 0,
        }
    }
}

/// How many calls wait, and the queue's parameters
///
/// Of the tenant; for admins and operators of all, unless they name another tenant than theirs.
#[utoipa::path(
    get, path = "/api/queue", tag = "queue",
    responses((status = 200, description = "The queue", body = ShownQueue)),
)]
pub(super) async fn show(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<ShownQueue>, ApiError> {
    let catalogue = state.app.catalogue();
    let sizes = queue::sizes(&state.app.tdb, &catalogue, caller.of_one_tenant()).await?;
    Ok(Json(ShownQueue {
        parameters: queue::shown(&catalogue),
        sizes,
    }))
}

/// Sets parameters of the queue, for all tenants
#[utoipa::path(
    put, path = "/api/queue", tag = "queue",
    request_body = QueueChange,
    responses((status = 200, description = "The queue", body = ShownQueue)),
)]
pub(super) async fn put(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ShownQueue>, ApiError> {
    caller.must_be_operator()?;
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let mut fields = Fields::new(members);
    let set = SetQueueParams::read(&mut fields);
    fields.finish(PARAMETERS).map_err(ApiError::BadFields)?;
    caller
        .desk(&state)
        .set_queue(queue::parameters(set)?)
        .await?;
    state.app.wake.router.notify_one();
    show(State(state), caller).await
}

/// Ends what is queued of the tenant, or of one of its campaigns, as canceled
#[utoipa::path(
    delete, path = "/api/queue", tag = "queue",
    params(("campaign" = Option<String>, Query, description = "Of this campaign alone")),
    responses((status = 200, description = "They have ended", body = Emptied)),
)]
pub(super) async fn empty(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Emptied>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    // One that is gone may have calls yet.
    let campaign = fields.parsed("campaign", CampaignName::parse);
    fields.finish("campaign").map_err(in_query)?;
    let desk = caller.desk(&state);
    let (canceled, more) = desk
        .cancel_queued(&caller.tenant_id, campaign.as_ref())
        .await?;
    state.app.wake.dispatcher.notify_one();
    Ok(Json(Emptied {
        canceled,
        more,
        status: "OK",
        status_code: 0,
    }))
}
