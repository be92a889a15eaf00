//! Whether the gateway lives, and whether it can do its work.

use super::WebState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The process answers.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Alive::now())))]
pub(super) struct Alive {
    /// `OK`.
    status: &'static str,
    /// The gateway's version.
    version: &'static str,
}

impl Alive {
    fn now() -> Self {
        Alive {
            status: "OK",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Whether calls can be accepted and given to switches.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Ready::of(true, true)), json!(Ready::of(true, false))))]
pub(super) struct Ready {
    /// The bus to the switches: `OK` or `down`.
    bus: &'static str,
    /// The database: `OK` or `down`.
    database: &'static str,
    /// `OK`, or `not ready` where one of them is down.
    status: &'static str,
}

impl Ready {
    fn of(database: bool, bus: bool) -> Self {
        let shown = |up: bool| if up { "OK" } else { "down" };
        Ready {
            bus: shown(bus),
            database: shown(database),
            status: if database && bus { "OK" } else { "not ready" },
        }
    }
}

/// Whether the process answers
#[utoipa::path(
    get, path = "/healthz", tag = "service",
    responses((status = 200, description = "It does", body = Alive)),
)]
pub(super) async fn alive() -> Json<Alive> {
    Json(Alive::now())
}

/// Whether calls can be accepted and given to switches
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses(
        (status = 200, description = "They can", body = Ready),
        (status = 503, description = "Something is missing", body = Ready),
    ),
)]
pub(super) async fn ready(State(state): State<WebState>) -> (StatusCode, Json<Ready>) {
    let database = state.app.tdb.check().await.is_ok();
    let bus = state.app.switches.is_connected();
    let code = match database && bus {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(Ready::of(database, bus)))
}
