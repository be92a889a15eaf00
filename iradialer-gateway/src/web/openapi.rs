//! The API's description, OpenAPI 3.1: made of what stands on the handlers and of the types of their answers, completed
//! with what holds for every path, and served.
//!
//! A handler says of its refusals their names alone, by status: `(status = 404, description = "unknown_call")`. Their
//! schema, their examples and what any path may refuse are added here.

mod answers;
mod complete;
pub(super) mod described;
pub(super) mod example;
pub(super) mod params;
mod requests;

use super::WebState;
use super::error::ErrorAnswer;
use super::routes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What is described nowhere else.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "iradialer",
        version = env!("CARGO_PKG_VERSION"),
        description = "Places calls through a fleet of switches, runs flows in them, and reports each step by webhooks.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/")),
    components(schemas(ErrorAnswer)),
    tags(
        (name = "calls", description = "Places calls, ends them, tells what became of them"),
        (name = "live requests", description = "Ask something of a call that is up"),
        (name = "webhooks", description = "What became of webhooks"),
        (name = "do-not-call", description = "Who may not be called"),
        (name = "flows", description = "What calls do once they are answered"),
        (name = "campaigns", description = "Calls that share trunks, limits, hours and a flow"),
        (name = "nodes", description = "The switches"),
        (name = "queue", description = "Calls that wait"),
        (name = "overview", description = "One look at what there is"),
        (name = "trunks", description = "The ways to the telephone network"),
        (name = "tokens", description = "Who may use this API"),
        (name = "licence", description = "How much may be used, and until when"),
        (name = "audit", description = "Who changed what"),
        (name = "metrics", description = "What the cluster does, in figures"),
        (name = "service", description = "The gateway itself; no token is needed"),
    ),
)]
struct Base;

/// Writes a value whose fields are in another order than that of their names.
pub(super) fn sorted<T: Serialize, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let sorted = serde_json::to_value(value).map_err(S::Error::custom)?;
    sorted.serialize(serializer)
}

/// A router whose routes are described.
pub(super) fn router() -> OpenApiRouter<WebState> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// The route of the description.
pub(super) fn own_routes() -> OpenApiRouter<WebState> {
    OpenApiRouter::new().routes(routes!(document))
}

static TEXT: LazyLock<String> = LazyLock::new(|| described().to_string());

/// The description of every route.
fn described() -> Value {
    let document = routes::all().into_openapi();
    let mut document = serde_json::to_value(document).unwrap_or_else(|error| {
        tracing::error!(%error, "the API's description can't be written");
        json!({})
    });
    complete::complete(&mut document);
    document
}

/// This description
#[utoipa::path(get, path = "/api/openapi.json", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

#[cfg(test)]
mod tests;
