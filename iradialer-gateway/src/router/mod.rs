//! Gives the queued calls of one region to its switches: within the rate and capacity of each trunk, the limits of each
//! campaign and what each switch can take.
//!
//! The table is the queue. One loop looks at it when it is woken or when something falls due, plans
//! what can be dialled now, and hands each plan to a task of its own, so that a switch that does not
//! answer delays nothing else. A call is assigned in the TDB, and that is on the disk, before its
//! dial command is sent; from then on only a refusal or the switch's word that it never dialled
//! brings the call back into the queue.

mod collected;
mod dispatch;
mod flows;
mod heartbeats;
mod key_hours;
mod lease;
mod pace;
mod plan;
mod reconcile;
mod requests;
mod settle;
mod shared;
mod sweep;
pub mod switches;
mod transfers;
mod trunk_pace;
mod turns;
mod view;
mod wishes;

use crate::app::App;
use crate::catalogue::{Campaign, Catalogue};
use crate::clock::Moment;
use crate::config::Config;
use crate::tdb::{GatewayEnd, Lease, QueuedCall, TdbError};
use crate::trunk::TrunkState;
use dispatch::{Plan, dispatch};
use iradialer_core::value::{CallUuid, TrunkName};
use plan::{Look, Room, Sought};
use shared::{Hand, Shared};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use sweep::Sweeper;
use switches::Standing;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use trunk_pace::begun_ahead_ms;
use turns::{Head, Turns};
use view::View;
use wishes::Wishes;

/// The loop looks this often even if nothing wakes it.
const TICK: Duration = Duration::from_secs(1);
/// A loop that stood still for this long may have missed heartbeats.
const STOOD_STILL_MS: u64 = 5_000;
/// How many calls may be on their way to switches at once.
const MAX_IN_HAND: usize = 512;
/// How many calls of a campaign are read from the queue at once.
const PICK_AT_ONCE: usize = 64;
/// How many expired calls are ended in one transaction.
const EXPIRE_AT_ONCE: u32 = 200;

/// Routes until `stop`; then waits for the answers to what has been sent.
pub async fn run(app: App, client: async_nats::Client, stop: CancellationToken) {
    let shared = Arc::new(Shared::new(app, client, stop.clone()));
    for doubt in shared.app.catalogue().region_doubts() {
        tracing::warn!("{doubt}");
    }
    let (keeper, lease) = lease::Keeper::new(Arc::clone(&shared));
    shared.tasks.spawn(keeper.run());
    shared.tasks.spawn(heartbeats::listen(Arc::clone(&shared)));
    shared.tasks.spawn(flows::serve(Arc::clone(&shared)));
    shared.tasks.spawn(transfers::serve(Arc::clone(&shared)));
    shared.tasks.spawn(requests::serve(Arc::clone(&shared)));

    Router::new(Arc::clone(&shared), lease).run().await;
    shared.tasks.close();
    shared.tasks.wait().await;
}

struct Router {
    shared: Arc<Shared>,
    lease: watch::Receiver<Option<Lease>>,
    /// The epoch under which the pace of each trunk was begun, or taken over.
    paced_under: HashMap<TrunkName, u64>,
    /// The version of the catalogue that the switches are listed by.
    listed: u64,
    turns: Turns,
    sweeper: Sweeper,
    view: View,
    wishes: Wishes,
    looked: Moment,
}

