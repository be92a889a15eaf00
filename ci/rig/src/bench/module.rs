//! Calls through the module: dial commands over NATS, as the router sends them.

use super::usage::Usage;
use super::{Offer, Outcome, Site, TYPED};
use anyhow::{Context, Result, bail, ensure};
use async_nats::{Client, Subscriber, jetstream};
use futures::StreamExt;
use iradialer_core::flow::{self, Flow};
use iradialer_core::license::Features;
use iradialer_core::subject;
use iradialer_core::value::{
    CallUuid, CampaignName, ChannelVars, ClusterName, DialNumber, TenantId, TrunkName,
};
use iradialer_core::wire::{
    self, CallFlow, ConfirmQuery, ConfirmReply, DialCommand, DialReply, EventBody, Heartbeat,
    LeaseAsk, LeaseReply, RefusalReason, SwitchEvent,
};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// How long after the last call was offered its end may take, beyond its ringing.
const SETTLE: Duration = Duration::from_secs(20);
/// How long a command is good for, as the router says it.
const NOT_AFTER: Duration = Duration::from_secs(4);
/// When a call that found the switch busy is offered again, by one who does that.
const AGAIN: Duration = Duration::from_millis(500);

/// The module of a site, and what it takes to call through it.
pub struct Module {
    client: Client,
    cluster: ClusterName,
    heartbeat: Heartbeat,
    /// What every call runs; none waits for live requests.
    flow: Option<Flow>,
    /// The number of every call, or one for each.
    number: Option<DialNumber>,
    /// Whether a call that finds the switch busy is offered again, as a router does.
    patient: bool,
}

/// How long a switch may go by what it is told, ms.
const LEASED_MS: u64 = 86_400_000;

/// What is known of a call that was offered.
struct Offered {
    at: Instant,
    answered: bool,
}

impl Module {
    /// Waits for the module's heartbeat. Its calls hang up as soon as they are answered.
    pub async fn of(site: &Site) -> Result<Self> {
        Module::on(async_nats::connect(&site.nats_url).await?).await
    }

    /// The same for the one module on a bus.
    pub async fn on(client: Client) -> Result<Self> {
        let cluster = ClusterName::parse("cluster", "ira")?;
        let stream = jetstream::stream::Config {
            name: subject::event_stream(&cluster),
            subjects: vec![subject::all_events(&cluster)],
            ..Default::default()
        };
        jetstream::new(client.clone())
            .get_or_create_stream(stream)
            .await?;
        let mut heartbeats = client
            .subscribe(subject::all_switch_heartbeats(&cluster))
            .await?;
        tokio::spawn(confirm_all(client.clone(), subject::confirm(&cluster)));
        tokio::spawn(lease_to_all(client.clone(), subject::all_leases(&cluster)));
        let heartbeat = tokio::time::timeout(SETTLE, leased(&mut heartbeats)).await??;
        let flow = br#"{"version":1,"name":"bench","start":"end","nodes":{"end":{"hangup":{}}}}"#;
        let Ok((flow, _)) = flow::parse(flow) else {
            bail!("the benchmark's flow is not valid")
        };
        Ok(Module {
            client,
            cluster,
            heartbeat,
            flow: Some(flow),
            number: None,
            patient: false,
        })
    }

    /// The same, offering calls again for which the switch was busy.
    pub fn patient(self) -> Self {
        Module {
            patient: true,
            ..self
        }
    }

    /// The same with another flow for its calls.
    pub fn playing(mut self, flow: &serde_json::Value) -> Result<Self> {
        self.flow = match flow::parse(flow.to_string().as_bytes()) {
            Ok((flow, _)) => Some(flow),
            Err(findings) => bail!("the benchmark's flow is not valid: {findings:?}"),
        };
        Ok(self)
    }

    /// The same with calls that wait for live requests.
    pub fn waiting(mut self) -> Self {
        self.flow = None;
        self
    }

    /// The same with one number for all of its calls.
    pub fn calling(mut self, number: &str) -> Result<Self> {
        self.number = Some(DialNumber::parse("number", number)?);
        Ok(self)
    }

