//! Whether everything that switches have published is in the TDB. Until it is, a call of which nothing is
//! known may have its true end on the way, and must not end as unknown.

use super::shared::Shared;
use crate::collector::CONSUMER;
use async_nats::jetstream::{self, consumer::PullConsumer};
use iradialer_core::subject;
use std::time::Duration;
use tokio::time::timeout;

/// How long the bus may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the collectors have stored all that the event stream holds. No, where it can't be found out:
/// the bus is away, or there is no collector yet.
pub(super) async fn all_collected(shared: &Shared) -> bool {
    let mut context = jetstream::new(shared.client.clone());
    context.set_timeout(ANSWER_TIMEOUT);
    let stream = subject::event_stream(&shared.app.config.cluster);
    let asked = context.get_consumer_from_stream(CONSUMER, stream);
    let answered: Result<Result<PullConsumer, _>, _> = timeout(ANSWER_TIMEOUT, asked).await;
    let Ok(Ok(consumer)) = answered else {
        return false;
    };
    let info = consumer.cached_info();
    info.num_pending == 0 && info.num_ack_pending == 0
}
