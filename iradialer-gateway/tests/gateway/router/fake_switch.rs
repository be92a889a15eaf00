//! A switch that speaks the wire types on NATS and dials nobody: for what a real one can't be made to
//! do on demand, such as not to answer.

mod answer;
mod leased;
mod report;

pub use leased::World;

use futures::StreamExt;
use iradialer_core::call::CallState;
use iradialer_core::flow::DncScope;
use iradialer_core::live::Answer;
use iradialer_core::subject;
use iradialer_core::value::{
    CallUuid, CallerNumber, CampaignName, ChannelVars, ClusterName, DialNumber, NodeId, TenantId,
    TrunkName,
};
use iradialer_core::wire::{
    AttemptFate, ConfirmQuery, ConfirmReply, DialCommand, DialReply, EndedAttempt, FlowOf,
    FlowQuery, FlowReply, Heartbeat, HeldAttempt, RefusalReason, SwitchState, TransferAsk,
    TransferOrder, TransferReply, TransferRequest, VERSION,
};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;
use tokio::time::sleep;

const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(200);

/// What the switch does with a dial command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction {
    /// Accepts it and reports a call that is answered and ends.
    Complete,
    /// The same, each event sent twice and the last ones in the wrong order.
    CompleteUntidily,
    /// The same, so long after its start.
    CompleteAfter(Duration),
    /// Accepts it and reports that it started; nothing more until told.
    Hold,
    /// The same, so long after it came.
    HoldAfter(Duration),
    /// Accepts it, and the carrier refuses the call with this status and phrase before it rang.
    Declined(u16, &'static str),
    /// Refuses it.
    Refuse(RefusalReason),
    /// Does not answer, and will say that it never dialled.
    Ignore,
    /// Does not answer, says that it is at it, and once it was asked takes it back.
    TakeBackLater,
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

/// A switch between two lives.
pub struct Dead {
    old: Arc<Shared>,
    state: State,
}

impl Dead {
    /// The next life, with the same journal.
    pub async fn load(self, client: &async_nats::Client) -> FakeSwitch {
        let Dead { old, state } = self;
        let node = old.node.as_str();
        FakeSwitch::load(client, node, old.max_calls, old.journal_id, state).await
    }
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
    /// Those it takes back once it was asked about them.
    taken_back: Vec<CallUuid>,
    held: Vec<HeldAttempt>,
    queries: usize,
    held_queries: usize,
    dropped: Vec<CallUuid>,
    /// Other live requests that came.
    asked: Vec<serde_json::Value>,
    /// What those that come next are answered.
    answers: VecDeque<Answer>,
    mute: bool,
    deaf_to_requests: bool,
    /// The ids of the live requests that came.
    ids: HashSet<String>,
    hangs_up_when_asked: bool,
    /// What it may use of the licence, where it keeps to it.
    lease: Option<leased::Lease>,
}

impl State {
    /// How many of its calls are up.
    fn live(&self) -> u32 {
        let live = |fate: &&AttemptFate| **fate == AttemptFate::Live;
        self.fates.values().filter(live).count() as u32
    }
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
        let state = State {
            script: script.iter().cloned().collect(),
            ..State::default()
        };
        FakeSwitch::load(client, node, max_calls, CallUuid::fresh(), state).await
    }

    /// Ends this life without a word; what it held is over. The next one has its journal.
    pub fn die(self) -> Dead {
        let old = Arc::clone(&self.shared);
        self.kill();
        let fates = old.state.lock().unwrap().fates.clone();
        let fates = fates.into_iter().map(|(attempt, fate)| match fate {
            AttemptFate::Live => (attempt, AttemptFate::Ended),
            other => (attempt, other),
        });
        let state = State {
            fates: fates.collect(),
            ..State::default()
        };
        Dead { old, state }
    }

    async fn load(
        client: &async_nats::Client,
        node: &str,
        max_calls: u32,
        journal_id: CallUuid,
        state: State,
    ) -> FakeSwitch {
        let shared = Arc::new(Shared {
            client: client.clone(),
            cluster: ClusterName::parse("cluster", "ira").unwrap(),
            node: NodeId::parse("node_id", node).unwrap(),
            incarnation: CallUuid::fresh(),
            journal_id,
            max_calls,
            state: Mutex::new(state),
            outbox: tokio::sync::Mutex::default(),
        });
        let (cluster, node) = (&shared.cluster, &shared.node);
        let dials = subject::dial(cluster, node, &shared.incarnation);
        let queries = subject::query(cluster, node, &shared.incarnation);
        let held = subject::held(cluster, node, &shared.incarnation);
        let requests = subject::switch_request(cluster, node);
        let mut dials = client.subscribe(dials).await.unwrap();
        let mut queries = client.subscribe(queries).await.unwrap();
        let mut held = client.subscribe(held).await.unwrap();
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
            while let Some(message) = held.next().await {
                of_task.answer_held(message).await;
            }
        });
        let of_task = Arc::clone(&shared);
        tasks.spawn(async move {
            while let Some(message) = requests.next().await {
                let shared = Arc::clone(&of_task);
                tokio::spawn(async move { shared.answer_request(message).await });
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

    /// The live requests that came, but for those to drop a call.
    pub fn asked(&self) -> Vec<serde_json::Value> {
        self.shared.state.lock().unwrap().asked.clone()
    }

    /// Gives the next live request this answer.
    pub fn answers(&self, answer: Answer) {
        self.shared.state.lock().unwrap().answers.push_back(answer);
    }

    /// How often it was asked which attempts it holds.
    pub fn held_queries(&self) -> usize {
        self.shared.state.lock().unwrap().held_queries
    }

    /// From now on it says that it holds this attempt, in that state.
    pub fn hold(&self, command: &DialCommand, state: CallState) {
        let held = HeldAttempt {
            call_uuid: command.call_uuid,
            attempt: command.attempt,
            attempt_id: command.attempt_id,
            state,
        };
        let mut shared = self.shared.state.lock().unwrap();
        shared
            .held
            .retain(|other| other.attempt_id != held.attempt_id);
        shared.held.push(held);
        shared.held.sort_by_key(|held| held.attempt_id);
    }

    /// From now on: no heartbeats and no answers, though its events still come.
    pub fn fall_silent(&self) {
        self.shared.state.lock().unwrap().mute = true;
    }

    /// It beats and answers again.
    pub fn speak_again(&self) {
        self.shared.state.lock().unwrap().mute = false;
    }

    /// From now on a call that it is asked to drop ends, and one it does not have is refused.
    pub fn hangs_up_when_asked(&self) {
        self.shared.state.lock().unwrap().hangs_up_when_asked = true;
    }

    /// Whether requests about live calls go unanswered, as if they never came.
    pub fn deaf_to_requests(&self, deaf: bool) {
        self.shared.state.lock().unwrap().deaf_to_requests = deaf;
    }

    /// A call that is held is answered, and stays so until it is dropped.
    pub async fn answer(&self, command: &DialCommand) {
        self.hold(command, CallState::Answered);
        self.shared.report_answer(command).await;
    }

    /// The person of a call that is held answers it and opts out.
    pub async fn opt_out(&self, command: &DialCommand, scope: DncScope) {
        self.shared.report_opted_out(command, scope).await;
    }

    /// Asks the routers for a flow.
    pub async fn ask_flow(&self, of: FlowOf) -> FlowReply {
        let question = serde_json::to_vec(&FlowQuery { v: VERSION, of }).unwrap();
        let subject = subject::flow(&self.shared.cluster);
        let answer = self.shared.client.request(subject, question.into()).await;
        serde_json::from_slice(&answer.unwrap().payload).unwrap()
    }

    /// Asks the routers to dial somebody for a call that it holds.
    pub async fn ask_transfer(
        &self,
        parent: &DialCommand,
        number: &str,
        from: Option<&str>,
    ) -> TransferReply {
        let order = TransferOrder {
            to_number: DialNumber::parse("to_number", number).unwrap(),
            from_number: from.map(|from| CallerNumber::parse("from_number", from).unwrap()),
            trunk: None,
            dial_timeout_s: 30,
            whisper: Vec::new(),
        };
        self.ask_routers(parent, TransferAsk::Dial(order)).await
    }

    /// Asks the routers whether the carrier may be asked to connect a call that it holds with the number.
    pub async fn ask_refer(&self, parent: &DialCommand, number: &str) -> TransferReply {
        let number = DialNumber::parse("to_number", number).unwrap();
        self.ask_routers(parent, TransferAsk::Refer(number)).await
    }

    async fn ask_routers(&self, parent: &DialCommand, ask: TransferAsk) -> TransferReply {
        let request = TransferRequest {
            v: VERSION,
            incarnation: self.shared.incarnation,
            parent_uuid: parent.call_uuid,
            call_uuid: CallUuid::fresh(),
            ask,
        };
        let request = serde_json::to_vec(&request).unwrap();
        let subject = subject::transfer(&self.shared.cluster, &self.shared.node);
        let answer = self.shared.client.request(subject, request.into()).await;
        serde_json::from_slice(&answer.unwrap().payload).unwrap()
    }

    /// Ends a call that is held: answered, then hung up by the callee.
    pub async fn complete(&self, command: &DialCommand) {
        self.shared.report_rest(command, false).await;
    }

    /// The same of one whose start was not reported either.
    pub async fn complete_wholly(&self, command: &DialCommand) {
        self.shared.report_start(command).await;
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
        let command = self.own_command(tenant);
        self.shared.report_start(&command).await;
        command.call_uuid.to_string()
    }

    /// What a call of its own would have been asked for with.
    pub fn own_command(&self, tenant: &str) -> DialCommand {
        let call_uuid = CallUuid::fresh();
        DialCommand {
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
            given: Default::default(),
            dtmf: Default::default(),
            bridge_to: None,
            whisper: Vec::new(),
        }
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
        let (calls, max_calls, license) = {
            let state = self.state.lock().unwrap();
            if state.mute {
                return;
            }
            let (cap, why) = match &state.lease {
                None => (u32::MAX, None),
                Some(lease) => (lease.cap(), lease.why_none()),
            };
            (state.live(), self.max_calls.min(cap), why)
        };
        let heartbeat = Heartbeat {
            v: VERSION,
            node_id: self.node.clone(),
            incarnation: self.incarnation,
            journal_id: self.journal_id,
            state: SwitchState::Active,
            calls,
            setups: 0,
            max_calls,
            max_cps: 1_000.0,
            license,
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
        let next = self.state.lock().unwrap().script.front().cloned();
        if let Some(Reaction::HoldAfter(time)) = next {
            sleep(time).await;
        }
        assert!(now_ms() <= command.not_after_ms, "came too late");
        assert_eq!(command.journal_id, self.journal_id);
        let reaction = {
            let mut state = self.state.lock().unwrap();
            let known = state.fates.contains_key(&command.attempt_id);
            assert!(!known, "attempt {} came twice", command.attempt);
            let reaction = match state.lease.is_some() {
                true => state.leased_reaction(),
                false => state.script.pop_front().unwrap_or(Reaction::Complete),
            };
            state.dialled.push(Dialled {
                at: Instant::now(),
                command: command.clone(),
                reaction: reaction.clone(),
            });
            if reaction == Reaction::TakeBackLater {
                state.taken_back.push(command.attempt_id);
            }
            let fate = match reaction {
                Reaction::Refuse(_) => Some(AttemptFate::NeverDialled),
                Reaction::Ignore => None,
                Reaction::Forget => Some(AttemptFate::Ended),
                _ => Some(AttemptFate::Live),
            };
            if let Some(fate) = fate {
                state.fates.insert(command.attempt_id, fate);
            }
            let held = matches!(
                reaction,
                Reaction::Hold | Reaction::HoldAfter(_) | Reaction::HoldSilently
            );
            if held {
                state.held.push(HeldAttempt {
                    call_uuid: command.call_uuid,
                    attempt: command.attempt,
                    attempt_id: command.attempt_id,
                    state: CallState::Dialing,
                });
                state.held.sort_by_key(|held| held.attempt_id);
            }
            reaction
        };
        let reply = match reaction {
            Reaction::Refuse(reason) => Some(DialReply::Refused {
                reason,
                detail: "as the test wants it".to_owned(),
            }),
            Reaction::Ignore
            | Reaction::TakeBackLater
            | Reaction::HoldSilently
            | Reaction::Forget => None,
            _ => Some(DialReply::Accepted),
        };
        if let (Some(reply), Some(to)) = (reply, message.reply) {
            self.publish(to.to_string(), &reply).await;
        }
        match reaction {
            Reaction::CompleteAfter(time) => {
                self.report_start(&command).await;
                sleep(time).await;
                self.one_less();
                self.report_rest(&command, false).await;
            }
            Reaction::Complete | Reaction::CompleteUntidily => {
                self.report_start(&command).await;
                let untidily = reaction == Reaction::CompleteUntidily;
                self.report_rest(&command, untidily).await;
            }
            Reaction::Hold | Reaction::HoldAfter(_) | Reaction::HoldSilently => {
                self.report_start(&command).await
            }
            Reaction::Declined(status, phrase) => {
                self.report_start(&command).await;
                self.report_declined(&command, status, phrase).await;
            }
            Reaction::Refuse(_) | Reaction::Ignore | Reaction::TakeBackLater | Reaction::Forget => {
            }
        }
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
