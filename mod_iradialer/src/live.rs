//! Live requests: what is asked of a call that is up, and calls that are asked of this switch.

mod connect;
mod direct;

pub use connect::Conferences;
pub use direct::{Direct, DirectCalls};

use crate::admission::Closed;
use crate::call::{Call, Job, Work};
use crate::desk::{At, NotTaken, Ticket};
use crate::engine::Engine;
use crate::prompts::Sounds;
use iradialer_core::flow::{Collect, Flow, Sound};
use iradialer_core::license::Features;
use iradialer_core::live::{
    Answer, Body, CallDetails, CallRequest, EventSubject, Play, Refused, Request, name,
};
use iradialer_core::subject;
use iradialer_core::value::FieldError;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long a request waits for what it plays. The one who asks waits for 3 s.
const READY_WITHIN: Duration = Duration::from_millis(2_500);
/// How many requests wait for what they play, on the whole switch.
pub const MOST_WAITING: usize = 1_000;

/// Where the answer to a live request goes.
pub type AnswerTo = Box<dyn FnOnce(Answer) + Send>;

/// A request that plays something, on its way to the desk of its call.
struct Coming {
    call: Arc<Call>,
    ticket: Ticket,
    work: Work,
    event_subject: Option<EventSubject>,
    message: &'static str,
    ignored: Vec<String>,
}

impl Engine {
    /// Takes a live request. The answer goes to `reply` at once, or as soon as what the request plays is ready
    /// or can't be had. Where nobody waits for it, it goes to the request's `event_subject`. Never blocks.
    pub fn live_request(&self, payload: &[u8], reply: Option<AnswerTo>) {
        let request = match Request::parse(payload) {
            Ok(request) => request,
            Err(refused) => {
                if let Some(reply) = reply {
                    reply(Answer::refused(refused));
                }
                return;
            }
        };
        if let Err(refused) = self.check_subject(request.event_subject.as_ref()) {
            if let Some(reply) = reply {
                reply(Answer::refused(refused));
            }
            return;
        }
        let reply = reply.unwrap_or_else(|| self.answer_by_event(&request));
        self.take_request(request, reply);
    }

    fn answer_by_event(&self, request: &Request) -> AnswerTo {
        let (copies, subject) = (self.copies.clone(), request.event_subject.clone());
        Box::new(move |answer| {
            if let (Some(subject), Ok(payload)) = (subject, serde_json::to_vec(&answer)) {
                copies.send(subject, payload.into());
            }
        })
    }

    /// A switch's user on NATS may publish for clients, and nowhere else.
    fn check_subject(&self, given: Option<&EventSubject>) -> Result<(), Refused> {
        let begins_with = subject::clients(&self.config().cluster);
        match given {
            Some(given) if !given.as_str().starts_with(&begins_with) => {
                let field = "event_data.event_subject";
                let expected = format!("a subject that begins with '{begins_with}'");
                Err(Refused::mistake(FieldError::new(
                    field,
                    expected,
                    given.as_str(),
                )))
            }
            _ => Ok(()),
        }
    }

    fn take_request(&self, request: Request, reply: AnswerTo) {
        let ignored = request.ignored;
        let (call_uuid, asked) = match request.body {
            Body::Call(call_uuid, asked) => (call_uuid, asked),
            Body::MakeCall(make) => {
                let then = move |answer| reply(Answer { ignored, ..answer });
                return self.make_call(*make, Box::new(then));
            }
            Body::Activation(activate) => {
                return reply(Answer {
                    ignored,
                    ..self.activate(activate)
                });
            }
            Body::Gateway(event_name, _) => return reply(Answer::refused(no_gateways(event_name))),
        };
        let of_call = move |answer| {
            reply(Answer {
                call_uuid: Some(call_uuid),
                ..answer
            });
        };
        match self.registry.call(call_uuid) {
            Some(call) => self.ask_call(
                call,
                asked,
                request.event_subject,
                ignored,
                Box::new(of_call),
            ),
            None => {
                let message = format!("there is no live call {call_uuid} on this switch");
                of_call(Answer::refused(Refused::new(name::UNKNOWN_CALL, message)));
            }
        }
    }

    fn ask_call(
        &self,
        call: Arc<Call>,
        asked: CallRequest,
        event_subject: Option<EventSubject>,
        ignored: Vec<String>,
        reply: AnswerTo,
    ) {
        if let Err(refusal) = self.check_allowed(Features::of_request(&asked)) {
            let refused = Refused::new(name::NOT_SUPPORTED, refusal.detail);
            return reply(Answer::refused(refused));
        }
        let (work, sounds, message) = match asked {
            CallRequest::Play(play) => play_work(play),
            CallRequest::GetValidDtmf(ask) => ask_work(&call, ask.collect()),
            CallRequest::GetSimpleDtmf(ask) => ask_work(&call, ask.collect()),
            CallRequest::Transfer(to) => connect::transfer_work(to),
            CallRequest::DirectBridge(to) => connect::direct_work(to),
            other => {
                let answer = self.do_at_once(&call, other);
                let answer = answer.unwrap_or_else(Answer::refused);
                return reply(Answer { ignored, ..answer });
            }
        };
        match call.desk.reserve() {
            Ok(ticket) => {
                let coming = Coming {
                    call,
                    ticket,
                    work,
                    event_subject,
                    message,
                    ignored,
                };
                self.bring(coming, sounds, reply);
            }
            Err(why) => reply(Answer::refused(not_taken(why))),
        }
    }

