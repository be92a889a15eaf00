//! What a carrier's answer to an INVITE, or none, makes of the call and of the trunk: a carrier that says
//! nothing, one that takes fewer calls a second than it is given, and one that places none for a while.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::api::Api;
use iradialer_rig::freeswitch;
use iradialer_rig::gateway::{self, Campaign, Config};
use iradialer_rig::repository::Built;
use iradialer_rig::silent::SilentFarEnd;
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use iradialer_rig::system::{Bus, Host, System};
use iradialer_rig::webhook::Delivery;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TENANT: &str = "acme";
/// The sandbox's callee that gives no SIP answer at all.
const SILENT: &str = "+15005550012";
const BUSY: &str = "+15005550003";
const SAYS_408: &str = "+15005557408";
const SAYS_503: &str = "+15005557503";
/// The sandbox's carrier that takes 4 calls a second.
const FOUR_A_SECOND: &str = "+1500555804";
/// Longer than timer B and anything else here takes with every core busy.
const LONG: Duration = Duration::from_secs(90);
/// Faults of a trunk that open its breaker.
const FAULTS: usize = 5;

struct Site {
    system: System,
    api: Api,
    _prompts: TempDir,
}

impl Site {
    /// A system on `host` with these trunks, and campaigns on some of them in their order.
    async fn start(
        host: Host,
        trunks: &[&str],
        campaigns: &[(&str, &[&str])],
        max_cps: f64,
    ) -> Result<Self> {
        let built = Built::now(false)?;
        let prompts = iradialer_rig::prompts::in_temp_dir()?;
        let trunk = |name: &&str| gateway::Trunk {
            name: (*name).into(),
            max_cps,
            max_calls: 100,
        };
        let campaign = |(name, trunks): &(&str, &[&str])| Campaign {
            name: (*name).into(),
            tenant_id: TENANT.into(),
            trunks: trunks.iter().map(|name| (*name).into()).collect(),
            from_number: "+15005550100".into(),
            event_url: String::new(),
            flow: String::new(),
            max_calls: 100,
        };
        let config = Config {
            trunks: trunks.iter().map(trunk).collect(),
            campaigns: campaigns.iter().map(campaign).collect(),
            ..Config::default()
        };
        let system = System::start(&built, host, Bus::Named, config, prompts.path()).await?;
        let api = system.gateway.api(TENANT)?;
        Ok(Site {
            system,
            api,
            _prompts: prompts,
        })
    }

    /// Asks for a call that waits for an answer longer than timer B.
    async fn call(&self, campaign: &str, number: &str) -> Result<String> {
        let request = json!({"campaign_name": campaign, "to_number": number, "dial_timeout": 60});
        self.api.make_call(&request).await
    }

    /// Its events to its end; there is one.
    async fn end(&self, call: &str) -> Result<Vec<Delivery>> {
        let events = self.system.webhooks.wait_for_end(call, LONG).await;
        let events = events.with_context(|| self.system.logs())?;
        let last = events.iter().filter(|event| event.is_final()).count();
        ensure!(last == 1, "{last} last events of {call}");
        Ok(events)
    }

    async fn trunk(&self, name: &str) -> Result<Value> {
        let answer = self.api.get(&format!("/api/trunks/{name}")).await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(answer.body)
    }

