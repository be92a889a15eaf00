//! Requests to a switch about a live call, in the product's published form.

use crate::app::{SwitchRequestError, SwitchRequests};
use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::{Client, RequestErrorKind, connection::State};
use futures::future::BoxFuture;
use iradialer_core::live::{Answer, Body, CallRequest, Request};
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, ClusterName, NodeId};
use std::time::Duration;
use uuid::Uuid;

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

    async fn send(
        &self,
        node: &NodeId,
        call: CallUuid,
        request: CallRequest,
    ) -> Result<Answer, SwitchRequestError> {
        self.send_body(node, Body::Call(call, request)).await
    }

    async fn send_body(&self, node: &NodeId, body: Body) -> Result<Answer, SwitchRequestError> {
        let message = Request {
            event_subject: None,
            body,
            ignored: Vec::new(),
        };
        // What the bus hands over twice is done once.
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, Uuid::now_v7().to_string());
        let request = async_nats::Request::new()
            .headers(headers)
            .payload(message.to_json().to_string().into())
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
            let answer = self.send(&node, call, CallRequest::Drop).await?;
            match answer.is_ok() {
                true => Ok(()),
                false => Err(SwitchRequestError::Refused(answer.message)),
            }
        })
    }

    fn ask(
        &self,
        node: NodeId,
        call: CallUuid,
        request: CallRequest,
    ) -> BoxFuture<'_, Result<Answer, SwitchRequestError>> {
        Box::pin(async move { self.send(&node, call, request).await })
    }

    fn activate(
        &self,
        node: NodeId,
        takes_calls: bool,
    ) -> BoxFuture<'_, Result<(), SwitchRequestError>> {
        Box::pin(async move {
            let answer = self.send_body(&node, Body::Activation(takes_calls)).await?;
            match answer.is_ok() {
                true => Ok(()),
                false => Err(SwitchRequestError::Refused(answer.message)),
            }
        })
    }

    fn publish(
        &self,
        subject: String,
        id: String,
        payload: Vec<u8>,
    ) -> BoxFuture<'_, Result<(), SwitchRequestError>> {
        Box::pin(async move {
            // What is given to a client without a connection is lost with it.
            if !self.is_connected() {
                return Err(SwitchRequestError::Unreachable("NATS is away".to_owned()));
            }
            let mut headers = HeaderMap::new();
            headers.insert(NATS_MESSAGE_ID, id);
            let sent = async {
                let published = self
                    .client
                    .publish_with_headers(subject, headers, payload.into());
                published.await.map_err(|error| error.to_string())?;
                self.client.flush().await.map_err(|error| error.to_string())
            };
            let sent = tokio::time::timeout(ANSWER_TIMEOUT, sent).await;
            sent.unwrap_or_else(|_| Err(format!("NATS, within {ANSWER_TIMEOUT:?}")))
                .map_err(SwitchRequestError::Unreachable)
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

fn read_answer(payload: &[u8]) -> Result<Answer, SwitchRequestError> {
    serde_json::from_slice(payload).map_err(|error| {
        SwitchRequestError::Unreachable(format!("its answer can't be read: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let read = |text: &str| read_answer(text.as_bytes());
        let ok = r#"{"status":"OK","status_code":0,"message":"","call_uuid":"0f8fad5b-d9cb-469f-a165-70867728950e"}"#;
        assert!(read(ok).unwrap().is_ok());
        let refused = r#"{"status":"ERR","status_code":2,"message":"16 requests wait already",
            "error":{"name":"desk_full","retryable":true}}"#;
        let refused = read(refused).unwrap();
        assert!(!refused.is_ok() && refused.error.unwrap().retryable);
        assert!(matches!(
            read("[]"),
            Err(SwitchRequestError::Unreachable(_))
        ));
    }
}
