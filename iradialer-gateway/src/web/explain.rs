//! `GET /api/calls/{call_uuid}/explain`: every decision on a call's path, with its time, what went into it
//! and why; and what a call that waits is waiting for.

mod answer;

use super::WebState;
use super::auth::Caller;
use super::calls::find;
use super::error::ApiError;
use super::openapi::params::OfCall;
use super::timestamp::Time;
use super::trunks::rounded;
use crate::catalogue::{Campaign, Catalogue, DEFAULT_REGION, Trunk};
use crate::tdb::{AttemptRecord, Call, CallEvent, Decision, LiveCounts};
use crate::trunk::{Gate, TrunkState};
use answer::{
    AcceptedStep, CancelStep, Explanation, OutcomeStep, Reason, ShownWaiting, Step, SwitchesSeen,
    TrunkVerdict,
};
use axum::Json;
use axum::extract::{Path, State};
use iradialer_core::call::CallState;
use iradialer_core::license::Features;
use iradialer_core::value::{CampaignName, DialNumber};
use serde_json::{Value, json};

/// How many events are looked at: those of all tries but for what happens within an answered call.
const MAX_EVENTS: u32 = 1_000;
/// How far the calls before a queued one are counted.
const MAX_AHEAD: u32 = 1_000;
/// A second, in which the starts of a trunk are counted.
const SECOND_MS: u64 = 1_000;

/// Every decision on the path of a call, and what it waits for
#[utoipa::path(
    get, path = "/api/calls/{call_uuid}/explain", tag = "calls",
    params(OfCall),
    responses(
        (status = 200, description = "Its path, and what it waits for", body = Explanation),
        (status = 404, description = "unknown_call"),
    ),
)]
pub(super) async fn explain(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
) -> Result<Json<Explanation>, ApiError> {
    let call = find(&state, &caller, &call_uuid).await?;
    let (tdb, catalogue) = (&state.app.tdb, state.app.catalogue());
    let mut path = Steps::default();
    let key = tdb.idempotency_key(call.call_uuid).await?;
    path.accepted(&call, campaign_of(&catalogue, &call), key);
    let attempts = tdb.attempts(call.call_uuid).await?;
    for attempt in &attempts {
        path.assigned(attempt);
    }
    for event in tdb.events(call.call_uuid, 0, MAX_EVENTS).await? {
        path.event(event);
    }
    for decision in tdb.decisions(call.call_uuid).await? {
        path.decision(decision);
    }
    for attempt in &attempts {
        path.outcome(attempt);
    }
    if let Some(at_ms) = call.cancel_requested_ms {
        path.cancel_requested(at_ms);
    }
    let waiting = match call.state {
        CallState::Queued => Some(Waiting::of(&state, &catalogue, &call).await?),
        _ => None,
    };
    Ok(Json(Explanation {
        attempt: call.attempt,
        call_uuid: call.call_uuid,
        path: path.into_steps(),
        state: call.state,
        waiting,
    }))
}

/// The campaign of the call, if there is one still.
fn campaign_of<'c>(catalogue: &'c Catalogue, call: &Call) -> Option<&'c Campaign> {
    let name = CampaignName::parse("campaign_name", &call.campaign_name).ok()?;
    catalogue.campaign(&call.tenant_id, &name)
}

/// The steps so far, each with its time.
#[derive(Default)]
struct Steps {
    steps: Vec<(u64, Step)>,
}

impl Steps {
    fn accepted(&mut self, call: &Call, campaign: Option<&Campaign>, key: Option<String>) {
        let hours = campaign.and_then(|campaign| campaign.hours);
        let step = AcceptedStep {
            hours: hours.map(|hours| hours.to_string()),
            region: campaign.map(|campaign| campaign.region.to_string()),
            ..AcceptedStep::of(call, key)
        };
        self.steps.push((call.created_ms, Step::Accepted(step)));
    }

    fn assigned(&mut self, attempt: &AttemptRecord) {
        let step = Step::Assigned(attempt.into());
        self.steps.push((attempt.assigned_ms, step));
    }

    fn outcome(&mut self, attempt: &AttemptRecord) {
        if let (Some(outcome), Some(at_ms)) = (&attempt.outcome, attempt.outcome_ms) {
            let step = OutcomeStep {
                at: Time::of(at_ms),
                attempt: attempt.attempt,
                reason: attempt.outcome_reason.clone(),
                what: outcome.clone(),
            };
            self.steps.push((at_ms, Step::Outcome(step)));
        }
    }

    fn decision(&mut self, decision: Decision) {
        let at_ms = decision.at_ms;
        self.steps.push((at_ms, Step::Decision(decision.into())));
    }