impl Router {
    fn new(shared: Arc<Shared>, lease: watch::Receiver<Option<Lease>>) -> Router {
        let looked = shared.moment();
        Router {
            turns: Turns::default(),
            sweeper: Sweeper::default(),
            view: View::default(),
            wishes: Wishes::default(),
            shared,
            lease,
            paced_under: HashMap::new(),
            listed: 0,
            looked,
        }
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut told = false;
        while !shared.stop.is_cancelled() {
            let pause = match self.look().await {
                Ok(pause) => {
                    told = false;
                    pause
                }
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!(%error, "the queue can't be read, trying again until it can");
                    }
                    TICK
                }
            };
            tokio::select! {
                () = shared.app.wake.router.notified() => {}
                _ = self.lease.changed() => {}
                () = sleep(pause) => {}
                () = shared.stop.cancelled() => {}
            }
        }
    }

    /// Does what can be done now. Returns how long nothing will fall due.
    async fn look(&mut self) -> Result<Duration, TdbError> {
        let now = self.shared.moment();
        self.mind_the_time(now);
        let Some(lease) = *self.lease.borrow_and_update() else {
            return Ok(TICK);
        };
        if !self.shared.leads() {
            return Ok(TICK);
        }
        let now_ms = now.wall_ms;
        let catalogue = self.shared.app.catalogue();
        if std::mem::replace(&mut self.listed, catalogue.version) != catalogue.version {
            self.shared.switches().list(&catalogue);
        }
        self.sweeper.look(&self.shared, now).await?;
        self.view.keep(&self.shared, now_ms).await?;
        self.wishes.look(&self.shared, &catalogue, now.steady_ms);
        let queue_change_ms = self.expire(now_ms).await?;
        // What waits when the licence ends is dialled under the next one.
        let may_dial = self.shared.app.license.standing().state.takes_calls();
        let plan_again_ms = match self.shared.is_connected() && may_dial {
            true => {
                let epoch = lease.epoch;
                self.dispatch_what_fits(&catalogue, epoch, now).await?
            }
            false => None,
        };
        let queue_change_ms = queue_change_ms.map(|at_ms| now.steady_at(at_ms));
        let next_ms = [queue_change_ms, plan_again_ms].into_iter().flatten().min();
        let pause = next_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now.steady_ms)));
        Ok(pause.unwrap_or(TICK).min(TICK))
    }

    /// Heartbeats are missed while the bus is away and while this process stands still; that silence
    /// is ours, not the switches'. A clock that was set is told, because times that it wrote are off.
    fn mind_the_time(&mut self, now: Moment) {
        let stood_still = now.steady_ms.saturating_sub(self.looked.steady_ms) > STOOD_STILL_MS;
        if stood_still || !self.shared.is_connected() {
            self.shared.switches().deaf_until(now.steady_ms);
        }
        let by_ms = now.set_since(&self.looked);
        if by_ms != 0 {
            let direction = if by_ms > 0 { "ahead" } else { "back" };
            let by_s = by_ms.unsigned_abs() as f64 / 1_000.0;
            tracing::warn!(
                direction,
                by_s,
                "the clock of this machine was set: what waits by it \
                is due by the new time"
            );
        }
        self.looked = now;
    }

    /// Ends what has waited too long, of every region: a call whose own has no router expires as well, and it
    /// ends once, whoever does it. Returns when the queue next changes by itself.
    async fn expire(&self, now_ms: u64) -> Result<Option<u64>, TdbError> {
        let tdb = &self.shared.app.tdb;
        let next_ms = tdb.next_queue_change(now_ms).await?;
        if next_ms.is_none_or(|at_ms| at_ms > now_ms) {
            return Ok(next_ms);
        }
        let expired = tdb.expire_due(now_ms, EXPIRE_AT_ONCE).await?;
        if !expired.is_empty() {
            tracing::info!(calls = expired.len(), "calls expired in the queue");
            self.shared.app.wake.dispatcher.notify_one();
        }
        tdb.next_queue_change(now_ms).await
    }

    /// Brings the paces to the rates that the trunks bear now. Under a new lease they go on where the
    /// router that led before has stopped, so that no carrier is offered more across a takeover.
    async fn keep_pace(
        &mut self,
        catalogue: &Catalogue,
        states: &HashMap<TrunkName, TrunkState>,
        epoch: u64,
        now: Moment,
    ) -> Result<(), TdbError> {
        let shared = Arc::clone(&self.shared);
        let not_after_ms = shared.app.config.router.not_after.as_millis() as u64;
        let before_ahead_ms = shared.before_ahead_ms.load(Ordering::Relaxed);
        for trunk in catalogue.own_trunks() {
            let state = states.get(&trunk.name);
            let rate = state.map_or(trunk.max_cps, |state| {
                state.rate(trunk.max_cps, now.wall_ms)
            });
            let (most, window_ms) = shared
                .paces()
                .at_rate(&trunk.name, rate, now.steady_ms)
                .window();
            // A trunk that has come from another region since was fed by the router of that.
            if self.paced_under.get(&trunk.name) == Some(&epoch) {
                continue;
            }
            // By the clock of the router that led before, which has written them, and by ours, which may be
            // right: whatever may have been just now by one of them was.
            let before_ms = now.wall_ms.saturating_add_signed(before_ahead_ms);
            let after_ms = before_ms
                .min(now.wall_ms)
                .saturating_sub(not_after_ms + window_ms);
            // Those that fill a window are the last of what may have been on its way.
            let limit = u32::try_from(most + MAX_IN_HAND).unwrap_or(u32::MAX);
            let starts = shared.app.tdb.recent_starts(&trunk.name, after_ms, limit);
            let tries = starts.await?.into_iter().map(|start| {
                let clocks = [now.wall_ms, before_ms];
                let ahead_ms = begun_ahead_ms(start.begun_ms, clocks, not_after_ms);
                let begun_ms = now.steady_ms.saturating_add_signed(ahead_ms);
                ((start.call_uuid, start.attempt), begun_ms)
            });
            let mut paces = shared.paces();
            paces
                .at_rate(&trunk.name, rate, now.steady_ms)
                .take_over(tries);
            drop(paces);
            self.paced_under.insert(trunk.name.clone(), epoch);
        }
        Ok(())
    }

    /// Ends a call that every trunk its campaign has now refused: the campaign had more of them once.
    async fn end_refused(&self, call: &QueuedCall, now_ms: u64) -> Result<(), TdbError> {
        let (lead, end) = (self.shared.lead(), GatewayEnd::Rejected);
        let reason = "every trunk of its campaign has refused it";
        let tdb = &self.shared.app.tdb;
        tdb.end(lead, call.call_uuid, call.attempt, end, reason, now_ms)
            .await?;
        self.shared.app.wake.dispatcher.notify_one();
        Ok(())
    }

    /// Ends a call whose switch is gone, and with it the one that it was to be connected with.
    async fn end_unless_here(&self, call: &QueuedCall, now_ms: u64) -> Result<bool, TdbError> {
        let Some((_, pin)) = &call.waited_for else {
            return Ok(false);
        };
        let lost_after_ms = self.shared.app.config.router.switch_lost_after.as_millis() as u64;
        match self
            .shared
            .standing_of(&pin.node_id, &pin.incarnation, None)
        {
            Standing::Here => return Ok(false),
            Standing::Silent { for_ms } if for_ms <= lost_after_ms => return Ok(false),
            Standing::Silent { .. } | Standing::Replaced { .. } => {}
        }
        let (lead, end) = (self.shared.lead(), GatewayEnd::Canceled);
        let reason = "the switch with the call that it was to be connected with is gone";
        let tdb = &self.shared.app.tdb;
        tdb.end(lead, call.call_uuid, call.attempt, end, reason, now_ms)
            .await?;
        self.shared.app.wake.dispatcher.notify_one();
        Ok(true)
    }

    /// Plans what can be dialled now and sends it on its way. Returns when more may fit.
    async fn dispatch_what_fits(
        &mut self,
        catalogue: &Catalogue,
        epoch: u64,
        now: Moment,
    ) -> Result<Option<u64>, TdbError> {
        let now_ms = now.wall_ms;
        let shared = Arc::clone(&self.shared);
        let picked = Instant::now();
        // In this order: a call that is assigned in between is counted twice, not missed.
        let in_hand = shared.in_hand();
        let live = shared.app.tdb.live_counts().await?;
        let states = shared.app.tdb.trunk_states().await?;
        self.keep_pace(catalogue, &states, epoch, now).await?;
        let not_after = shared.app.config.router.not_after;
        let mut room = Room::new(catalogue, not_after, live, states, &in_hand, now_ms);
        let mut again = Soonest::default();

        let mut queue = Vec::new();
        for campaign in catalogue.own_campaigns() {
            let sought = room.for_campaign(
                campaign,
                &mut Look {
                    paces: &mut shared.paces(),
                    switches: &mut shared.switches(),
                    at: now,
                },
            );
            match sought {
                Sought::Found(()) => {}
                Sought::NotBefore(at_ms) => {
                    again.at(at_ms);
                    continue;
                }
                Sought::Nothing => continue,
            }
            let takes_new = campaign.active && catalogue.parameters().fires();
            let waiting = pick(&shared, campaign, takes_new, &in_hand, now_ms).await?;
            if waiting.len() >= PICK_AT_ONCE {
                again.at(now.steady_ms);
            }
            queue.push((campaign, VecDeque::from(waiting)));
        }

        let free = MAX_IN_HAND.saturating_sub(in_hand.len());
        let mut moved = 0;
        for _ in 0..free {
            let Some((campaign, call)) = take_next(&self.turns, &mut queue) else {
                break;
            };
            let refused = match call.attempt {
                1 => Vec::new(),
                _ => shared.app.tdb.refused_trunks(call.call_uuid).await?,
            };
            if !refused.is_empty() && trunks_for(campaign, &call).all(|it| refused.contains(it)) {
                self.end_refused(&call, now_ms).await?;
                continue;
            }
            if self.end_unless_here(&call, now_ms).await? {
                continue;
            }
            // Not when the look began: the call's time runs from here.
            let at = shared.moment();
            let Some(not_after_ms) = not_after_ms(&shared.app.config, campaign, &call, at) else {
                // The hours have just ended: the next look puts it off.
                again.at(at.steady_ms);
                moved += 1;
                continue;
            };
            let sought = room.take(
                campaign,
                &call,
                &refused,
                &mut Look {
                    paces: &mut shared.paces(),
                    switches: &mut shared.switches(),
                    at,
                },
            );
            match sought {
                Sought::Found(place) => {
                    moved += 1;
                    self.turns.took(&campaign.tenant_id, &campaign.name);
                    let hand = Hand::new(campaign, &place.trunk, place.probe);
                    let node = place.switch.node.clone();
                    let holder = shared.take_in_hand(call.call_uuid, node, hand);
                    let plan = Plan {
                        call,
                        place,
                        epoch,
                        not_after_ms,
                        picked,
                        at,
                    };
                    shared
                        .tasks
                        .spawn(dispatch(Arc::clone(&shared), plan, holder));
                }
                Sought::NotBefore(at_ms) => again.at(at_ms),
                Sought::Nothing => {}
            }
        }
        // With nothing moved, looking again at once would find the same.
        Ok(again.0.filter(|at_ms| moved > 0 || *at_ms > now.steady_ms))
    }
}

