//! Calls that come in at the switch: the dialplan gives one to the module, on the session's own thread, which
//! waits here for what the call needs while its caller hears nothing yet, or ringing.

use super::durable::{faulty, intent};
use super::{Engine, OPERATOR, OPERATOR_DIAL_TIMEOUT_S, OPERATOR_MAX_DURATION_S};
use crate::admission::{Closed, Refusal};
use crate::call::Call;
use crate::flows::NoFlow;
use crate::host::HangupCause;
use crate::journal::Fault;
use iradialer_core::license::{Feature, Features};
use iradialer_core::value::{
    CallUuid, CallerNumber, CampaignName, ChannelVars, DialNumber, FieldError, FlowName, TenantId,
    TrunkName,
};
use iradialer_core::wire::{
    self, CallFlow, DialCommand, DtmfWay, FlowOf, FlowRef, GivenFacts, RefusalReason,
};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// The longest that a caller waits for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Of that, how long the gateway may take to say which flow it is.
const LONGEST_LOOKUP: Duration = Duration::from_millis(2_500);
/// How often the session's thread looks whether its caller is there still.
const LOOK: Duration = Duration::from_millis(20);
/// What a call is said to have come by where the host does not know.
const SOMEWHERE: &str = "inbound";

/// What the dialplan says of a call that comes in: `flow=NAME tenant=NAME campaign=NAME`, each of which may
/// be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The flow. Without one the number that was called decides.
    pub flow: Option<FlowName>,
    /// Whose flow, where several tenants have campaigns.
    pub tenant_id: Option<TenantId>,
    /// The campaign whose `event_url` hears of the call. With the number it comes from the gateway.
    pub campaign_name: Option<CampaignName>,
}

/// A call that has come in, as the host knows it.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// What the dialplan says.
    pub data: String,
    /// The number that was called.
    pub to: String,
    /// Who calls, where it is said.
    pub from: String,
    /// The gateway it came by, or the profile.
    pub by: Option<String>,
}

/// Why a call that came in is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// What its caller is told.
    pub cause: HangupCause,
    /// Why, for a person.
    pub why: String,
}

impl Asked {
    /// Reads what the dialplan says.
    ///
    /// # Errors
    /// In a sentence that names the field.
    pub fn parse(data: &str) -> Result<Asked, String> {
        let mut asked = Asked::default();
        for word in data.split_whitespace() {
            let expected = "expected flow=NAME, tenant=NAME or campaign=NAME, each once";
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("data: {expected}, got \"{word}\""))?;
            let twice = match name {
                "flow" => asked
                    .flow
                    .replace(FlowName::parse("flow", value).map_err(text)?)
                    .is_some(),
                "tenant" => asked
                    .tenant_id
                    .replace(TenantId::parse("tenant", value).map_err(text)?)
                    .is_some(),
                "campaign" => asked
                    .campaign_name
                    .replace(CampaignName::parse("campaign", value).map_err(text)?)
                    .is_some(),
                _ => return Err(format!("data: {expected}, got \"{word}\"")),
            };
            if twice {
                return Err(format!("{name}: {expected}, got it twice"));
            }
        }
        Ok(asked)
    }
}

/// Whose call it is and what it runs.
struct Found {
    tenant_id: TenantId,
    campaign_name: Option<CampaignName>,
    flow: FlowRef,
}

impl Engine {
    /// Takes a call that has come in, with all that it needs and on the disk, or says why not; then nothing is
    /// left of it. Waits for at most 5 s, and no longer than `is_up` says that the caller is there.
    pub fn take_in(
        &self,
        incoming: &Incoming,
        is_up: &dyn Fn() -> bool,
    ) -> Result<Arc<Call>, NotTaken> {
        let until = Instant::now() + LONGEST_WAIT;
        if self.admission.load().closed != Closed::No {
            let why = "the switch takes no new calls: it is drained";
            return Err(NotTaken::for_now(why));
        }
        self.check_allowed(Features::NONE.with(Feature::Inbound))?;
        let asked = Asked::parse(&incoming.data).map_err(NotTaken::fault)?;
        let to_number = DialNumber::parse("destination_number", &incoming.to)
            .map_err(|error| NotTaken::unknown(error.to_string()))?;
        let found = self.find(asked, to_number.clone(), until, is_up)?;
        let command = self.command_of(incoming, to_number, &found)?;
        let (now_us, steady_us) = (self.host.now_us(), self.host.steady_us());
        self.admission.admit(&command, false, now_us, steady_us)?;
        let call = self.call_of(command, None);
        let call = Call::came_in(call, found.campaign_name);
        self.make_ready(&call, until, is_up)?;
        self.promise(&call)?;
        Ok(call)
    }