    /// What happens within an answered call decides nothing about it.
    fn event(&mut self, event: CallEvent) {
        let within = ["queued", "dtmf", "dtmf_collected", "play_done", "went_to"];
        if !within.contains(&event.name.as_str()) {
            self.steps.push((event.at_ms, Step::Event(event.into())));
        }
    }

    fn cancel_requested(&mut self, at_ms: u64) {
        let step = CancelStep {
            at: Time::of(at_ms),
            what: "cancel_requested",
        };
        self.steps.push((at_ms, Step::CancelRequested(step)));
    }

    /// In the order of their times. Clocks of several machines are in it; what they say at the same
    /// time stays in the order it was told.
    fn into_steps(mut self) -> Vec<Step> {
        self.steps.sort_by_key(|(at_ms, _)| *at_ms);
        self.steps.into_iter().map(|(_, step)| step).collect()
    }
}

/// What is looked at to say what a queued call waits for.
struct Waiting<'w> {
    state: &'w WebState,
    catalogue: &'w Catalogue,
    call: &'w Call,
    now_ms: u64,
    reasons: Vec<Reason>,
}

impl<'w> Waiting<'w> {
    async fn of(
        state: &'w WebState,
        catalogue: &'w Catalogue,
        call: &'w Call,
    ) -> Result<ShownWaiting, ApiError> {
        let now_ms = state.app.clock.now_ms();
        let mut waiting = Waiting {
            state,
            catalogue,
            call,
            now_ms,
            reasons: Vec::new(),
        };
        let tdb = &state.app.tdb;
        let campaign = campaign_of(catalogue, call);
        let live = tdb.live_counts().await?;
        let mut trunks = Vec::new();
        waiting.of_license();
        waiting.of_number().await?;
        waiting.of_time(campaign);
        match campaign {
            None => waiting.reason("unknown_campaign", json!({})),
            Some(campaign) => {
                waiting.of_campaign(campaign, &live);
                trunks = waiting.of_trunks(campaign, &live).await?;
            }
        }
        let region = campaign.map_or(DEFAULT_REGION, |campaign| campaign.region.as_str());
        let switches = waiting.of_routing(region).await?;
        let ahead = tdb.calls_ahead(call, MAX_AHEAD, now_ms).await?;
        if ahead > 0 {
            waiting.reason("others_first", json!({ "calls": ahead }));
        }
        Ok(ShownWaiting {
            reasons: waiting.reasons,
            region: region.to_owned(),
            switches,
            trunks,
        })
    }

    fn reason(&mut self, reason: &str, facts: Value) {
        self.reasons.push(Reason::of(reason, facts));
    }

    /// A call that was accepted while the licence held waits until another one does.
    fn of_license(&mut self) {
        if let Err(why) = self.state.app.license.standing().allows(Features::NONE) {
            let facts = json!({"message": why.message, "state": why.reason});
            self.reason("license", facts);
        }
    }

    /// A call whose number has come on the list since it was accepted, or may not be called any more, ends when its
    /// turn comes.
    async fn of_number(&mut self) -> Result<(), ApiError> {
        let tdb = &self.state.app.tdb;
        let destinations = &self.state.app.config.destinations;
        if let Ok(number) = DialNumber::parse("to_number", &self.call.to_number)
            && let Err(refused) = destinations.check(&self.call.tenant_id, &number)
        {
            self.reason("destination_refused", refused.facts());
        }
        if let Some(listed) = tdb.do_not_call_of(self.call).await? {
            // Its own reason is what this one is called by.
            let mut facts = listed.facts();
            facts["listed_for"] = facts["reason"].take();
            self.reason("do_not_call", facts);
        }
        Ok(())
    }

    fn of_time(&mut self, campaign: Option<&Campaign>) {
        let (call, now_ms) = (self.call, self.now_ms);
        if call.not_before_ms > now_ms {
            let until = Time::of(call.not_before_ms);
            self.reason("not_before", json!({ "until": until }));
        }
        let zone = call.request.timezone.as_deref();
        if let Some(campaign) = campaign
            && !campaign.is_open(now_ms, zone)
        {
            let until = Time::of(campaign.next_opening(now_ms, zone));
            let hours = campaign.hours.map(|hours| hours.to_string());
            let facts = json!({"until": until, "hours": hours, "timezone": zone});
            self.reason("outside_hours", facts);
        }
    }

