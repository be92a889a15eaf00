//! What comes in: dial commands, questions what became of an attempt, and live requests.

use super::repeats::Repeats;
use crate::engine::{Engine, Reply};
use crate::host::Level;
use crate::live::AnswerTo;
use async_nats::{Client, Message, Subject};
use bytes::Bytes;
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::wire::{
    DialCommand, DialReply, HeldQuery, Query, QueryReply, RefusalReason, VERSION,
};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Answers that say yes leave this long apart at the least: giving several at once saves the switch waking up
/// for each. No longer, since a call keeps its place in its trunk's rate until its answer has come. A no may
/// send the call to another switch, and leaves at once.
const GATHER: Duration = Duration::from_millis(2);
/// The most answers taken at once.
const FEW: usize = 256;
/// How many characters of an error are told.
const SHOWN: usize = 300;

/// Takes dial commands until the link ends.
pub async fn serve_dial(engine: &Arc<Engine>, client: &Client) {
    let config = engine.config();
    let subject = subject::dial(
        &config.cluster,
        &config.node_id,
        &engine.identity.incarnation,
    );
    // A dialer's thread has no runtime: it leaves its answer here.
    let (taken, mut to_tell) = mpsc::unbounded_channel::<(Subject, Bytes)>();
    let (refused, mut to_refuse) = mpsc::unbounded_channel::<(Subject, Bytes)>();
    let receive = for_each(engine, client, subject, |message| {
        let Some(inbox) = message.reply.clone() else {
            return;
        };
        let (taken, refused) = (taken.clone(), refused.clone());
        let reply: Reply = Box::new(move |reply| {
            let answers = match reply {
                DialReply::Accepted => taken,
                DialReply::Refused { .. } => refused,
            };
            // Fails only when the link has ended; the router then asks what became of the attempt.
            let _ = answers.send((inbox, json(&reply)));
        });
        match serde_json::from_slice::<DialCommand>(&message.payload) {
            Ok(command) => engine.dial(command, reply),
            Err(error) => reply(DialReply::Refused {
                reason: RefusalReason::BadRequest,
                detail: shown(&error.to_string()),
            }),
        }
    });
    let tell = async {
        let mut few = Vec::new();
        while to_tell.recv_many(&mut few, FEW).await > 0 {
            let again = Instant::now() + GATHER;
            for (inbox, payload) in few.drain(..) {
                send_reply(engine, client, inbox, payload).await;
            }
            sleep_until(again).await;
        }
    };
    let refuse = send_replies(engine, client, &mut to_refuse);
    tokio::join!(receive, tell, refuse);
}

/// Answers what became of attempts until the link ends.
pub async fn serve_queries(engine: &Arc<Engine>, client: &Client) {
    let config = engine.config();
    let subject = subject::query(
        &config.cluster,
        &config.node_id,
        &engine.identity.incarnation,
    );
    serve(
        engine,
        client,
        subject,
        |payload, answer| match serde_json::from_slice::<Query>(payload) {
            Ok(query) => engine.fate(
                &query,
                Box::new(|fate| {
                    answer(match fate {
                        Ok(fate) => json(&QueryReply { fate }),
                        Err(refusal) => refused(&refusal.detail),
                    });
                }),
            ),
            Err(error) => answer(refused(&shown(&error.to_string()))),
        },
    )
    .await;
}

/// Tells which attempts are held until the link ends.
pub async fn serve_held(engine: &Arc<Engine>, client: &Client) {
    let config = engine.config();
    let subject = subject::held(
        &config.cluster,
        &config.node_id,
        &engine.identity.incarnation,
    );
    serve(engine, client, subject, |payload, answer| {
        answer(match serde_json::from_slice::<HeldQuery>(payload) {
            Ok(query) if query.v != VERSION => {
                refused(&format!("v: expected {VERSION}, got {}", query.v))
            }
            Ok(query) => json(&engine.held(query.after)),
            Err(error) => refused(&shown(&error.to_string())),
        });
    })
    .await;
}

fn refused(error: &str) -> Bytes {
    #[derive(Serialize)]
    struct Refused<'a> {
        error: &'a str,
    }
    json(&Refused { error })
}

/// Takes the answer to a question, now or later.
type Answering = Box<dyn FnOnce(Bytes) + Send>;

/// Answers live requests until the link ends, and sends the copies of events that they ask for.
pub async fn serve_requests(engine: &Arc<Engine>, client: &Client) {
    let config = engine.config();
    let subject = subject::switch_request(&config.cluster, &config.node_id);
    let (answers, mut to_send) = mpsc::unbounded_channel();
    let mut repeats = Repeats::default();
    let receive = for_each(engine, client, subject, |message| {
        // The first one is answered.
        if repeats.knows(message.headers.as_ref()) {
            return;
        }
        let answer_to = message.reply.map(|inbox| -> AnswerTo {
            let answers = answers.clone();
            Box::new(move |answer| drop(answers.send((inbox, json(&answer)))))
        });
        engine.live_request(&message.payload, answer_to);
    });
    let copies = async {
        let Some(mut copies) = engine.copies.receiver() else {
            return;
        };
        while let Some((subject, payload)) = copies.recv().await {
            // Fails only when the link has ended; a copy is sent once.
            let _ = client.publish(subject.as_str().to_owned(), payload).await;
        }
    };
    tokio::join!(receive, copies, send_replies(engine, client, &mut to_send));
}

async fn serve(
    engine: &Arc<Engine>,
    client: &Client,
    subject: String,
    answer: impl Fn(&[u8], Answering),
) {
    let (answers, mut to_send) = mpsc::unbounded_channel();
    let receive = for_each(engine, client, subject, |message| {
        if let Some(inbox) = message.reply {
            let answers = answers.clone();
            let send = move |payload| drop(answers.send((inbox, payload)));
            answer(&message.payload, Box::new(send));
        }
    });
    tokio::join!(receive, send_replies(engine, client, &mut to_send));
}

async fn for_each(
    engine: &Engine,
    client: &Client,
    subject: String,
    mut take: impl FnMut(Message),
) {
    match client.subscribe(subject.clone()).await {
        Ok(mut messages) => {
            while let Some(message) = messages.next().await {
                take(message);
            }
        }
        Err(error) => engine.host.log(
            Level::Error,
            &format!("NATS: subscription to {subject}: {error}"),
        ),
    }
}

async fn send_replies(
    engine: &Engine,
    client: &Client,
    answers: &mut mpsc::UnboundedReceiver<(Subject, Bytes)>,
) {
    while let Some((inbox, payload)) = answers.recv().await {
        send_reply(engine, client, inbox, payload).await;
    }
}

async fn send_reply(engine: &Engine, client: &Client, inbox: Subject, payload: Bytes) {
    iradialer_core::failpoint::hit("module.reply.before");
    if let Err(error) = client.publish(inbox, payload).await {
        engine.host.log(
            Level::Warning,
            &format!("NATS: a reply was not sent: {error}"),
        );
    }
    iradialer_core::failpoint::hit("module.reply.after");
}

/// An error's text without the end of it, where it quotes a message at length: a reply has to fit the
/// bus, or the asker waits in vain.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn json(value: &impl Serialize) -> Bytes {
    // The types written here have only string keys and finite numbers, which JSON can always hold.
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_message_stays_short() {
        let name = "é".repeat(500_000);
        let error = serde_json::from_str::<Query>(&format!("{{\"{name}\":1}}")).unwrap_err();
        let said = shown(&error.to_string());
        assert!(said.len() < 1_000 && said.ends_with('…'), "{said}");
        assert_eq!(shown("short"), "short");
    }
}