    /// The trunk, once it is as `fits` says.
    async fn trunk_that(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + LONG;
        loop {
            let trunk = self.trunk(name).await?;
            if fits(&trunk) {
                return Ok(trunk);
            }
            ensure!(Instant::now() < deadline, "{trunk}\n{}", self.system.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The steps of the call's path of this kind.
    async fn steps(&self, call: &str, what: &str) -> Result<Vec<Value>> {
        let answer = self.api.get(&format!("/api/calls/{call}/explain")).await?;
        let path = answer.body["path"].as_array().context("no path")?;
        Ok(path.iter().filter(|s| s["what"] == what).cloned().collect())
    }

    /// INVITEs that the sandbox sent to the number.
    async fn invites(&self, number: &str) -> Result<usize> {
        let shown = self.system.switch.exec("show invites").await?;
        let line = shown.lines().find_map(|line| line.strip_prefix(number));
        Ok(line.map_or(Ok(0), |count| count.trim().parse())?)
    }

    /// Calls that nobody answers at all: dialled once each, blamed on the trunk `silent`, not on a carrier's
    /// word, and not dialled through another, because what said that it rings may be what got lost.
    async fn nobody_answers_at_all(&self, campaign: &str, silent: &str) -> Result<()> {
        let mut calls = Vec::new();
        for _ in 0..FAULTS {
            calls.push(self.call(campaign, SILENT).await?);
        }
        for call in &calls {
            let events = self.end(call).await?;
            let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
            ensure!(names == ["queued", "started", "hangup"], "{events:?}");
            let last = &events[2].data;
            ensure!(
                last["sip_status"] == 408 && last["sip_phrase"].is_null() && last["rang"] == false,
                "{last}"
            );
            ensure!(last["by"] == "callee" && last["attempt"] == 1, "{last}");
            let record = self.api.call(call).await?;
            ensure!(
                record.text("/state") == "failed" && record.text("/trunk") == silent,
                "{record:?}"
            );
            ensure!(self.steps(call, "queued_again").await?.is_empty());
            ensure!(self.steps(call, "ended").await?.len() == 1);
        }
        let opened = |trunk: &Value| trunk["breaker"] == "open";
        let trunk = self.trunk_that(silent, opened).await?;
        let reason = trunk["breaker_reason"].as_str().unwrap_or_default();
        ensure!(reason.starts_with("no answer for 3"), "{trunk}");
        Ok(())
    }

    /// A 408 that a carrier says itself is a refusal: the call goes on through the next trunk.
    async fn said_408_goes_on(&self, campaign: &str, number: &str) -> Result<Vec<Delivery>> {
        let call = self.call(campaign, number).await?;
        let events = self.end(&call).await?;
        let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
        let twice = ["queued", "started", "hangup", "started", "hangup"];
        ensure!(names == twice, "{names:?}");
        let refused = &events[2].data;
        ensure!(
            refused["sip_status"] == 408 && refused["sip_phrase"] == "Request Timeout",
            "{refused}"
        );
        let again = self.steps(&call, "queued_again").await?;
        ensure!(
            again.len() == 1 && again[0]["reason"] == "408 Request Timeout",
            "{again:?}"
        );
        Ok(events)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_no_sip_answer_at_all() -> Result<()> {
    let host = Host::Sandbox { clock_rate: 1 };
    let trunks = ["first", "second"];
    let site = Site::start(host, &trunks, &[("both", &trunks)], 100.0).await?;
    let events = site.said_408_goes_on("both", SAYS_408).await?;
    let of = |event: &Delivery| event.data["gateway"].clone();
    ensure!(of(&events[1]) == "first" && of(&events[3]) == "second");
    ensure!(site.invites(SAYS_408).await? == 2);
    site.nobody_answers_at_all("both", "first").await?;
    ensure!(site.invites(SILENT).await? == FAULTS);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_no_sip_answer_at_all() -> Result<()> {
    let test = "freeswitch_no_sip_answer_at_all";
    let Some(installation) = skip::without_freeswitch(test)? else {
        return Ok(());
    };
    let silent = SilentFarEnd::start()?;
    let timeout = [("status", "408"), ("phrase", "Request Timeout")];
    let times_out = Sipp::start("reject", &timeout).await?;
    let busy = [("status", "486"), ("phrase", "Busy Here")];
    let good = Sipp::start("reject", &busy).await?;
    let trunk = |name: &str, far_end| freeswitch::Trunk {
        name: name.into(),
        far_end,
    };
    let switch = freeswitch::Config {
        trunks: vec![
            trunk("silent", silent.address()),
            trunk("times-out", times_out.address()),
            trunk("good", good.address()),
        ],
        ..freeswitch::Config::default()
    };
    let site = Site::start(
        Host::FreeSwitch(installation, switch),
        &["silent", "times-out", "good"],
        &[
            ("unheard", &["silent", "good"]),
            ("said", &["times-out", "good"]),
        ],
        100.0,
    )
    .await?;
    let events = site.said_408_goes_on("said", BUSY).await?;
    ensure!(events[4].data["sip_status"] == 486, "{events:?}");
    ensure!(times_out.calls()? == 1 && good.calls()? == 1);
    site.nobody_answers_at_all("unheard", "silent").await?;
    let invited = silent.calls();
    ensure!(invited.len() == FAULTS, "{invited:?}");
    ensure!(good.calls()? == 1, "dialled again through another trunk");
    Ok(())
}

/// A carrier that refuses what comes faster than it takes calls: the trunk learns its rate, the calls wait
/// and are made, and none that rang is dialled again.
#[tokio::test(flavor = "multi_thread")]
async fn sandbox_carrier_takes_fewer_calls_a_second() -> Result<()> {
    const CALLS: usize = 14;
    const MAX_CPS: f64 = 20.0;
    let host = Host::Sandbox { clock_rate: 1 };
    let site = Site::start(host, &["carrier"], &[("test", &["carrier"])], MAX_CPS).await?;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(site.call("test", FOUR_A_SECOND).await?);
    }
    let learned = |trunk: &Value| trunk["learned_cps"].is_number();
    let trunk = site.trunk_that("carrier", learned).await?;
    let cps = trunk["learned_cps"].as_f64().context("no rate")?;
    // Half of what it was given within a second, which is no more than it may have; a little of what it
    // has crept up since.
    ensure!(
        cps < MAX_CPS * 0.6 && trunk["cps"] == trunk["learned_cps"],
        "{trunk}"
    );
    ensure!(trunk["breaker"] == "closed", "{trunk}");

    let (mut dialled, mut refused) = (0, 0);
    for call in &calls {
        let events = site.end(call).await?;
        let tries = events
            .iter()
            .filter(|event| event.name == "started")
            .count();
        dialled += tries;
        refused += tries - 1;
        let rang = events.iter().position(|event| event.name == "ringing");
        let after = &events[rang.context("it never rang")?..];
        let after: Vec<_> = after.iter().map(|event| event.name.as_str()).collect();
        let expected = ["ringing", "answered", "call_quality", "hangup"];
        ensure!(after == expected, "{after:?}");
        let not_last = |event: &&Delivery| event.name == "hangup" && !event.is_final();
        for refusal in events.iter().filter(not_last) {
            let data = &refusal.data;
            ensure!(
                data["sip_status"] == 503
                    && data["sip_phrase"] == "Trunk CPS limit exceeded"
                    && data["rang"] == false,
                "{data}"
            );
        }
        let record = site.api.call(call).await?;
        ensure!(record.text("/state") == "completed", "{record:?}");
        let again = site.steps(call, "queued_again").await?;
        ensure!(again.len() == tries - 1, "{again:?}");
    }
    ensure!(refused > 0, "the carrier refused nothing");
    let invites = site.invites(FOUR_A_SECOND).await?;
    ensure!(invites == dialled, "{invites} INVITEs of {dialled} tries");
    Ok(())
}

/// A carrier that places no calls gets none until one that probes it is placed.
#[tokio::test(flavor = "multi_thread")]
async fn sandbox_breaker_opens_and_a_probe_closes_it() -> Result<()> {
    let host = Host::Sandbox { clock_rate: 1 };
    let site = Site::start(host, &["carrier"], &[("test", &["carrier"])], 100.0).await?;
    for _ in 0..FAULTS {
        let call = site.call("test", SAYS_503).await?;
        let events = site.end(&call).await?;
        let last = &events.last().context("no events")?.data;
        ensure!(last["sip_status"] == 503, "{last}");
    }
    let opened = Instant::now();
    let trunk = site.trunk("carrier").await?;
    ensure!(
        trunk["breaker"] == "open" && trunk["breaker_reason"] == "503 Service Unavailable",
        "{trunk}"
    );
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(site.call("test", BUSY).await?);
    }
    let mut probes = 0;
    for call in &calls {
        site.end(call).await?;
        let assigned = site.steps(call, "assigned").await?;
        ensure!(assigned.len() == 1, "{assigned:?}");
        if assigned[0]["why"]["trunk"]["probe"] == true {
            probes += 1;
        }
        let record = site.api.call(call).await?;
        ensure!(record.text("/state") == "busy", "{record:?}");
    }
    ensure!(probes == 1, "{probes} probes");
    // It is open for 5 s from the last fault, which is a little older than what is measured here.
    let waited = opened.elapsed();
    ensure!(waited > Duration::from_secs(4), "{waited:?}");
    ensure!(site.invites(BUSY).await? == calls.len());
    let closed = |trunk: &Value| trunk["breaker"] == "closed" && trunk["accepts"] == "calls";
    site.trunk_that("carrier", closed).await?;
    Ok(())
}