/// Until when a call that is given out now may be dialled: the time a command is good for, and not after the
/// campaign's hours. None where they are over.
fn not_after_ms(
    config: &Config,
    campaign: &Campaign,
    call: &QueuedCall,
    at: Moment,
) -> Option<u64> {
    let until_ms = at.wall_ms + config.router.not_after.as_millis() as u64;
    // Somebody is on the line: that is no hour to put them off to.
    if call.waited_for.is_some() {
        return Some(until_ms);
    }
    let open_ms = campaign.open_until(at.wall_ms, until_ms, call.request.timezone.as_deref());
    (open_ms > at.wall_ms).then_some(open_ms)
}

/// The trunks that the call may go through.
fn trunks_for<'c>(
    campaign: &'c Campaign,
    call: &'c QueuedCall,
) -> impl Iterator<Item = &'c TrunkName> {
    let only = call.request.trunk.as_ref();
    let trunks = campaign.trunks.iter();
    trunks.filter(move |trunk| only.is_none_or(|only| only == *trunk))
}

/// What waits in a campaign, in its order.
type Waiting<'c> = (&'c Campaign, VecDeque<QueuedCall>);

/// Takes the call whose turn it is out of the queue.
fn take_next<'c>(
    turns: &Turns,
    queue: &mut Vec<Waiting<'c>>,
) -> Option<(&'c Campaign, QueuedCall)> {
    queue.retain(|(_, calls)| !calls.is_empty());
    let heads = queue.iter().filter_map(|(campaign, calls)| {
        calls.front().map(|call| Head {
            tenant: &campaign.tenant_id,
            campaign: &campaign.name,
            priority: call.priority,
            created_ms: call.created_ms,
        })
    });
    let next = turns.next(heads)?;
    let (campaign, calls) = queue.get_mut(next)?;
    Some((campaign, calls.pop_front()?))
}

