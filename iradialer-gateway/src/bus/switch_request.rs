//! Requests to a switch about a live call, in the product's published form.

use crate::app::{SwitchRequestError, SwitchRequests};
use async_nats::{Client, RequestErrorKind, connection::State};
use futures::future::BoxFuture;
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, ClusterName, NodeId};
use serde::Deserialize;
use std::time::Duration;

/// How long a switch may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Requests to the switches of a cluster, by NATS.
#[derive(Clone)]
pub struct NatsSwitches {
    client: Client,
    cluster: ClusterName,
}

impl NatsSwitches {
    /// Requests over `client`.
    pub fn new(client: Client, cluster: ClusterName) -> NatsSwitches {
        NatsSwitches { client, cluster }
    }

    async fn ask(
        &self,
        node: &NodeId,
        message: serde_json::Value,
    ) -> Result<(), SwitchRequestError> {
        let request = async_nats::Request::new()
            .payload(message.to_string().into())
            .timeout(Some(ANSWER_TIMEOUT));
        let answer = self
            .client
            .send_request(subject::switch_request(&self.cluster, node), request)
            .await
            .map_err(|error| not_answered(node, &error))?;
        read_answer(&answer.payload)
    }
}

impl SwitchRequests for NatsSwitches {
    fn drop_call(
        &self,
        node: NodeId,
        call: CallUuid,
    ) -> BoxFuture<'_, Result<(), SwitchRequestError>> {
        Box::pin(async move {
            let message = serde_json::json!({
                "event_name": "request_drop_call",
                "event_data": { "call_uuid": call },
            });
            self.ask(&node, message).await
        })
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

fn not_answered(node: &NodeId, error: &async_nats::RequestError) -> SwitchRequestError {
    SwitchRequestError::Unreachable(match error.kind() {
        RequestErrorKind::NoResponders => format!("{node} is not connected"),
        RequestErrorKind::TimedOut => format!("{node}, within {ANSWER_TIMEOUT:?}"),
        _ => format!("{node}, {error}"),
    })
}

/// The published answer: `{"status": "OK"}`, or `"ERR"` with a reason.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default, alias = "reason", alias = "error")]
    message: Option<serde_json::Value>,
}

fn read_answer(payload: &[u8]) -> Result<(), SwitchRequestError> {
    let answer: Answer = serde_json::from_slice(payload).map_err(|error| {
        SwitchRequestError::Unreachable(format!("its answer can't be read: {error}"))
    })?;
    if answer.status == "OK" {
        return Ok(());
    }
    Err(SwitchRequestError::Refused(match answer.message {
        Some(serde_json::Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => answer.status,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        assert!(read_answer(br#"{"status":"OK","call_uuid":"x"}"#).is_ok());
        let refused = read_answer(br#"{"status":"ERR","message":"no such call"}"#);
        assert_eq!(
            refused,
            Err(SwitchRequestError::Refused("no such call".into()))
        );
        assert!(matches!(
            read_answer(b"[]"),
            Err(SwitchRequestError::Unreachable(_))
        ));
    }
}
