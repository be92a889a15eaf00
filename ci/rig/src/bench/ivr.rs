//! What a flow costs the switch, beside its own dialplan doing the same.

use super::phones::Script;
use super::site::{AT_ONCE, PHONES};
use super::{Module, Offer, Originate, Outcome, Site, TYPED, Table};
use crate::freeswitch::Installation;
use crate::repository::Built;
use crate::scenario::flow_named;
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;

/// The flow `press_one_then_code` in the host's own terms.
const DIALPLAN: &str = r#"<include>
  <context name="bench">
    <extension name="press one, then code">
      <condition field="destination_number" expression="^ivr$">
        <action application="play_and_get_digits" data="1 1 1 4000 # PROMPTS/menu.wav PROMPTS/sorry.wav menu [1]"/>
        <action application="play_and_get_digits" data="4 6 1 5000 # PROMPTS/code.wav PROMPTS/sorry.wav code \d+ 2500"/>
        <action application="playback" data="PROMPTS/bye.wav"/>
        <action application="hangup"/>
      </condition>
    </extension>
  </context>
</include>
"#;
/// Hears as much as the module reports: steps, keys, what was played, the end.
const HEARS_ALL: Originate = Originate::into(
    "ivr XML bench",
    "CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER DTMF PLAYBACK_STOP CHANNEL_HANGUP_COMPLETE",
);
/// Hears of the end alone.
const HEARS_ENDS: Originate = Originate::into("ivr XML bench", "CHANNEL_HANGUP_COMPLETE");
/// About how long such a call lasts.
const LASTS: Duration = Duration::from_secs(5);
/// Calls a second, and for how many seconds.
const OFFER: (f64, f64) = (25.0, 16.0);

/// Calls that are up when memory is looked at, how many begin in a second, and those before them that fill the
/// switch's pools.
const UP: u32 = 400;
const UP_PER_SECOND: f64 = 40.0;
const WARM_UP: u32 = 40;
/// The most that a flow's call may take beyond a parked one, KiB.
const MOST_KIB: f64 = 16.0;

/// Both loads at the same time, each on a fresh switch of its own.
pub async fn ivr(
    table: &mut Table,
    installation: &Installation,
    built: &Built,
    rounds: u32,
) -> Result<()> {
    for (originate, what, most) in [
        (
            HEARS_ALL,
            "switch CPU a call, menu and code, beside play_and_get_digits, ms",
            1.05,
        ),
        (
            HEARS_ENDS,
            "  beside a peer that hears of ends alone",
            f64::INFINITY,
        ),
    ] {
        let (mut ours, mut peers) = (Outcome::default(), Outcome::default());
        for round in 1..=rounds {
            let [our, peer] = round_of(installation, built, originate).await?;
            println!(
                "menu and code {round}: {:.2} ms, dialplan {:.2} ms a call, of {} and {}",
                our.cpu_ms_per_call(),
                peer.cpu_ms_per_call(),
                our.completed,
                peer.completed
            );
            ours.add(&our);
            peers.add(&peer);
        }
        let (ours, peers) = (ours.cpu_ms_per_call(), peers.cpu_ms_per_call());
        let bound = if most.is_finite() {
            "<= 1.05"
        } else {
            "to know"
        };
        table.compare(what, ours, peers, bound, |ratio| ratio <= most);
    }
    Ok(())
}

async fn round_of(
    installation: &Installation,
    built: &Built,
    originate: Originate,
) -> Result<[Outcome; 2]> {
    let code = format!("{TYPED}#");
    let later = code.chars().zip(0..).map(|(key, n)| (3_000 + 250 * n, key));
    let script = Script {
        keys: std::iter::once((1_500, '1')).chain(later).collect(),
        speaks_ms: Some(5_000),
        ..Script::default()
    };
    let fresh = || Site::with_phones(installation, built, script.clone(), DIALPLAN);
    let (our_site, peers_site) = (fresh().await?, fresh().await?);
    let module = Module::of(&our_site).await?;
    let module = module.playing(&flow_named("press_one_then_code")?)?;
    let offer = Offer::lasting(OFFER.0, OFFER.1);
    let (our, peer) = tokio::try_join!(
        module.offer(our_site.usage(), PHONES, offer, LASTS),
        originate.offer(&peers_site, PHONES, offer, LASTS)
    )?;
    for (whose, outcome) in [("the flow", &our), ("the dialplan", &peer)] {
        ensure!(
            outcome.completed == offer.calls && outcome.typed == offer.calls,
            "{whose}: of {} calls {} ended in order and {} collected {TYPED}",
            offer.calls,
            outcome.completed,
            outcome.typed
        );
    }
    Ok([our, peer])
}

/// What a call in a flow's menu takes beyond one that is parked: on fresh switches, in turn.
pub async fn memory(
    table: &mut Table,
    installation: &Installation,
    built: &Built,
    rounds: u32,
) -> Result<()> {
    let (mut ours, mut peers) = (0.0, 0.0);
    for round in 1..=rounds {
        let parked = parked(&Site::start(installation, built).await?).await?;
        let in_menu = in_menu(&Site::start(installation, built).await?).await?;
        println!("memory {round}: {in_menu:.1} KiB a call in a menu, {parked:.1} KiB parked");
        ours += in_menu / f64::from(rounds);
        peers += parked / f64::from(rounds);
    }
    table.beside(
        "memory of a call in a menu, and of a parked one, KiB",
        ours,
        Some(peers),
        "<= 16 more",
        ours - peers <= MOST_KIB,
    );
    Ok(())
}

const UP_OFFER: Offer = Offer {
    calls: UP,
    per_second: UP_PER_SECOND,
};
const WARM_UP_OFFER: Offer = Offer {
    calls: WARM_UP,
    per_second: UP_PER_SECOND,
};
/// Until every call is where it stays, and until the ones before it are gone.
const SETTLE: Duration = Duration::from_secs(6);

async fn parked(site: &Site) -> Result<f64> {
    Originate::HEARS_ENDS
        .offer(site, AT_ONCE, WARM_UP_OFFER, Duration::ZERO)
        .await?;
    tokio::time::sleep(SETTLE).await;
    let before = site.usage().memory_kib()?;
    Originate::into("&park()", "")
        .begin(site, AT_ONCE, UP_OFFER)
        .await?;
    grown(site, before).await
}

async fn in_menu(site: &Site) -> Result<f64> {
    let module = Module::of(site).await?;
    module
        .offer(site.usage(), AT_ONCE, WARM_UP_OFFER, Duration::ZERO)
        .await?;
    tokio::time::sleep(SETTLE).await;
    let before = site.usage().memory_kib()?;
    let flow = json!({"version": 1, "name": "bench", "start": "menu", "nodes": {"menu": {"menu": {
        "prompt": [{"file": "menu.wav"}], "choices": {"1": "@hangup"}, "timeout_ms": 60_000,
        "exhausted": "@hangup"}}}});
    let taken = module.playing(&flow)?.ring(AT_ONCE, UP_OFFER).await?;
    let taken = taken.len();
    ensure!(taken == UP as usize, "{taken} of {UP} calls were taken");
    grown(site, before).await
}

/// KiB a call.
async fn grown(site: &Site, before: u64) -> Result<f64> {
    tokio::time::sleep(SETTLE).await;
    let mut socket = site.switch.event_socket().await?;
    let up = socket.api("show calls count").await?;
    ensure!(
        up.contains(&format!("{UP} total")),
        "{up} and not {UP} calls are up"
    );
    let now = site.usage().memory_kib()?;
    Ok(now.saturating_sub(before) as f64 / f64::from(UP))
}
