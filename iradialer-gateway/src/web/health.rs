//! Whether the gateway lives, and whether it can do its work.

use super::WebState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "OK", "version": env!("CARGO_PKG_VERSION") }))
}

/// `GET /readyz`: 200 where calls can be accepted and given to switches, else 503 with what is missing.
pub(super) async fn ready(State(state): State<WebState>) -> (StatusCode, Json<Value>) {
    let database = state.app.tdb.check().await.is_ok();
    let bus = state.app.switches.is_connected();
    let code = match database && bus {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let shown = |up: bool| if up { "OK" } else { "down" };
    let body = json!({
        "status": if code == StatusCode::OK { "OK" } else { "not ready" },
        "database": shown(database),
        "bus": shown(bus),
    });
    (code, Json(body))
}