    /// One that was taken can't be answered after all.
    pub fn give_back(&self, call: &Call, why: &str) {
        let refusal = Refusal::new(RefusalReason::Faulty, why);
        self.take_back(&call.command, refusal, Box::new(|_| {}));
    }

    /// One that was taken is about to be answered: from here on its last event is sure to come.
    pub fn begin_inbound(&self, call: &Arc<Call>) {
        self.registry.insert(call.clone());
        call.started();
        self.leg_invited(call);
        self.admission.set_up(call.command.attempt_id);
    }

    /// Asks the gateway for what the call runs, and where that can't be reached this switch's own folder.
    fn find(
        &self,
        asked: Asked,
        number: DialNumber,
        until: Instant,
        is_up: &dyn Fn() -> bool,
    ) -> Result<Found, NotTaken> {
        let Asked {
            flow,
            tenant_id,
            campaign_name,
        } = asked;
        let of = match &flow {
            Some(name) => FlowOf::Name {
                tenant_id,
                name: name.clone(),
            },
            None => FlowOf::Did { number },
        };
        let (flows, what) = (self.flows.clone(), of.clone());
        let lookup = async move {
            let found = tokio::time::timeout(LONGEST_LOOKUP, flows.find(what)).await;
            found.unwrap_or_else(|_| {
                let ms = LONGEST_LOOKUP.as_millis();
                let (name, why) = (String::new(), format!("no answer within {ms} ms"));
                Err(NoFlow::Unanswered(name, why))
            })
        };
        match (self.wait(lookup, until, is_up)?, flow) {
            (Ok((tenant_id, campaign, flow)), _) => Ok(Found {
                tenant_id,
                campaign_name: campaign.or(campaign_name),
                flow,
            }),
            (Err(NoFlow::Unfit(_, why)), _) => Err(NotTaken::unknown(why)),
            (Err(NoFlow::Unanswered(_, why)), None) => Err(NotTaken::for_now(format!(
                "the gateway does not say what the number stands for: {why}"
            ))),
            (Err(NoFlow::Unanswered(_, away)), Some(name)) => {
                let flow = self.operators_flow(&self.config(), name.as_str());
                let flow = flow.map_err(|why| {
                    NotTaken::for_now(format!("{why}; and the gateway does not give it: {away}"))
                })?;
                Ok(Found {
                    tenant_id: TenantId::parse("tenant_id", OPERATOR)?,
                    campaign_name: None,
                    flow,
                })
            }
        }
    }

    fn command_of(
        &self,
        incoming: &Incoming,
        to_number: DialNumber,
        found: &Found,
    ) -> Result<DialCommand, NotTaken> {
        let attempt_id = CallUuid::fresh();
        let by = incoming.by.as_deref().unwrap_or(SOMEWHERE);
        let trunk = TrunkName::parse("trunk", by);
        // A flow is told of a campaign, whatever it is.
        let campaign_name = match &found.campaign_name {
            Some(name) => name.clone(),
            None => CampaignName::parse("campaign_name", SOMEWHERE)?,
        };
        Ok(DialCommand {
            v: wire::VERSION,
            call_uuid: attempt_id,
            attempt: 1,
            attempt_id,
            epoch: self.admission.own_epoch(),
            journal_id: self.identity.journal_id,
            not_after_ms: u64::MAX,
            tenant_id: found.tenant_id.clone(),
            campaign_name,
            trunk: trunk.or_else(|_| TrunkName::parse("trunk", SOMEWHERE))?,
            to_number,
            // Who hides has no number.
            from_number: CallerNumber::parse("from_number", &incoming.from).unwrap_or_default(),
            dial_timeout_s: OPERATOR_DIAL_TIMEOUT_S,
            max_duration_s: OPERATOR_MAX_DURATION_S,
            channel_vars: ChannelVars::default(),
            flow: Some(CallFlow::Named(found.flow.clone())),
            given: GivenFacts::default(),
            dtmf: DtmfWay::default(),
            bridge_to: None,
            whisper: Vec::new(),
        })
    }

    /// Gets the call what it needs, with no room taken meanwhile from those being set up.
    fn make_ready(
        &self,
        call: &Arc<Call>,
        until: Instant,
        is_up: &dyn Fn() -> bool,
    ) -> Result<(), NotTaken> {
        let attempt = call.command.attempt_id;
        match self.at_hand(call) {
            Ok(true) => return Ok(()),
            Ok(false) => self.admission.step_aside(attempt),
            Err(refusal) => {
                self.admission.withdraw(attempt);
                return Err(refusal.into());
            }
        }
        let ready = self.got_ready(call, until, is_up);
        if ready.is_err() {
            self.admission.withdraw_aside(attempt);
        }
        ready
    }