    /// Offers calls on a trunk and follows each to its end. `ring` is how long one takes that is not hung up
    /// on at once.
    pub async fn offer(
        &self,
        switch: Usage,
        trunk: &str,
        offer: Offer,
        ring: Duration,
    ) -> Result<Outcome> {
        let mut events = self
            .client
            .subscribe(subject::all_events(&self.cluster))
            .await?;
        let inbox = self.client.new_inbox();
        let mut replies = self.client.subscribe(format!("{inbox}.*")).await?;
        self.client.flush().await?;
        let dial = subject::dial(
            &self.cluster,
            &self.heartbeat.node_id,
            &self.heartbeat.incarnation,
        );

        let (cpu_before, started) = (switch.cpu()?, Instant::now());
        let mut outcome = Outcome::default();
        let mut calls: HashMap<CallUuid, Offered> = HashMap::new();
        let mut last_end = started;
        let (mut sent, mut again) = (0, VecDeque::new());
        let mut watch = tokio::time::interval(Duration::from_millis(250));
        let give_up = offer.due(offer.calls) + ring + SETTLE;
        while (sent < offer.calls || !calls.is_empty() || !again.is_empty())
            && started.elapsed() < give_up
        {
            let next = again
                .front()
                .copied()
                .filter(|at| *at <= Instant::now() || sent == offer.calls);
            let next = next.unwrap_or(started + offer.due(sent));
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(next.into()), if sent < offer.calls || !again.is_empty() => {
                    let command = self.command(trunk, sent)?;
                    let reply_to = format!("{inbox}.{}", command.call_uuid);
                    calls.insert(command.call_uuid, Offered { at: Instant::now(), answered: false });
                    self.client.publish_with_reply(dial.clone(), reply_to, serde_json::to_vec(&command)?.into()).await?;
                    match again.front() {
                        Some(at) if *at == next => drop(again.pop_front()),
                        _ => sent += 1,
                    }
                }
                Some(reply) = replies.next() => {
                    let call = CallUuid::parse("call", reply.subject.rsplit('.').next().unwrap_or_default())?;
                    if let DialReply::Refused { reason, .. } = serde_json::from_slice(&reply.payload)?
                        && let Some(offered) = calls.remove(&call)
                    {
                        *outcome.refused_for.entry(format!("{reason:?}")).or_default() += 1;
                        match self.patient && reason == RefusalReason::Busy {
                            true => again.push_back(Instant::now() + AGAIN),
                            false => outcome.refused += 1,
                        }
                        outcome.slowest_refusal = outcome.slowest_refusal.max(offered.at.elapsed());
                    }
                }
                Some(event) = next_event(&mut events) => match event.body {
                    EventBody::Answered { .. } => {
                        if let Some(offered) = calls.get_mut(&event.call_uuid) { offered.answered = true; }
                    }
                    EventBody::Hangup(hangup) => {
                        let typed = hangup.variables.get("code").map(String::as_str);
                        outcome.typed += u32::from(typed == Some(TYPED));
                        outcome.faulted += u32::from(hangup.fault.is_some());
                        if let Some(offered) = calls.remove(&event.call_uuid) {
                            if offered.answered { outcome.completed += 1 } else { outcome.failed += 1 }
                            last_end = Instant::now();
                        }
                    }
                    EventBody::PlayDone { played_ms, interrupted_by: None, .. } => outcome.played_ms.push(played_ms),
                    _ => {}
                },
                _ = watch.tick() => outcome.most_threads = outcome.most_threads.max(switch.threads()?),
            }
        }
        outcome.lost = u32::try_from(calls.len())?;
        outcome.took = last_end - started;
        outcome.cpu = switch.cpu()? - cpu_before;
        Ok(outcome)
    }

    /// Sends a live request, and waits until the switch has taken it.
    pub async fn ask(&self, request: &serde_json::Value) -> Result<()> {
        let subject = subject::switch_request(&self.cluster, &self.heartbeat.node_id);
        let request = serde_json::to_vec(request)?;
        let answer = self.client.request(subject, request.into()).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
        ensure!(answer["status"] == "OK", "not taken: {answer}");
        Ok(())
    }

    /// Offers calls and returns those that were taken, without waiting for their ends.
    pub async fn ring(&self, trunk: &str, offer: Offer) -> Result<Vec<CallUuid>> {
        let dial = subject::dial(
            &self.cluster,
            &self.heartbeat.node_id,
            &self.heartbeat.incarnation,
        );
        let started = Instant::now();
        let mut accepted = Vec::new();
        for index in 0..offer.calls {
            tokio::time::sleep_until((started + offer.due(index)).into()).await;
            let command = self.command(trunk, index)?;
            let message = serde_json::to_vec(&command)?;
            let reply = self.client.request(dial.clone(), message.into()).await?;
            if serde_json::from_slice::<DialReply>(&reply.payload)? == DialReply::Accepted {
                accepted.push(command.call_uuid);
            }
        }
        Ok(accepted)
    }

    /// Offers calls and returns how long each answer took, ms, shortest first. All must be taken.
    pub async fn admit(&self, trunk: &str, offer: Offer) -> Result<Vec<f64>> {
        let dial = subject::dial(
            &self.cluster,
            &self.heartbeat.node_id,
            &self.heartbeat.incarnation,
        );
        let started = Instant::now();
        let mut answers = JoinSet::new();
        for index in 0..offer.calls {
            tokio::time::sleep_until((started + offer.due(index)).into()).await;
            let command = serde_json::to_vec(&self.command(trunk, index)?)?;
            let (client, dial) = (self.client.clone(), dial.clone());
            answers.spawn(async move {
                let sent = Instant::now();
                let reply = client.request(dial, command.into()).await?;
                let took = sent.elapsed();
                let reply: DialReply = serde_json::from_slice(&reply.payload)?;
                ensure!(reply == DialReply::Accepted, "not taken: {reply:?}");
                Ok(took.as_secs_f64() * 1e3)
            });
        }
        let answers = answers.join_all().await.into_iter();
        let mut took = answers.collect::<Result<Vec<f64>>>()?;
        took.sort_by(f64::total_cmp);
        Ok(took)
    }

    fn command(&self, trunk: &str, index: u32) -> Result<DialCommand> {
        let call_uuid = CallUuid::fresh();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(DialCommand {
            v: wire::VERSION,
            call_uuid,
            attempt: 1,
            attempt_id: call_uuid,
            epoch: 1,
            journal_id: self.heartbeat.journal_id,
            not_after_ms: u64::try_from((now + NOT_AFTER).as_millis())?,
            tenant_id: TenantId::parse("tenant", "bench")?,
            campaign_name: CampaignName::parse("campaign", "bench")?,
            trunk: TrunkName::parse("trunk", trunk)?,
            to_number: match &self.number {
                Some(number) => number.clone(),
                None => DialNumber::parse("number", &format!("+1500{index:07}"))?,
            },
            from_number: Default::default(),
            dial_timeout_s: 30,
            max_duration_s: 60,
            channel_vars: ChannelVars::default(),
            flow: self.flow.clone().map(CallFlow::Inline),
            given: Default::default(),
            dtmf: Default::default(),
            bridge_to: None,
            whisper: Vec::new(),
        })
    }
}

