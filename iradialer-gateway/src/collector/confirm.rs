//! Tells the switches which attempts they may forget.

use crate::app::App;
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::wire::{self, ConfirmQuery, ConfirmReply, MOST_ATTEMPTS};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// One of the collectors answers.
const QUEUE_GROUP: &str = "collector";
/// How long to wait before subscribing again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Answers until `stop`. A question without an answer is asked again by the switch.
pub(super) async fn run(app: App, client: async_nats::Client, stop: CancellationToken) {
    tokio::select! {
        () = answer_for_ever(&app, &client) => {}
        () = stop.cancelled() => {}
    }
}

async fn answer_for_ever(app: &App, client: &async_nats::Client) {
    let subject = subject::confirm(&app.config.cluster);
    loop {
        let group = QUEUE_GROUP.to_owned();
        match client.queue_subscribe(subject.clone(), group).await {
            Ok(mut questions) => {
                while let Some(question) = questions.next().await {
                    answer(app, client, question).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "switches can't be told what is stored of their calls");
            }
        }
        sleep(RETRY_DELAY).await;
    }
}

async fn answer(app: &App, client: &async_nats::Client, question: async_nats::Message) {
    let Some(reply_to) = question.reply else {
        return;
    };
    let query = match read(&question.payload) {
        Ok(query) => query,
        Err(error) => {
            tracing::error!(error, "a switch's question what is stored can't be read");
            return;
        }
    };
    let stored = match app.tdb.stored_attempts(&query.attempts).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::error!(%error, "what is stored of ended calls can't be read");
            return;
        }
    };
    let Ok(payload) = serde_json::to_vec(&ConfirmReply { stored }) else {
        return;
    };
    if let Err(error) = client.publish(reply_to, payload.into()).await {
        tracing::debug!(%error, "a switch could not be told what is stored");
    }
}

fn read(payload: &[u8]) -> Result<ConfirmQuery, String> {
    let query: ConfirmQuery = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if query.v != wire::VERSION {
        return Err(format!("v: expected {}, got {}", wire::VERSION, query.v));
    }
    if query.attempts.len() > MOST_ATTEMPTS {
        let got = query.attempts.len();
        return Err(format!(
            "attempts: expected {MOST_ATTEMPTS} at the most, got {got}"
        ));
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_refused_by_its_field() {
        assert!(read(br#"{"v":1,"attempts":[]}"#).is_ok());
        let other = read(br#"{"v":2,"attempts":[]}"#).unwrap_err();
        assert_eq!(other, "v: expected 1, got 2");
        assert!(read(br#"{"v":1}"#).unwrap_err().contains("attempts"));
        let id = "018f0000-0000-7000-8000-000000000001";
        let one = format!(r#"{{"call_uuid":"{id}","attempt":1,"attempt_id":"{id}","last_seq":3}}"#);
        let many = vec![one; MOST_ATTEMPTS + 1].join(",");
        let error = read(format!(r#"{{"v":1,"attempts":[{many}]}}"#).as_bytes()).unwrap_err();
        assert_eq!(error, "attempts: expected 256 at the most, got 257");
    }
}
