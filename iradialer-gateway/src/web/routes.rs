//! Which path goes where.

use super::error::ApiError;
use super::{
    WebState, accept, audit, calls, campaigns, dnc, docs, dropcall, etag, explain, flows, health,
    license, live, metrics, nodes, openapi, overview, queue, request_id, stream, tokens, transport,
    trunk_changes, trunks, unread, webhooks,
};
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use iradialer_core::value::FieldError;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every route with its description.
pub(super) fn all() -> OpenApiRouter<WebState> {
    openapi::router()
        .routes(routes!(accept::makecall))
        .routes(routes!(accept::batch::makecalls))
        .routes(routes!(accept::direct::makecalldirect))
        .routes(routes!(dropcall::dropcall))
        .merge(live::routes())
        .routes(routes!(calls::list))
        .routes(routes!(stream::follow))
        .routes(routes!(calls::one))
        .routes(routes!(calls::events))
        .routes(routes!(explain::explain))
        .routes(routes!(dnc::list, dnc::add, dnc::remove))
        .merge(webhooks::routes())
        .routes(routes!(flows::list))
        .routes(routes!(flows::check))
        .routes(routes!(flows::one, flows::put, flows::delete))
        .routes(routes!(campaigns::list))
        .routes(routes!(
            campaigns::one,
            campaigns::put,
            campaigns::patch,
            campaigns::delete
        ))
        .routes(routes!(trunks::list, trunk_changes::post))
        .routes(routes!(
            trunks::one,
            trunk_changes::put,
            trunk_changes::patch,
            trunk_changes::delete
        ))
        .routes(routes!(trunk_changes::definition))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::one))
        .routes(routes!(nodes::order))
        .routes(routes!(queue::show, queue::put, queue::empty))
        .routes(routes!(overview::overview))
        .routes(routes!(overview::regions))
        .routes(routes!(overview::cpaconfigs))
        .routes(routes!(overview::put_cpaconfig, overview::delete_cpaconfig))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(metrics::scrape))
        .routes(routes!(license::show, license::install))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .merge(openapi::own_routes())
        .merge(docs::routes())
}

/// The API as it is served. Every answer, also a refusal, passes through [`request_id`].
pub(super) fn served(state: WebState) -> Router {
    let (routes, _) = all().split_for_parts();
    let traffic = Arc::clone(&state.traffic);
    let cors = transport::cors(&state.app.config.web.cors_origins);
    let routes = routes
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn(is_text))
        .layer(middleware::from_fn(etag::attach))
        .layer(transport::compression())
        .layer(middleware::from_fn(request_id::attach));
    let routes = match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes
        .layer(middleware::from_fn(unread::take))
        .layer(middleware::from_fn_with_state(traffic, metrics::count))
        .with_state(state)
}

/// Refuses a path that is no text once it is decoded: what is behind it would say so in a form of its own.
async fn is_text(request: Request, next: Next) -> Result<Response, ApiError> {
    let path = request.uri().path();
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        (rest, _) = match (first, decoded) {
            (b'%', Some(byte)) => (&after[2..], bytes.push(byte)),
            _ => (after, bytes.push(*first)),
        };
    }
    match std::str::from_utf8(&bytes) {
        Ok(_) => Ok(next.run(request).await),
        Err(_) => Err(FieldError::new("path", "UTF-8", path).into()),
    }
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::NoSuchPath(uri.path().to_owned())
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::NoSuchMethod(method.to_string(), uri.path().to_owned())
}