/// The first calls of the campaign that are not in hand; where it takes no new ones, those that somebody is on the
/// line for.
async fn pick(
    shared: &Shared,
    campaign: &Campaign,
    takes_new: bool,
    in_hand: &HashMap<CallUuid, Hand>,
    now_ms: u64,
) -> Result<Vec<QueuedCall>, TdbError> {
    // Those in hand are still queued until their assignment is committed.
    let hidden = in_hand.values().filter(|hand| !hand.assigned).count();
    let limit = u32::try_from(PICK_AT_ONCE + hidden).unwrap_or(u32::MAX);
    let (tdb, tenant, name) = (&shared.app.tdb, &campaign.tenant_id, &campaign.name);
    let picked = match takes_new {
        true => tdb.pick(tenant, name, limit, now_ms).await?,
        false => tdb.pick_waited_for(tenant, name, limit, now_ms).await?,
    };
    let (open, closed): (Vec<_>, Vec<_>) = picked
        .into_iter()
        .filter(|call| !in_hand.contains_key(&call.call_uuid))
        .partition(|call| {
            call.waited_for.is_some() || campaign.is_open(now_ms, call.request.timezone.as_deref())
        });
    put_off(shared, campaign, closed, now_ms).await?;
    Ok(open)
}

/// Puts calls off that waited until their campaign's hours were over, so that they neither ring at
/// night nor keep others from being picked.
async fn put_off(
    shared: &Shared,
    campaign: &Campaign,
    closed: Vec<QueuedCall>,
    now_ms: u64,
) -> Result<(), TdbError> {
    if closed.is_empty() {
        return Ok(());
    }
    tracing::info!(
        campaign = campaign.name.as_str(),
        calls = closed.len(),
        "put off until the campaign's hours"
    );
    let opening =
        |call: &QueuedCall| campaign.next_opening(now_ms, call.request.timezone.as_deref());
    let until = closed
        .iter()
        .map(|call| (call.call_uuid, opening(call)))
        .collect();
    let why = "outside_hours";
    shared.app.tdb.postpone(until, why, now_ms).await?;
    // There may be others behind them.
    shared.app.wake.router.notify_one();
    Ok(())
}

/// The soonest of the times it was told.
#[derive(Default)]
struct Soonest(Option<u64>);

impl Soonest {
    fn at(&mut self, at_ms: u64) {
        self.0 = Some(self.0.map_or(at_ms, |soonest_ms| soonest_ms.min(at_ms)));
    }
}
