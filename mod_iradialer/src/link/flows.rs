//! Asks the routers for flows.

use crate::flows::Source;
use async_nats::Client;
use futures::FutureExt;
use futures::future::BoxFuture;
use iradialer_core::subject;
use iradialer_core::value::ClusterName;
use iradialer_core::wire::{FlowQuery, FlowReply};
use std::time::Duration;

/// How long a router may take. One that was killed is asked no more a moment later.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);

/// The routers of a cluster.
pub struct Routers {
    client: Client,
    subject: String,
}

impl Routers {
    /// Those that this client reaches.
    pub fn new(client: Client, cluster: &ClusterName) -> Self {
        let subject = subject::flow(cluster);
        Routers { client, subject }
    }
}

impl Source for Routers {
    fn ask(&self, query: FlowQuery) -> BoxFuture<'static, Result<FlowReply, String>> {
        let (client, subject) = (self.client.clone(), self.subject.clone());
        async move {
            let payload = serde_json::to_vec(&query).map_err(|error| error.to_string())?;
            let request = async_nats::Request::new()
                .payload(payload.into())
                .timeout(Some(ANSWER_WITHIN));
            let answer = client.send_request(subject, request).await;
            let answer = answer.map_err(|error| error.to_string())?;
            serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())
        }
        .boxed()
    }
}
