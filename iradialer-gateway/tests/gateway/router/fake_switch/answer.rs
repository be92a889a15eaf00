//! What the switch answers when it is asked: about attempts, and for something to be done with a live call.

use super::{Dialled, Shared};
use async_nats::header::NATS_MESSAGE_ID;
use iradialer_core::live::{Answer, Refused, name};
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{AttemptFate, HeldAttempt, HeldQuery, HeldReply, Query, QueryReply};

impl Shared {
    pub(super) async fn answer_query(&self, message: async_nats::Message) {
        let query: Query = serde_json::from_slice(&message.payload).unwrap();
        let fate = {
            let mut state = self.state.lock().unwrap();
            state.queries += 1;
            if state.mute {
                return;
            }
            // An attempt never seen is fenced before it is said so.
            let known = state.fates.entry(query.attempt_id);
            let fate = *known.or_insert(AttemptFate::NeverDialled);
            if state.taken_back.contains(&query.attempt_id) {
                let fate = AttemptFate::NeverDialled;
                state.fates.insert(query.attempt_id, fate);
            }
            fate
        };
        let to = message.reply.unwrap().to_string();
        self.publish(to, &QueryReply { fate }).await;
    }

    pub(super) async fn answer_held(&self, message: async_nats::Message) {
        /// Less than a real one's, so that a few calls are several pages.
        const PAGE: usize = 2;
        let query: HeldQuery = serde_json::from_slice(&message.payload).unwrap();
        let (attempts, more) = {
            let mut state = self.state.lock().unwrap();
            if state.mute {
                return;
            }
            state.held_queries += 1;
            let later =
                |held: &&HeldAttempt| query.after.is_none_or(|after| held.attempt_id > after);
            let all: Vec<HeldAttempt> = state.held.iter().filter(later).cloned().collect();
            (all.iter().take(PAGE).cloned().collect(), all.len() > PAGE)
        };
        let journal_id = self.journal_id;
        let reply = HeldReply {
            journal_id,
            attempts,
            more,
        };
        let to = message.reply.unwrap().to_string();
        self.publish(to, &reply).await;
    }

    pub(super) async fn answer_request(&self, message: async_nats::Message) {
        if self.state.lock().unwrap().deaf_to_requests {
            return;
        }
        let headers = message.headers.as_ref().unwrap();
        let id = headers.get(NATS_MESSAGE_ID).unwrap();
        let id = id.as_str();
        let is_new = self.state.lock().unwrap().ids.insert(id.to_owned());
        assert!(is_new, "{id} came twice");
        let request: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        if request["event_name"] != "request_drop_call" {
            let answer = {
                let mut state = self.state.lock().unwrap();
                state.asked.push(request);
                state
                    .answers
                    .pop_front()
                    .unwrap_or_else(|| Answer::ok("done"))
            };
            return self
                .publish(message.reply.unwrap().to_string(), &answer)
                .await;
        }
        let call = request["event_data"]["call_uuid"].as_str().unwrap();
        let call = CallUuid::parse("call_uuid", call).unwrap();
        let (hangs_up, held) = {
            let mut state = self.state.lock().unwrap();
            state.dropped.push(call);
            let mut held = state.held.iter();
            let held = held.find(|held| held.call_uuid == call).cloned();
            (state.hangs_up_when_asked, held)
        };
        let to = message.reply.unwrap().to_string();
        let answer = match hangs_up && held.is_none() {
            true => Answer::refused(Refused::new(name::UNKNOWN_CALL, "no such call")),
            false => Answer::ok("it is being ended"),
        };
        self.publish(to, &answer).await;
        if let Some(held) = held.filter(|_| hangs_up) {
            let mut dialled = self.state.lock().unwrap().dialled.clone().into_iter();
            let of_it = |dialled: &Dialled| dialled.command.attempt_id == held.attempt_id;
            let command = dialled.find(of_it).unwrap().command;
            self.report_dropped(&command).await;
        }
    }
}
