//! The HTTPS API.

mod accept;
mod audit;
mod auth;
mod body;
mod bounded_writes;
mod calls;
mod campaigns;
pub(crate) mod certificate;
mod connection_limit;
mod cursor;
mod dnc;
mod docs;
mod dropcall;
mod error;
mod etag;
mod event_url;
mod explain;
mod fields;
mod flows;
mod health;
mod license;
mod live;
mod metrics;
mod nodes;
mod openapi;
mod overview;
mod query;
mod queue;
mod queue_gauge;
mod receivers;
mod request_id;
mod routes;
mod server;
mod stream;
mod timestamp;
mod token_use;
mod tokens;
mod transport;
mod trunk_changes;
mod trunks;
mod unread;
mod webhooks;

pub(crate) use accept::Acceptance;
pub(crate) use error::FlowFinding;
pub use event_url::check_event_url;
pub use server::{BoundWeb, bind};
pub(crate) use timestamp::show as show_time;
pub(crate) use tokens::ShownToken;
pub(crate) use trunk_changes::checked_values;

use crate::app::App;
use crate::dispatcher::AddressGuard;
use crate::flows::Flows;
use metrics::Traffic;
use queue_gauge::QueueGauge;
use std::sync::Arc;
use token_use::TokenUse;

impl WebState {
    /// What handlers of this process reach.
    fn new(app: App) -> WebState {
        let config = Arc::clone(&app.config);
        WebState {
            addresses: AddressGuard::new(&config.webhooks.allow_addresses),
            flows: Flows::new(app.tdb.clone(), config),
            app,
            queue: Arc::default(),
            tokens: Arc::default(),
            streams: Arc::default(),
            traffic: Arc::default(),
        }
    }
}

/// What every handler can reach.
#[derive(Clone)]
struct WebState {
    app: App,
    queue: Arc<QueueGauge>,
    flows: Flows,
    tokens: Arc<TokenUse>,
    streams: Arc<stream::Places>,
    traffic: Arc<Traffic>,
    /// Which webhook addresses will be let through.
    addresses: AddressGuard,
}