    /// Brings to the desk what a request asks for, once it is ready to be played.
    fn bring(&self, coming: Coming, wanted: BTreeSet<Sound>, reply: AnswerTo) {
        let dir = coming.call.prompts_dir.clone();
        if let Some(sounds) = self.prompts.at_hand(&dir, wanted.iter().cloned()) {
            return reply(coming.arrive(sounds));
        }
        let Ok(place) = self.live.clone().try_acquire_owned() else {
            let message = format!("{MOST_WAITING} requests wait for what they play");
            return reply(coming.give_up(Refused::for_now(name::BUSY, message)));
        };
        let prompts = self.prompts.clone();
        self.preparation.runtime().spawn(async move {
            let got = tokio::time::timeout(READY_WITHIN, prompts.get(&dir, wanted)).await;
            reply(match got {
                Ok(Ok(sounds)) => coming.arrive(sounds),
                Ok(Err(error)) => {
                    coming.give_up(Refused::new(name::PROMPT_UNAVAILABLE, error.to_string()))
                }
                Err(_) => {
                    let message = format!("it was not ready to be played within {READY_WITHIN:?}");
                    coming.give_up(Refused::for_now(name::NOT_READY, message))
                }
            });
            drop(place);
        });
    }

    fn do_at_once(&self, call: &Arc<Call>, asked: CallRequest) -> Result<Answer, Refused> {
        match asked {
            CallRequest::Drop => {
                self.drop_call(call.command.call_uuid);
                let call_uuid = call.command.call_uuid;
                Ok(Answer::ok(format!("call {call_uuid} is being ended")))
            }
            CallRequest::Details => Ok(Answer {
                call_details: Some(details(call)),
                ..Answer::ok("this is known of it")
            }),
            CallRequest::StopPlay => stop(call),
            CallRequest::Park => {
                stop(call)?;
                Ok(Answer::ok("the call waits"))
            }
            CallRequest::SendDtmf(digits) => {
                is_up(call)?;
                let sent = self
                    .host
                    .send_keys(call.command.attempt_id, digits.as_str());
                sent.map_err(|why| Refused::new(name::FAILED, why))?;
                Ok(Answer::ok(format!(
                    "{} keys are being sent",
                    digits.as_str().len()
                )))
            }
            CallRequest::StartRecord(shape) => {
                is_up(call)?;
                let name = self.start_recording(call, shape.into());
                let name = name.map_err(|why| Refused::new(name::FAILED, why))?;
                Ok(Answer::ok(format!("it is recorded as {name}")))
            }
            CallRequest::StopRecord => {
                let name = self.stop_recording(call);
                let name = name.map_err(|why| Refused::new(name::FAILED, why))?;
                Ok(Answer::ok(format!("the recording {name} is ended")))
            }
            CallRequest::Mute(on) => hear(call, on, "muted", |audible| &mut audible.muted),
            CallRequest::Deaf(on) | CallRequest::Earmuff(on) => {
                hear(call, on, "deaf", |audible| &mut audible.deaf)
            }
            CallRequest::Hold(on) => hear(call, on, "on hold", |audible| &mut audible.held),
            CallRequest::Bridge(to) => self.join_conference(call, &to.conf_uuid),
            CallRequest::BridgeCalls(second) => self.join_call(call, second),
            CallRequest::Play(_)
            | CallRequest::GetValidDtmf(_)
            | CallRequest::GetSimpleDtmf(_)
            | CallRequest::Transfer(_)
            | CallRequest::DirectBridge(_) => {
                let message = "it goes to the call's desk";
                Err(Refused::new(name::FAILED, message))
            }
        }
    }

    fn activate(&self, activate: bool) -> Answer {
        let (closed, message) = match activate {
            true => (Closed::No, "the switch takes calls"),
            false => (Closed::Draining, "the switch takes no more calls"),
        };
        match self.admission.close(closed) {
            true => Answer::ok(message),
            false => {
                let message = "the module is being unloaded";
                Answer::refused(Refused::new(name::FAILED, message))
            }
        }
    }
}