/// What a collector says to a switch that asks what is stored: all of it. A switch nobody answers keeps
/// the events of every call, and takes no more calls in the end.
async fn confirm_all(client: Client, subject: String) -> Result<()> {
    let mut questions = client.subscribe(subject).await?;
    while let Some(question) = questions.next().await {
        let query: ConfirmQuery = serde_json::from_slice(&question.payload)?;
        let stored = query.attempts.into_iter().map(|ended| ended.attempt_id);
        let reply = ConfirmReply {
            stored: stored.collect(),
        };
        if let Some(inbox) = question.reply {
            client
                .publish(inbox, serde_json::to_vec(&reply)?.into())
                .await?;
        }
    }
    Ok(())
}

/// What IraPass says to a switch that asks: it may do all that it can.
async fn lease_to_all(client: Client, subject: String) -> Result<()> {
    let mut questions = client.subscribe(subject).await?;
    while let Some(question) = questions.next().await {
        let ask: LeaseAsk = serde_json::from_slice(&question.payload)?;
        let reply = LeaseReply {
            v: wire::VERSION,
            ask: ask.ask,
            channels: ask.channels.most,
            rate: ask.rate.most,
            features: Features::ALL,
            good_for_ms: LEASED_MS,
            evaluation: false,
            why_none: None,
        };
        if let Some(inbox) = question.reply {
            client
                .publish(inbox, serde_json::to_vec(&reply)?.into())
                .await?;
        }
    }
    Ok(())
}

/// The first heartbeat of a switch that may begin calls.
async fn leased(heartbeats: &mut Subscriber) -> Result<Heartbeat> {
    loop {
        let beat = heartbeats
            .next()
            .await
            .context("the switch does not beat")?;
        let beat: Heartbeat = serde_json::from_slice(&beat.payload)?;
        if beat.license.is_none() {
            return Ok(beat);
        }
    }
}

async fn next_event(events: &mut Subscriber) -> Option<SwitchEvent> {
    serde_json::from_slice(&events.next().await?.payload).ok()
}