    fn got_ready(
        &self,
        call: &Arc<Call>,
        until: Instant,
        is_up: &dyn Fn() -> bool,
    ) -> Result<(), NotTaken> {
        let engine = self.me.upgrade().ok_or_else(NotTaken::leaving)?;
        let wanted = call.clone();
        let getting = async move { engine.get_ready(&wanted).await };
        self.wait(getting, until, is_up)??;
        let attempt = call.command.attempt_id;
        while !self.admission.step_in(attempt, self.host.steady_us()) {
            if Instant::now() >= until {
                return Err(NotTaken::for_now("too many calls are being set up"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Has on the disk that the call is about to be answered.
    fn promise(&self, call: &Call) -> Result<(), NotTaken> {
        let (tell, told) = sync_channel(1);
        let then = Box::new(move |done: Result<(), Fault>| drop(tell.send(done)));
        let record = intent(call, self.host.now_us() / 1000);
        self.outbox.journal().promise(record, then);
        let failed = match told.recv() {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(fault)) => faulty(&fault).into(),
            Err(_) => NotTaken::leaving(),
        };
        self.admission.withdraw(call.command.attempt_id);
        Err(failed)
    }

    /// Waits on the session's own thread for what is done on the module's runtime.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        until: Instant,
        is_up: &dyn Fn() -> bool,
    ) -> Result<T, NotTaken> {
        let (tell, told) = sync_channel(1);
        let task = self.preparation.runtime().spawn(async move {
            let _ = tell.send(work.await);
        });
        let given_up = loop {
            match told.recv_timeout(LOOK) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Disconnected) => break NotTaken::leaving(),
                Err(RecvTimeoutError::Timeout) if !is_up() => break NotTaken::left(),
                Err(RecvTimeoutError::Timeout) if self.admission.load().closed != Closed::No => {
                    break NotTaken::leaving();
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() >= until => {
                    let ms = LONGEST_WAIT.as_millis();
                    let why = format!("what the call takes was not ready within {ms} ms");
                    break NotTaken::for_now(why);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        task.abort();
        Err(given_up)
    }
}

impl NotTaken {
    /// It may be taken the next time: 503.
    fn for_now(why: impl Into<String>) -> Self {
        NotTaken {
            cause: HangupCause::Congestion,
            why: why.into(),
        }
    }

    /// There is nothing for that number: 404.
    fn unknown(why: impl Into<String>) -> Self {
        NotTaken {
            cause: HangupCause::UnknownNumber,
            why: why.into(),
        }
    }

    /// The dialplan or the flow is wrong: 503 too, and a line in the log that somebody should read.
    fn fault(why: impl Into<String>) -> Self {
        NotTaken {
            cause: HangupCause::Fault,
            why: why.into(),
        }
    }

    fn left() -> Self {
        NotTaken {
            cause: HangupCause::Cancel,
            why: "the caller has hung up".to_owned(),
        }
    }

    fn leaving() -> Self {
        NotTaken::for_now("the switch takes no new calls: it is drained")
    }
}

impl From<Refusal> for NotTaken {
    fn from(refusal: Refusal) -> Self {
        match refusal.reason {
            RefusalReason::BadRequest => NotTaken::fault(refusal.detail),
            _ => NotTaken::for_now(refusal.detail),
        }
    }
}

impl From<FieldError> for NotTaken {
    fn from(error: FieldError) -> Self {
        NotTaken::fault(error.to_string())
    }
}

fn text(error: FieldError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dialplan_says_is_read_or_refused_by_its_field() {
        assert_eq!(Asked::parse("").unwrap(), Asked::default());
        let asked = Asked::parse(" flow=menu  tenant=acme campaign=summer ").unwrap();
        let text = |name: Option<&str>| name.map(str::to_owned);
        assert_eq!(asked.flow.map(String::from), text(Some("menu")));
        assert_eq!(asked.tenant_id.map(String::from), text(Some("acme")));
        assert_eq!(asked.campaign_name.map(String::from), text(Some("summer")));
        for (data, names) in [
            ("menu", "\"menu\""),
            ("flow=../x", "flow"),
            ("flow=", "flow"),
            ("flow=a flow=b", "flow: "),
            ("tenant=a/b", "tenant"),
            ("colour=red", "\"colour=red\""),
        ] {
            let error = Asked::parse(data).unwrap_err();
            assert!(error.contains(names), "{data}: {error}");
        }
    }
}
