//! What calls of this switch ask of the routers: to dial somebody for them.

use crate::engine::Engine;
use crate::transfer::{Question, Told};
use async_nats::connection::State;
use async_nats::{Client, RequestErrorKind};
use iradialer_core::subject;
use iradialer_core::wire::{TransferReply, TransferRequest, VERSION};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a router may take to answer. It answers after its commit.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Puts the questions of transfers to the routers until the link ends. None waits for another.
pub async fn ask(engine: &Arc<Engine>, client: &Client) {
    let Some(mut questions) = engine.transfers.questions() else {
        return;
    };
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some(question) = question else { break };
                under_way.spawn(put(engine.clone(), client.clone(), question));
            }
            Some(_) = under_way.join_next() => {}
        }
    }
}

async fn put(engine: Arc<Engine>, client: Client, question: Question) {
    let told = answer(&engine, &client, &question).await;
    question.meeting.told(told);
}

async fn answer(engine: &Engine, client: &Client, question: &Question) -> Told {
    if client.connection_state() != State::Connected {
        return Told::NotAsked("the switch is not connected to NATS".to_owned());
    }
    let request = TransferRequest {
        v: VERSION,
        incarnation: engine.identity.incarnation,
        parent_uuid: question.parent,
        call_uuid: question.meeting.call_uuid,
        ask: question.ask.clone(),
    };
    let Ok(payload) = serde_json::to_vec(&request) else {
        return Told::NotAsked("the request can't be written".to_owned());
    };
    let config = engine.config();
    let subject = subject::transfer(&config.cluster, &config.node_id);
    let request = async_nats::Request::new()
        .payload(payload.into())
        .timeout(Some(ANSWER_WITHIN));
    match client.send_request(subject, request).await {
        Ok(message) => match serde_json::from_slice::<TransferReply>(&message.payload) {
            Ok(reply) => Told::Reply(reply),
            Err(_) => Told::Nothing,
        },
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders => Told::NotAsked("no router is there".to_owned()),
            RequestErrorKind::MaxPayloadExceeded => {
                Told::NotAsked("what the other side is to hear is too long".to_owned())
            }
            _ => Told::Nothing,
        },
    }
}
