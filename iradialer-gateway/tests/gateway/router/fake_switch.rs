//! A switch that speaks the wire types on NATS and dials nobody: for what a real one can't be made to
//! do on demand, such as not to answer.

use async_nats::jetstream;
use futures::StreamExt;
use iradialer_core::call::EndedBy;
use iradialer_core::subject;
use iradialer_core::value::{
    CallUuid, CallerNumber, CampaignName, ChannelVars, ClusterName, DialNumber, NodeId, TenantId,
    TrunkName,
};
use iradialer_core::wire::{
    AttemptFate, ConfirmQuery, ConfirmReply, DialCommand, DialReply, EndedAttempt, EventBody,
    Hangup, Heartbeat, Query, QueryReply, RefusalReason, SwitchEvent, SwitchState, VERSION,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(200);

/// What the switch does with a dial command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction {
    /// Accepts it and reports a call that is answered and ends.
    Complete,
    /// The same, each event sent twice and the last ones in the wrong order.
    CompleteUntidily,
    /// Accepts it and reports that it started; nothing more until told.
    Hold,
    /// Accepts it, and the carrier refuses the call with this status and phrase before it rang.
    Declined(u16, &'static str),
    /// Refuses it.
    Refuse(RefusalReason),
    /// Does not answer, and will say that it never dialled.
    Ignore,
    /// Dials it and does not answer.
    HoldSilently,
    /// Dials it without an answer, and loses every event of it: the call is over, and nobody can say how.
    Forget,
}

/// A dial command as it came.
#[derive(Debug, Clone)]
pub struct Dialled {
    pub at: Instant,
    pub command: DialCommand,
    pub reaction: Reaction,
}

/// One life of one switch. Gone when dropped.
pub struct FakeSwitch {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    client: async_nats::Client,
    cluster: ClusterName,
    node: NodeId,
    incarnation: CallUuid,
    journal_id: CallUuid,
    max_calls: u32,
    state: Mutex<State>,
    /// Events leave one after another, as from a real switch's journal.
    outbox: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Reaction>,
    dialled: Vec<Dialled>,
    fates: HashMap<CallUuid, AttemptFate>,
    queries: usize,
    dropped: Vec<CallUuid>,
    mute: bool,
    deaf_to_requests: bool,
}

impl FakeSwitch {
    /// A switch that is up: its heartbeats have begun and it listens. It reacts to dial commands as the
    /// script says, and completes every call after the script's end.
    pub async fn start(
        client: &async_nats::Client,
        node: &str,
        max_calls: u32,
        script: &[Reaction],
    ) -> FakeSwitch {
        let shared = Arc::new(Shared {
            client: client.clone(),
            cluster: ClusterName::parse("cluster", "ira").unwrap(),
            node: NodeId::parse("node_id", node).unwrap(),
            incarnation: CallUuid::fresh(),
            journal_id: CallUuid::fresh(),
            max_calls,
            state: Mutex::new(State {
                script: script.iter().cloned().collect(),
                ..State::default()
            }),
            outbox: tokio::sync::Mutex::default(),
        });
        let (cluster, node) = (&shared.cluster, &shared.node);
        let dials = subject::dial(cluster, node, &shared.incarnation);
        let queries = subject::query(cluster, node, &shared.incarnation);
        let requests = subject::switch_request(cluster, node);
        let mut dials = client.subscribe(dials).await.unwrap();
        let mut queries = client.subscribe(queries).await.unwrap();
        let mut requests = client.subscribe(requests).await.unwrap();
        client.flush().await.unwrap();

        let mut tasks = JoinSet::new();
        let of_task = Arc::clone(&shared);
        tasks.spawn(async move {
            while let Some(message) = dials.next().await {
                let shared = Arc::clone(&of_task);
                tokio::spawn(async move { shared.dial(message).await });
            }
        });
        let of_task = Arc::clone(&shared);
        tasks.spawn(async move {
            while let Some(message) = queries.next().await {
                of_task.answer_query(message).await;
            }
        });
        let of_task = Arc::clone(&shared);
        tasks.spawn(async move {
            while let Some(message) = requests.next().await {
                of_task.answer_request(message).await;
            }
        });
        let of_task = Arc::clone(&shared);
        tasks.spawn(async move {
            loop {
                of_task.heartbeat().await;
                sleep(HEARTBEAT_INTERVAL).await;
            }
        });
        FakeSwitch { shared, tasks }
    }

    /// The dial commands so far.
    pub fn dialled(&self) -> Vec<Dialled> {
        self.shared.state.lock().unwrap().dialled.clone()
    }

    /// How often it was asked what became of an attempt.
    pub fn queries(&self) -> usize {
        self.shared.state.lock().unwrap().queries
    }

    /// The calls it was asked to drop.
    pub fn dropped(&self) -> Vec<CallUuid> {
        self.shared.state.lock().unwrap().dropped.clone()
    }

    /// From now on: no heartbeats and no answers, though its events still come.
    pub fn fall_silent(&self) {
        self.shared.state.lock().unwrap().mute = true;
    }

    /// Whether requests about live calls go unanswered, as if they never came.
    pub fn deaf_to_requests(&self, deaf: bool) {
        self.shared.state.lock().unwrap().deaf_to_requests = deaf;
    }

    /// Ends a call that is held: answered, then hung up by the callee.
    pub async fn complete(&self, command: &DialCommand) {
        self.shared.report_rest(command, false).await;
    }

    /// Asks the collector which of these attempts it has wholly.
    pub async fn confirm(&self, attempts: Vec<EndedAttempt>) -> Vec<CallUuid> {
        let v = VERSION;
        let question = serde_json::to_vec(&ConfirmQuery { v, attempts }).unwrap();
        let subject = subject::confirm(&self.shared.cluster);
        let answer = self.shared.client.request(subject, question.into());
        let answer = answer.await.unwrap().payload;
        let answer: ConfirmReply = serde_json::from_slice(&answer).unwrap();
        answer.stored
    }

    /// Begins a call of its own, as a person at the switch can. Returns once its start is reported.
    pub async fn originate(&self, tenant: &str) -> String {
        let call_uuid = CallUuid::fresh();
        let command = DialCommand {
            v: VERSION,
            call_uuid,
            attempt: 1,
            attempt_id: call_uuid,
            epoch: 0,
            journal_id: self.shared.journal_id,
            not_after_ms: 0,
            tenant_id: TenantId::parse("tenant_id", tenant).unwrap(),
            campaign_name: CampaignName::parse("campaign_name", "none").unwrap(),
            trunk: TrunkName::parse("trunk", "chime").unwrap(),
            to_number: DialNumber::parse("to_number", "+15005550001").unwrap(),
            from_number: CallerNumber::default(),
            dial_timeout_s: 30,
            max_duration_s: 60,
            channel_vars: ChannelVars::default(),
            flow: None,
        };
        self.shared.report_start(&command).await;
        call_uuid.to_string()
    }

    /// Waits until so many dial commands have come.
    pub async fn wait_for_dials(&self, count: usize) -> Vec<Dialled> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let dialled = self.dialled();
            if dialled.len() >= count {
                return dialled;
            }
            assert!(Instant::now() < deadline, "{} of {count}", dialled.len());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends this life without a word.
    pub fn kill(mut self) {
        self.tasks.abort_all();
    }
}

impl Shared {
    async fn heartbeat(&self) {
        let calls = {
            let state = self.state.lock().unwrap();
            if state.mute {
                return;
            }
            let live = |fate: &&AttemptFate| **fate == AttemptFate::Live;
            state.fates.values().filter(live).count() as u32
        };
        let heartbeat = Heartbeat {
            v: VERSION,
            node_id: self.node.clone(),
            incarnation: self.incarnation,
            journal_id: self.journal_id,
            state: SwitchState::Active,
            calls,
            setups: 0,
            max_calls: self.max_calls,
            max_cps: 1_000.0,
            events_waiting: 0,
            version: "test".to_owned(),
            host: "test".to_owned(),
            uptime_s: 1,
            at_ms: now_ms(),
        };
        let subject = subject::switch_heartbeat(&self.cluster, &self.node);
        self.publish(subject, &heartbeat).await;
    }

    async fn dial(&self, message: async_nats::Message) {
        let command: DialCommand = serde_json::from_slice(&message.payload).unwrap();
        assert!(now_ms() <= command.not_after_ms, "came too late");
        assert_eq!(command.journal_id, self.journal_id);
        let reaction = {
            let mut state = self.state.lock().unwrap();
            let known = state.fates.contains_key(&command.attempt_id);
            assert!(!known, "attempt {} came twice", command.attempt);
            let reaction = state.script.pop_front().unwrap_or(Reaction::Complete);
            state.dialled.push(Dialled {
                at: Instant::now(),
                command: command.clone(),
                reaction: reaction.clone(),
            });
            let fate = match reaction {
                Reaction::Refuse(_) => Some(AttemptFate::NeverDialled),
                Reaction::Ignore => None,
                Reaction::Forget => Some(AttemptFate::Ended),
                _ => Some(AttemptFate::Live),
            };
            if let Some(fate) = fate {
                state.fates.insert(command.attempt_id, fate);
            }
            reaction
        };
        let reply = match reaction {
            Reaction::Refuse(reason) => Some(DialReply::Refused {
                reason,
                detail: "as the test wants it".to_owned(),
            }),
            Reaction::Ignore | Reaction::HoldSilently | Reaction::Forget => None,
            _ => Some(DialReply::Accepted),
        };
        if let (Some(reply), Some(to)) = (reply, message.reply) {
            self.publish(to.to_string(), &reply).await;
        }
        match reaction {
            Reaction::Complete | Reaction::CompleteUntidily => {
                self.report_start(&command).await;
                let untidily = reaction == Reaction::CompleteUntidily;
                self.report_rest(&command, untidily).await;
            }
            Reaction::Hold | Reaction::HoldSilently => self.report_start(&command).await,
            Reaction::Declined(status, phrase) => {
                self.report_start(&command).await;
                self.report_declined(&command, status, phrase).await;
            }
            Reaction::Refuse(_) | Reaction::Ignore | Reaction::Forget => {}
        }
    }

    async fn answer_query(&self, message: async_nats::Message) {
        let query: Query = serde_json::from_slice(&message.payload).unwrap();
        let fate = {
            let mut state = self.state.lock().unwrap();
            state.queries += 1;
            if state.mute {
                return;
            }
            // An attempt never seen is fenced before it is said so.
            *state
                .fates
                .entry(query.attempt_id)
                .or_insert(AttemptFate::NeverDialled)
        };
        let to = message.reply.unwrap().to_string();
        self.publish(to, &QueryReply { fate }).await;
    }

    async fn answer_request(&self, message: async_nats::Message) {
        if self.state.lock().unwrap().deaf_to_requests {
            return;
        }
        let request: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(request["event_name"], "request_drop_call");
        let call = request["event_data"]["call_uuid"].as_str().unwrap();
        let call = CallUuid::parse("call_uuid", call).unwrap();
        self.state.lock().unwrap().dropped.push(call);
        let to = message.reply.unwrap().to_string();
        self.publish(to, &serde_json::json!({"status": "OK"})).await;
    }

    async fn report_start(&self, command: &DialCommand) {
        let started = EventBody::Started {
            to_number: command.to_number.to_string(),
            from_number: command.from_number.to_string(),
            trunk: command.trunk.clone(),
        };
        self.report(command, 1, started).await;
    }

    async fn report_rest(&self, command: &DialCommand, untidily: bool) {
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

    async fn report_declined(&self, command: &DialCommand, status: u16, phrase: &str) {
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
        for _ in 0..50 {
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

    async fn publish(&self, subject: String, message: &impl serde::Serialize) {
        let payload = serde_json::to_vec(message).unwrap();
        // Without a connection it is lost, as with a real switch.
        let _ = self.client.publish(subject, payload.into()).await;
        let _ = self.client.flush().await;
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}
