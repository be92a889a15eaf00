//! Calls that come in: the same events and records as of calls that are placed, on a real switch with sipp as
//! the caller and on the sandbox; what can't be taken is refused before it is answered.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::gateway::{Campaign, Config, Did, Flows, Trunk};
use iradialer_rig::repository::{self, Built};
use iradialer_rig::sipp::Sipp;
use iradialer_rig::system::{Bus, Host, Switch, System};
use iradialer_rig::webhook::Delivery;
use iradialer_rig::{freeswitch, prompts, skip};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TENANT: &str = "acme";
const CAMPAIGN: &str = "callers";
const CALLER: &str = "+15005550199";
/// The number that a menu answers.
const MENU: &str = "+15005550150";
/// The number whose callers are put on the do-not-call list.
const NO_MORE: &str = "+15005550151";
/// A number that nobody has.
const NOBODYS: &str = "+15005550152";
/// Longer than anything here takes with every core busy.
const LONG: Duration = Duration::from_secs(60);

struct Site {
    system: System,
    _prompts: TempDir,
    _flows: TempDir,
}

impl Site {
    async fn start(host: Host) -> Result<Self> {
        let built = Built::now(false)?;
        let (prompts, flows) = (prompts::in_temp_dir()?, tempfile::tempdir()?);
        for flow in ["press_one.json", "opts_out.json"] {
            let from = repository::root()?.join("ci/rig/tests/flows").join(flow);
            std::fs::copy(from, flows.path().join(flow))?;
        }
        let did = |number: &str, flow: &str| Did {
            number: number.into(),
            tenant_id: TENANT.into(),
            campaign: CAMPAIGN.into(),
            flow: flow.into(),
        };
        let config = Config {
            trunks: vec![Trunk {
                name: "unused".into(),
                max_cps: 1.0,
                max_calls: 1,
            }],
            campaigns: vec![Campaign {
                name: CAMPAIGN.into(),
                tenant_id: TENANT.into(),
                trunks: vec!["unused".into()],
                from_number: MENU.into(),
                event_url: String::new(),
                flow: String::new(),
                max_calls: 10,
            }],
            dids: vec![did(MENU, "press_one"), did(NO_MORE, "opts_out")],
            flows: Some(Flows {
                dir: flows.path().to_owned(),
            }),
            ..Config::default()
        };
        let system = System::start(&built, host, Bus::Named, config, prompts.path()).await?;
        Ok(Site {
            system,
            _prompts: prompts,
            _flows: flows,
        })
    }

    /// Calls a number and does what the caller does.
    async fn call(&self, number: &str, does: Does) -> Result<()> {
        let values = [("number", number), ("caller", CALLER)];
        match (&self.system.switch, does) {
            (Switch::FreeSwitch(switch), Does::Presses(key)) => {
                let values = [values[0], values[1], ("keys", key)];
                Sipp::call(switch.sip_address(), "call_in_keys", &values, LONG).await
            }
            (Switch::FreeSwitch(switch), Does::Leaves) => {
                Sipp::call(switch.sip_address(), "call_in_leave", &values, LONG).await
            }
            (Switch::FreeSwitch(switch), Does::IsRefused(status)) => {
                let values = [values[0], values[1], ("status", status)];
                Sipp::call(switch.sip_address(), "call_in_refused", &values, LONG).await
            }
            (Switch::Sandbox(sandbox), does) => {
                let steps = match does {
                    Does::Presses(key) => format!("1500:{key}"),
                    Does::Leaves => "1000:bye".to_owned(),
                    Does::IsRefused(_) => "-".to_owned(),
                };
                let answer = sandbox.exec(&format!("inbound {CALLER} {number} {steps}"))?;
                ensure!(answer.starts_with("+OK"), "{answer}");
                Ok(())
            }
        }
        .with_context(|| self.system.logs())
    }

    /// Waits for all events of the one call to the number that came after `since`.
    async fn ended(&self, number: &str, since: Instant) -> Result<Vec<Delivery>> {
        let call = self.come(number, since, "started").await?;
        let events = self.system.webhooks.wait_for_end(&call, LONG).await;
        events.with_context(|| self.system.logs())
    }

