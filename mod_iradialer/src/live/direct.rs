//! `request_make_call`: calls that are asked of this switch, with no gateway in between.

use super::AnswerTo;
use crate::engine::Engine;
use iradialer_core::live::{Answer, ConfUuid, EventSubject, MakeCall, Refused, name};
use iradialer_core::value::{CallUuid, CampaignName, ChannelVars, FieldError};
use iradialer_core::wire::{self, DialCommand, DialReply, DtmfWay, GivenFacts, RefusalReason};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How long one may take from the request to its channel, ms.
const WITHIN_MS: u64 = 4_000;
/// The longest that one lasts once answered, s.
const MAX_DURATION_S: u32 = 3_600;
/// The campaign that they are reported under.
const CAMPAIGN: &str = "direct";
/// How many more are begun before those whose time is over are forgotten.
const SWEEP_EVERY: usize = 1_024;

/// What a call that was asked of this switch has besides its command.
#[derive(Debug, Clone)]
pub struct Direct {
    /// Where its events are sent too.
    pub event_subject: EventSubject,
    /// The conference it is known by.
    pub conf_uuid: Option<ConfUuid>,
    /// What goes back with every copy of an event.
    pub call_params: Map<String, Value>,
}

/// The UUIDs of such calls, each with when it may be forgotten, ms since the Unix epoch.
#[derive(Default)]
pub struct DirectCalls(Mutex<HashMap<CallUuid, u64>>);

impl DirectCalls {
    /// Notes a call; false where it is known.
    fn begin(&self, call: CallUuid, now_ms: u64) -> bool {
        let mut calls = self.0.lock();
        if calls.len() % SWEEP_EVERY == SWEEP_EVERY - 1 {
            calls.retain(|_, until_ms| *until_ms >= now_ms);
        }
        if calls.get(&call).is_some_and(|until_ms| *until_ms >= now_ms) {
            return false;
        }
        calls.insert(call, u64::MAX);
        true
    }

    /// It was not dialled: its UUID may be used again.
    fn forget(&self, call: CallUuid) {
        self.0.lock().remove(&call);
    }

    /// It need not be remembered after `until_ms`.
    pub fn remember_until(&self, call: CallUuid, until_ms: u64) {
        self.0.lock().insert(call, until_ms);
    }
}

impl Engine {
    /// Dials as the request says, through the same gates as any call. The answer goes to `reply` once the
    /// channel is made, or the call is refused.
    pub(super) fn make_call(&self, make: MakeCall, reply: AnswerTo) {
        let call_uuid = make.call_uuid;
        let reply = move |answer| {
            reply(Answer {
                call_uuid: Some(call_uuid),
                ..answer
            });
        };
        if let Err(refused) = can_be_done(&make) {
            return reply(Answer::refused(refused));
        }
        let now_ms = self.host.now_us() / 1000;
        if self.registry.call(call_uuid).is_some() || !self.direct.begin(call_uuid, now_ms) {
            let message = format!("call {call_uuid} was asked for before");
            return reply(Answer::refused(Refused::new(name::DUPLICATE, message)));
        }
        let Ok(campaign_name) = CampaignName::parse("campaign_name", CAMPAIGN) else {
            unreachable!("the name is a constant")
        };
        let command = DialCommand {
            v: wire::VERSION,
            call_uuid,
            attempt: 1,
            attempt_id: CallUuid::fresh(),
            epoch: self.admission.own_epoch(),
            journal_id: self.identity.journal_id,
            not_after_ms: now_ms + WITHIN_MS,
            tenant_id: make.tenant_id,
            campaign_name,
            trunk: make.gateway,
            to_number: make.to_number,
            from_number: make.from_number,
            dial_timeout_s: make.dial_timeout_s,
            max_duration_s: MAX_DURATION_S,
            channel_vars: ChannelVars::default(),
            flow: None,
            given: GivenFacts::default(),
            dtmf: DtmfWay::default(),
            bridge_to: None,
            whisper: Vec::new(),
        };
        let direct = Direct {
            event_subject: make.event_subject,
            conf_uuid: make.conf_uuid,
            call_params: make.call_params,
        };
        let engine = self.me.clone();
        let told = Box::new(move |told| match told {
            DialReply::Accepted => reply(Answer::ok("it is being dialled")),
            DialReply::Refused { reason, detail } => {
                if let Some(engine) = engine.upgrade() {
                    engine.direct.forget(call_uuid);
                }
                reply(Answer::refused(refusal(reason, detail)));
            }
        });
        self.dial_as(command, Some(direct), told);
    }
}

fn can_be_done(make: &MakeCall) -> Result<(), Refused> {
    let not_yet = |field: &str, expected: &str, got: &str| {
        let field = format!("event_data.{field}");
        Err(Refused::field(
            name::NOT_YET,
            FieldError::new(field, expected, got),
        ))
    };
    if let Some(cpa) = &make.cpa_config {
        return not_yet(
            "cpa_config",
            "nothing: there is no call progress analysis yet",
            cpa,
        );
    }
    if make.join_conf {
        return not_yet(
            "join_conf",
            "false: this switch has no conferences yet",
            "true",
        );
    }
    match &make.add_to_conf {
        Some(call) => not_yet(
            "add_to_conf",
            "nothing: this switch has no conferences yet",
            &call.to_string(),
        ),
        None => Ok(()),
    }
}

fn refusal(reason: RefusalReason, detail: String) -> Refused {
    match reason {
        RefusalReason::Busy
        | RefusalReason::Draining
        | RefusalReason::License
        | RefusalReason::NotReady => Refused::for_now(name::BUSY, detail),
        RefusalReason::Duplicate => Refused::new(name::DUPLICATE, detail),
        reason => Refused {
            retryable: reason.is_retryable(),
            ..Refused::new(name::NOT_DIALLED, detail)
        },
    }
}
