//! What the switch reports of its calls.

use super::{Shared, now_ms};
use async_nats::jetstream;
use iradialer_core::call::{CallState, Direction, EndedBy};
use iradialer_core::flow::DncScope;
use iradialer_core::subject;
use iradialer_core::wire::{AttemptFate, DialCommand, EventBody, Hangup, SwitchEvent, VERSION};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

impl Shared {
    pub(super) async fn report_start(&self, command: &DialCommand) {
        let started = EventBody::Started {
            to_number: command.to_number.to_string(),
            from_number: command.from_number.to_string(),
            trunk: command.trunk.clone(),
            direction: Direction::Outbound,
            campaign_name: None,
        };
        self.report(command, 1, started).await;
    }

    pub(super) async fn report_rest(&self, command: &DialCommand, untidily: bool) {
        let ringing = EventBody::Ringing {
            early_media: false,
            after_ms: 5,
        };
        let answered = EventBody::Answered {
            after_ms: 10,
            sip: BTreeMap::from([("network_ip".to_owned(), "192.0.2.7".to_owned())]),
        };
        let hangup = EventBody::Hangup(Hangup {
            hangup_cause: "NORMAL_CLEARING".to_owned(),
            sip_status: Some(200),
            sip_phrase: Some("OK".to_owned()),
            by: EndedBy::Callee,
            answered: true,
            rang: true,
            duration_ms: 30,
            billsec_ms: 20,
            variables: BTreeMap::from([("menu".to_owned(), "1".to_owned())]),
            node: Some("menu".to_owned()),
            fault: None,
        });
        {
            let mut state = self.state.lock().unwrap();
            state.fates.insert(command.attempt_id, AttemptFate::Ended);
            state
                .held
                .retain(|held| held.attempt_id != command.attempt_id);
        }
        self.report(command, 2, ringing.clone()).await;
        if untidily {
            self.report(command, 2, ringing).await;
            self.report(command, 4, hangup.clone()).await;
            self.report(command, 3, answered.clone()).await;
            self.report(command, 4, hangup).await;
            self.report(command, 3, answered).await;
        } else {
            self.report(command, 3, answered).await;
            self.report(command, 4, hangup).await;
        }
    }

    pub(super) async fn report_declined(&self, command: &DialCommand, status: u16, phrase: &str) {
        let hangup = EventBody::Hangup(Hangup {
            hangup_cause: "NORMAL_TEMPORARY_FAILURE".to_owned(),
            sip_status: Some(status),
            sip_phrase: Some(phrase.to_owned()),
            by: EndedBy::Callee,
            answered: false,
            rang: false,
            duration_ms: 5,
            billsec_ms: 0,
            variables: BTreeMap::new(),
            node: None,
            fault: None,
        });
        self.state
            .lock()
            .unwrap()
            .fates
            .insert(command.attempt_id, AttemptFate::Ended);
        self.report(command, 2, hangup).await;
    }

    pub(super) async fn report_answer(&self, command: &DialCommand) {
        let answered = EventBody::Answered {
            after_ms: 10,
            sip: BTreeMap::new(),
        };
        self.report(command, 2, answered).await;
    }

    /// A call that has started is answered, and its person wants no more of them.
    pub(super) async fn report_opted_out(&self, command: &DialCommand, scope: DncScope) {
        self.report_answer(command).await;
        let opted_out = EventBody::OptedOut {
            node: "stop".to_owned(),
            scope,
            number: command.to_number.to_string(),
        };
        self.report(command, 3, opted_out).await;
    }

    /// A call that is held ends on request, once.
    pub(super) async fn report_dropped(&self, command: &DialCommand) {
        let held = {
            let mut state = self.state.lock().unwrap();
            state.fates.insert(command.attempt_id, AttemptFate::Ended);
            let mut held = state.held.iter();
            let at = held.position(|held| held.attempt_id == command.attempt_id);
            at.map(|at| state.held.remove(at))
        };
        let Some(held) = held else { return };
        let answered = held.state == CallState::Answered;
        let hangup = EventBody::Hangup(Hangup {
            hangup_cause: "ORIGINATOR_CANCEL".to_owned(),
            sip_status: Some(if answered { 200 } else { 487 }),
            sip_phrase: None,
            by: EndedBy::Request,
            answered,
            rang: false,
            duration_ms: 5,
            billsec_ms: 0,
            variables: BTreeMap::new(),
            node: None,
            fault: None,
        });
        let seq = if answered { 3 } else { 2 };
        self.report(command, seq, hangup).await;
    }

    /// Returns once the stream has the event.
    async fn report(&self, command: &DialCommand, seq: u32, body: EventBody) {
        let event = SwitchEvent {
            v: VERSION,
            call_uuid: command.call_uuid,
            attempt: command.attempt,
            attempt_id: command.attempt_id,
            seq,
            tenant_id: command.tenant_id.clone(),
            node_id: self.node.clone(),
            incarnation: self.incarnation,
            at_ms: now_ms(),
            body,
        };
        let subject = subject::events(
            &self.cluster,
            &self.node,
            &command.tenant_id,
            &command.call_uuid,
        );
        let payload = serde_json::to_vec(&event).unwrap();
        let context = jetstream::new(self.client.clone());
        let _turn = self.outbox.lock().await;
        // As a switch does: again until the stream has it.
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let stored = async {
                let sent = context.publish(subject.clone(), payload.clone().into());
                sent.await?.await
            };
            if let Ok(Ok(_)) = timeout(Duration::from_millis(500), stored).await {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("an event could not be published");
    }
}