    /// Waits for such an event of a call to the number, and returns the call.
    async fn come(&self, number: &str, since: Instant, name: &str) -> Result<String> {
        let until = Instant::now() + LONG;
        loop {
            let events = self.system.webhooks.events();
            let of = |event: &&Delivery| {
                event.at >= since && event.name == name && event.data["to_number"] == number
            };
            if let Some(event) = events.iter().find(of) {
                return Ok(event.call().to_owned());
            }
            ensure!(Instant::now() < until, "{name}:\n{}", self.system.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is left on the switch of a call that was refused with those words.
    async fn refused(&self, why: &str) -> Result<()> {
        let until = Instant::now() + LONG;
        loop {
            let ours = self.system.switch.exec("iradialer calls").await?;
            let logs = self.system.logs();
            if ours.starts_with("0 total") && logs.contains(why) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{why}: {ours}\n{logs}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[derive(Clone, Copy)]
enum Does {
    Presses(&'static str),
    Leaves,
    IsRefused(&'static str),
}

fn names(events: &[Delivery]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

async fn take_calls(site: &Site) -> Result<()> {
    // One who presses a key and is hung up on by the flow.
    let since = Instant::now();
    site.call(MENU, Does::Presses("1")).await?;
    let events = site.ended(MENU, since).await?;
    let expected = [
        "started",
        "answered",
        "dtmf",
        "play_done",
        "dtmf_collected",
        "play_done",
        "hangup",
    ];
    ensure!(names(&events) == expected, "{:?}", names(&events));
    for (event, seq) in events.iter().zip(1..) {
        let data = &event.data;
        ensure!(
            data["call_type"] == "inbound" && data["direction"] == "inbound" && data["seq"] == seq,
            "{data}"
        );
        ensure!(
            data["tenant_id"] == TENANT
                && data["campaign_name"] == CAMPAIGN
                && data["from_number"] == CALLER
                && data["to_number"] == MENU
                && data["gateway"] == "external",
            "{data}"
        );
    }
    let hangup = &events.last().context("no event")?.data;
    ensure!(
        hangup["by"] == "flow" && hangup["answered"] == true,
        "{hangup}"
    );
    ensure!(
        events[1].data["network_ip"] == "127.0.0.1",
        "{:?}",
        events[1]
    );
    let api = site.system.gateway.api(TENANT)?;
    let shown = api.call(events[0].call()).await?;
    for (pointer, value) in [
        ("/direction", "inbound"),
        ("/state", "completed"),
        ("/result/ended_by", "flow"),
        ("/campaign_name", CAMPAIGN),
    ] {
        ensure!(shown.text(pointer) == value, "{pointer}: {shown:?}");
    }

    // One who hangs up in the menu.
    let since = Instant::now();
    site.call(MENU, Does::Leaves).await?;
    let events = site.ended(MENU, since).await?;
    let hangup = &events.last().context("no event")?.data;
    ensure!(
        hangup["by"] == "caller" && hangup["answered"] == true,
        "{hangup}"
    );

    // One who wants no more calls: it is the caller's number that is listed.
    let since = Instant::now();
    site.call(NO_MORE, Does::Leaves).await?;
    let events = site.ended(NO_MORE, since).await?;
    let out = events.iter().find(|event| event.name == "opted_out");
    let out = out.with_context(|| format!("{:?}", names(&events)))?;
    ensure!(out.data["number"] == CALLER, "{:?}", out.data);

    // What can't be taken leaves nothing behind.
    let known = site.system.webhooks.events().len();
    site.call(NOBODYS, Does::IsRefused("404")).await?;
    site.refused("is not among the [[dids]]").await?;
    let said = site.system.switch.exec("iradialer drain").await?;
    ensure!(said.starts_with("+OK"), "{said}");
    site.call(MENU, Does::IsRefused("503")).await?;
    site.refused("it is drained").await?;
    site.system.switch.exec("iradialer resume").await?;
    let since = Instant::now();
    site.call(MENU, Does::Leaves).await?;
    let events = site.ended(MENU, since).await?;
    ensure!(
        site.system.webhooks.events().len() == known + events.len(),
        "a refused call was reported"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_takes_calls_that_come_in() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("freeswitch_takes_calls_that_come_in")?
    else {
        return Ok(());
    };
    let host = Host::FreeSwitch(installation, freeswitch::Config::default());
    take_calls(&Site::start(host).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_takes_calls_that_come_in_and_they_outlive_it() -> Result<()> {
    let mut site = Site::start(Host::Sandbox { clock_rate: 1 }).await?;
    take_calls(&site).await?;

    // The switch is killed with a call that came in: its one last event comes all the same.
    let since = Instant::now();
    let answer = site
        .system
        .switch
        .exec(&format!("inbound {CALLER} {MENU} -"))
        .await?;
    ensure!(answer.starts_with("+OK"), "{answer}");
    let call = site.come(MENU, since, "answered").await?;
    let Switch::Sandbox(sandbox) = &mut site.system.switch else {
        unreachable!("a sandbox was asked for")
    };
    sandbox.crash_and_start().await?;
    let events = site.system.webhooks.wait_for_end(&call, LONG).await?;
    let finals: Vec<_> = events.iter().filter(|event| event.is_final()).collect();
    ensure!(finals.len() == 1, "{:?}", names(&events));
    ensure!(finals[0].data["by"] == "crash", "{:?}", finals[0].data);
    Ok(())
}
