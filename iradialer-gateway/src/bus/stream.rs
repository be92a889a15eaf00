//! The JetStream stream that holds the events of a cluster until the collector has them.

use async_nats::jetstream::{self, stream};
use iradialer_core::subject;
use iradialer_core::value::ClusterName;
use iradialer_core::wire;
use std::time::Duration;

/// How long events are kept after they came: longer than a collector may be away.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the server knows a message id, so that a publish whose acknowledgement was lost can be
/// repeated. Later repeats are caught in the TDB.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// The most events kept, about half a million calls.
const MAX_MESSAGES: i64 = 5_000_000;
/// The largest event and its headers, in bytes.
const MAX_MESSAGE_BYTES: i32 = wire::MAX_EVENT_BYTES as i32 + 1024;

/// The event stream of the cluster, made if it is missing.
pub async fn ensure(
    context: &jetstream::Context,
    cluster: &ClusterName,
) -> Result<stream::Stream, jetstream::context::CreateStreamError> {
    let config = stream::Config {
        name: subject::event_stream(cluster),
        description: Some("Events of the cluster's calls".to_owned()),
        subjects: vec![subject::all_events(cluster)],
        retention: stream::RetentionPolicy::Limits,
        storage: stream::StorageType::File,
        discard: stream::DiscardPolicy::Old,
        max_age: MAX_AGE,
        max_messages: MAX_MESSAGES,
        max_message_size: MAX_MESSAGE_BYTES,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: 1,
        ..stream::Config::default()
    };
    context.get_or_create_stream(config).await
}