    fn of_campaign(&mut self, campaign: &Campaign, live: &LiveCounts) {
        // Those that somebody is on the line for go on.
        if self.call.parent_uuid.is_none() {
            if !campaign.active {
                self.reason("campaign_inactive", json!({}));
            }
            if !self.catalogue.parameters().fires() {
                self.reason("no_calls_are_fired", json!({}));
            }
        }
        let key = (campaign.tenant_id.clone(), campaign.name.clone());
        let live = live.by_campaign.get(&key).copied().unwrap_or(0);
        if live >= campaign.max_calls {
            let facts = json!({"live_calls": live, "max_calls": campaign.max_calls});
            self.reason("campaign_full", facts);
        }
    }

    /// Each trunk of the campaign, and whether it could take the call now.
    async fn of_trunks(
        &mut self,
        campaign: &Campaign,
        live: &LiveCounts,
    ) -> Result<Vec<TrunkVerdict>, ApiError> {
        let tdb = &self.state.app.tdb;
        let states = tdb.trunk_states().await?;
        let refused = tdb.refused_trunks(self.call.call_uuid).await?;
        let mut shown = Vec::new();
        let mut any = false;
        for name in &campaign.trunks {
            let known = states.get(name).cloned().unwrap_or_default();
            let Some(trunk) = self.catalogue.trunks.get(name) else {
                shown.push(TrunkVerdict {
                    name: name.to_string(),
                    verdict: "not_configured",
                    ..TrunkVerdict::default()
                });
                continue;
            };
            let live = live.by_trunk.get(name).copied().unwrap_or(0);
            let verdict = match refused.contains(name) {
                true => TrunkVerdict {
                    name: name.to_string(),
                    verdict: "refused_this_call",
                    ..TrunkVerdict::default()
                },
                false => self.of_trunk(trunk, &known, live).await?,
            };
            any |= verdict.verdict == "room";
            shown.push(verdict);
        }
        if !any {
            self.reason("no_trunk_with_room", json!({}));
        }
        Ok(shown)
    }

    async fn of_trunk(
        &self,
        trunk: &Trunk,
        known: &TrunkState,
        live: u32,
    ) -> Result<TrunkVerdict, ApiError> {
        let shown = TrunkVerdict {
            name: trunk.name.to_string(),
            ..TrunkVerdict::default()
        };
        if !trunk.enabled {
            return Ok(TrunkVerdict {
                verdict: "disabled",
                ..shown
            });
        }
        if let Gate::Shut(at_ms, why) = known.gate(self.now_ms) {
            return Ok(TrunkVerdict {
                answer: Some(known.breaker_reason.clone()),
                until: Some(Time::of(at_ms)),
                verdict: why.as_str(),
                ..shown
            });
        }
        let shown = TrunkVerdict {
            live_calls: Some(live),
            max_calls: Some(trunk.max_calls),
            ..shown
        };
        if live >= trunk.max_calls {
            return Ok(TrunkVerdict {
                verdict: "full",
                ..shown
            });
        }
        let cps = known.rate(trunk.max_cps, self.now_ms);
        // One call may take more than a second at such a rate.
        let window_ms = SECOND_MS.max((1_000.0 / cps) as u64);
        let most = cps.ceil().max(1.0) as u32;
        let after_ms = self.now_ms.saturating_sub(window_ms);
        let tdb = &self.state.app.tdb;
        let starts = tdb.recent_starts(&trunk.name, after_ms, most).await?.len();
        Ok(TrunkVerdict {
            cps: Some(rounded(cps)),
            max_cps: Some(trunk.max_cps),
            started_lately: Some(starts),
            verdict: match starts >= most as usize {
                true => "at_its_rate",
                false => "room",
            },
            ..shown
        })
    }

    /// Whether a router leads the region, and what it thinks of its switches.
    async fn of_routing(&mut self, region: &str) -> Result<Option<SwitchesSeen>, ApiError> {
        let tdb = &self.state.app.tdb;
        let ends_ms = tdb.lease_ends_ms(region).await?;
        let view = tdb.switch_view(region).await?;
        if ends_ms.is_none_or(|ends_ms| ends_ms <= self.now_ms) {
            self.reason("no_router", json!({}));
        }
        if !self.state.app.switches.is_connected() {
            self.reason("bus_down", json!({}));
        }
        let Some(view) = view else {
            self.reason("no_switch_heard", json!({}));
            return Ok(None);
        };
        let switches = view.switches.as_array().cloned().unwrap_or_default();
        if switches.is_empty() {
            self.reason("no_switch_heard", json!({}));
        } else if switches.iter().all(|switch| switch["verdict"] != "room") {
            self.reason("no_switch_with_room", json!({}));
        }
        Ok(Some(SwitchesSeen {
            considered: switches,
            seen_at: Time::of(view.at_ms),
        }))
    }
}