impl Coming {
    fn arrive(self, sounds: Sounds) -> Answer {
        let job = Job {
            work: self.work,
            sounds: Arc::new(sounds),
            event_subject: self.event_subject,
        };
        let filled = self.call.desk.fill(self.ticket, job);
        let answer = match filled {
            Ok(()) => Answer::ok(self.message),
            Err(why) => Answer::refused(not_taken(why)),
        };
        Answer {
            ignored: self.ignored,
            ..answer
        }
    }

    fn give_up(self, refused: Refused) -> Answer {
        self.call.desk.withdraw(self.ticket);
        Answer {
            ignored: self.ignored,
            ..Answer::refused(refused)
        }
    }
}

fn play_work(play: Play) -> (Work, BTreeSet<Sound>, &'static str) {
    let sounds = BTreeSet::from([play.sound.clone()]);
    let work = Work::Play {
        sound: play.sound,
        times: play.loop_count,
        stop_on_key: play.stop_on_key,
    };
    (work, sounds, "it is played when its turn comes")
}

fn ask_work(call: &Call, collect: Collect) -> (Work, BTreeSet<Sound>, &'static str) {
    let flow = Flow::asking(collect);
    let sounds = flow.sounds_ahead(&crate::call::facts(&call.command), &flow.sets());
    let message = "the digits are asked for when its turn comes";
    (Work::Ask(Box::new(flow)), sounds, message)
}

fn stop(call: &Call) -> Result<Answer, Refused> {
    let stopping = call.desk.stop().map_err(not_taken)?;
    if let Some(job) = stopping.not_begun {
        call.was_not_begun(job, stopping.dropped - 1);
    }
    Ok(Answer::ok(match (stopping.under_way, stopping.dropped) {
        (false, 0) => "there was nothing to stop".to_owned(),
        (true, 0) => "it is stopped".to_owned(),
        (_, waiting) => format!("it is stopped, and {waiting} that waited are dropped"),
    }))
}

fn hear(
    call: &Call,
    on: bool,
    what: &str,
    of: impl FnOnce(&mut crate::call::Audible) -> &mut bool,
) -> Result<Answer, Refused> {
    is_up(call)?;
    let set = call.set_audible(|audible| *of(audible) = on);
    set.map_err(|why| Refused::new(name::FAILED, why))?;
    Ok(Answer::ok(match on {
        true => format!("the call is {what}"),
        false => format!("the call is not {what} any more"),
    }))
}

fn is_up(call: &Call) -> Result<(), Refused> {
    match call.snapshot().state {
        "answered" => Ok(()),
        "ended" => Err(not_taken(NotTaken::Ended)),
        _ => Err(not_taken(NotTaken::Unanswered)),
    }
}

fn not_taken(why: NotTaken) -> Refused {
    let message = why.to_string();
    match why {
        NotTaken::Unanswered => Refused::for_now(name::NOT_ANSWERED, message),
        NotTaken::FlowRunning => Refused::new(name::FLOW_RUNNING, message),
        NotTaken::Bridged => Refused::new(name::BRIDGED, message),
        NotTaken::Ended => Refused::new(name::CALL_ENDED, message),
        NotTaken::Full => Refused::for_now(name::DESK_FULL, message),
        NotTaken::Stopped => Refused::new(name::STOPPED, message),
    }
}

/// FreeSWITCH takes a gateway from its profile's files only: one added otherwise would be gone, with the calls
/// on it, at the profile's next rescan.
fn no_gateways(event_name: &str) -> Refused {
    let message = format!(
        "{event_name}: gateways are files of the switch's SIP profile; put one there and have the profile \
         rescanned"
    );
    Refused::new(name::NOT_SUPPORTED, message)
}

fn details(call: &Call) -> CallDetails {
    let (now, command) = (call.snapshot(), &call.command);
    let (load, audible) = (call.desk.load(), call.audible());
    let at = match load.at {
        At::Unanswered | At::Ended => None,
        At::Flow => Some("flow"),
        At::Desk => Some("desk"),
        At::Bridge => Some("bridge"),
    };
    let conf_uuid = call
        .direct
        .as_ref()
        .and_then(|direct| direct.conf_uuid.as_ref());
    CallDetails {
        state: now.state.to_owned(),
        tenant_id: command.tenant_id.to_string(),
        campaign_name: command.campaign_name.to_string(),
        to_number: command.to_number.to_string(),
        from_number: command.from_number.to_string(),
        gateway: command.trunk.to_string(),
        attempt: command.attempt,
        attempt_id: command.attempt_id,
        conf_uuid: conf_uuid.map(|conf| conf.to_string()),
        duration_ms: now.age_ms,
        billsec_ms: now.billsec_ms,
        flow: command.flow.as_ref().map(|flow| flow.name().to_owned()),
        node: now.node,
        variables: now.variables,
        at: at.map(str::to_owned),
        busy: load.busy,
        waiting: load.waiting as u32,
        muted: audible.muted,
        deaf: audible.deaf,
        held: audible.held,
    }
}
