//! Far ends that race, redirect, challenge and renegotiate, and operators who take a call away: what
//! only a real SIP stack shows. Each call is dialled once and has one last event.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use iradialer_rig::api::Api;
use iradialer_rig::freeswitch::{self, Trunk};
use iradialer_rig::gateway::{self, Campaign, Config};
use iradialer_rig::repository::Built;
use iradialer_rig::scenario::flow_named;
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use iradialer_rig::system::{Bus, Host, Switch, System};
use iradialer_rig::webhook::Delivery;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TENANT: &str = "acme";
/// Longer than anything here takes with every core busy.
const LONG: Duration = Duration::from_secs(40);

/// A system with one far end, on a trunk and a campaign of the same name.
struct Site {
    system: System,
    api: Api,
    far_end: Sipp,
    _prompts: TempDir,
}

impl Site {
    /// `None` where there is no FreeSWITCH.
    async fn start(test: &str, scenario: &str, values: &[(&str, &str)]) -> Result<Option<Self>> {
        let Some(installation) = skip::without_freeswitch(test)? else {
            return Ok(None);
        };
        let built = Built::now(false)?;
        let prompts = iradialer_rig::prompts::in_temp_dir()?;
        let far_end = Sipp::start(scenario, values).await?;
        let switch = freeswitch::Config {
            trunks: vec![Trunk {
                name: "carrier".into(),
                far_end: far_end.address(),
            }],
            ..freeswitch::Config::default()
        };
        let config = Config {
            trunks: vec![gateway::Trunk {
                name: "carrier".into(),
                max_cps: 100.0,
                max_calls: 100,
            }],
            campaigns: vec![Campaign {
                name: "test".into(),
                tenant_id: TENANT.into(),
                trunks: vec!["carrier".into()],
                from_number: "+15005550100".into(),
                event_url: String::new(),
                flow: String::new(),
                max_calls: 100,
            }],
            ..Config::default()
        };
        let host = Host::FreeSwitch(installation, switch);
        let system = System::start(&built, host, Bus::Named, config, prompts.path()).await?;
        let api = system.gateway.api(TENANT)?;
        Ok(Some(Site {
            system,
            api,
            far_end,
            _prompts: prompts,
        }))
    }

    async fn call(&self, flow: Option<&str>) -> Result<String> {
        let mut request = json!({"campaign_name": "test", "to_number": "+15005550001"});
        if let Some(name) = flow {
            request["ivr"] = flow_named(name)?;
        }
        self.api.make_call(&request).await
    }

    async fn wait_for(&self, call: &str, name: &str) -> Result<()> {
        let came = |events: &[Delivery]| events.iter().any(|event| event.name == name);
        let events = self.system.webhooks.wait_for(call, name, LONG, came).await;
        events.map(drop).with_context(|| self.logs())
    }

    /// Waits for the end; the call was dialled once, has one last event, and the switch has let go of it.
    async fn end(&self, call: &str) -> Result<Vec<Delivery>> {
        let events = self.system.webhooks.wait_for_end(call, LONG).await;
        let events = events.with_context(|| self.logs())?;
        self.switch_is_empty().await?;
        let last = events.iter().filter(|event| event.is_final()).count();
        ensure!(last == 1, "{last} last events");
        let calls = self.far_end.calls()?;
        ensure!(calls == 1, "{calls} calls came");
        Ok(events)
    }

    async fn switch_is_empty(&self) -> Result<()> {
        let deadline = Instant::now() + LONG;
        loop {
            let ours = self.system.switch.exec("iradialer calls").await?;
            let all = self.system.switch.exec("show calls count").await?;
            if ours.starts_with("0 total") && all.contains("0 total") {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "still there: {ours}{all}\n{}",
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn came(&self, method: &str) -> Result<usize> {
        let received = self.far_end.received()?;
        Ok(received
            .iter()
            .filter(|message| message.method() == method)
            .count())
    }

    fn logs(&self) -> String {
        self.system.logs() + &self.far_end.errors()
    }
}

fn hangup(events: &[Delivery]) -> Result<&Value> {
    Ok(&events.last().context("no events")?.data)
}

fn names(events: &[Delivery]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// The callee picks up while the CANCEL is under way: they must not be left with a dead line.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_answer_crosses_cancel() -> Result<()> {
    let test = "freeswitch_answer_crosses_cancel";
    let Some(site) = Site::start(test, "answer_on_cancel", &[]).await? else {
        return Ok(());
    };
    let call = site.call(None).await?;
    site.wait_for(&call, "ringing").await?;
    site.api.drop_call(&call).await?;
    let events = site.end(&call).await?;
    ensure!(hangup(&events)?["by"] == "request", "{events:?}");
    let deadline = Instant::now() + LONG;
    while site.came("BYE")? == 0 {
        ensure!(Instant::now() < deadline, "no BYE came\n{}", site.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(site.came("ACK")? >= 1, "the 200 was not acknowledged");
    Ok(())
}

/// A redirect is final: nobody is dialled whom the request did not name, and through no other trunk.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_redirect_is_not_followed() -> Result<()> {
    let elsewhere = Sipp::start("ring", &[]).await?;
    let target = format!("+19005550001@{}", elsewhere.address());
    let test = "freeswitch_redirect_is_not_followed";
    let Some(site) = Site::start(test, "redirect", &[("target", &target)]).await? else {
        return Ok(());
    };
    let call = site.call(None).await?;
    let events = site.end(&call).await?;
    let last = hangup(&events)?;
    ensure!(
        last["sip_status"] == 302 && last["by"] == "callee",
        "{last}"
    );
    ensure!(elsewhere.calls()? == 0, "the redirect was followed");
    Ok(())
}

/// A carrier that asks for credentials gets the trunk's, and its refusal is the call's.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_challenge() -> Result<()> {
    let Some(site) = Site::start("freeswitch_challenge", "challenge", &[]).await? else {
        return Ok(());
    };
    let call = site.call(None).await?;
    let events = site.end(&call).await?;
    let last = hangup(&events)?;
    ensure!(last["answered"] == false, "{last}");
    ensure!(
        last["sip_status"] == 403 || last["sip_status"] == 407,
        "{last}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_forked_ringing_then_hold() -> Result<()> {
    let test = "freeswitch_forked_ringing_then_hold";
    let Some(site) = Site::start(test, "fork_and_hold", &[("keys", "1")]).await? else {
        return Ok(());
    };
    let call = site.call(Some("press_one")).await?;
    let events = site.end(&call).await?;
    let came = names(&events);
    let count = |name| came.iter().filter(|came| **came == name).count();
    ensure!(
        count("ringing") == 1 && count("answered") == 1,
        "{came:?}\n{}",
        site.logs()
    );
    ensure!(hangup(&events)?["by"] == "flow", "{events:?}");
    let key = events.iter().find(|event| event.name == "dtmf_collected");
    ensure!(
        key.is_some_and(|event| event.data["digits"] == "1"),
        "{events:?}"
    );
    Ok(())
}

/// Media can't be had: the call comes to an end of its own, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_answer_without_sdp() -> Result<()> {
    let test = "freeswitch_answer_without_sdp";
    let Some(site) = Site::start(test, "answer_without_sdp", &[]).await? else {
        return Ok(());
    };
    let call = site.call(Some("press_one")).await?;
    let events = site.end(&call).await?;
    let last = hangup(&events)?;
    ensure!(
        last["answered"] == false && last["sip_status"] == 500,
        "{last}"
    );
    ensure!(site.came("BYE")? == 1, "the callee was left alone");
    Ok(())
}

/// An operator takes an answered call out of its flow: it does not begin again, and its last event is
/// told when the channel ends.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_transferred_by_an_operator() -> Result<()> {
    let test = "freeswitch_transferred_by_an_operator";
    let Some(site) = Site::start(test, "answer_silent", &[("keys", "")]).await? else {
        return Ok(());
    };
    let call = site.call(Some("press_one")).await?;
    site.wait_for(&call, "answered").await?;
    let Switch::FreeSwitch(switch) = &site.system.switch else {
        bail!("a FreeSWITCH was asked for");
    };
    let mut socket = switch.event_socket().await?;
    let shown = socket.api_ok(&format!("iradialer show {call}")).await?;
    let channel = shown
        .split_once("channel ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .context("no channel")?;
    socket
        .api_ok(&format!(
            "uuid_transfer {channel} set:ira_taken=yes,park inline"
        ))
        .await?;
    let deadline = Instant::now() + LONG;
    while socket
        .api(&format!("uuid_getvar {channel} ira_taken"))
        .await?
        != "yes"
    {
        ensure!(
            Instant::now() < deadline,
            "not transferred\n{}",
            site.logs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The flow would ask for the second time by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    socket.api_ok(&format!("uuid_kill {channel}")).await?;
    let events = site.end(&call).await?;
    let last = hangup(&events)?;
    ensure!(last["answered"] == true && last["by"] == "switch", "{last}");
    ensure!(!names(&events).contains(&"dtmf_collected"), "{events:?}");
    Ok(())
}

/// The module is unloaded and loaded while calls are being dialled: each ends once, and no number is
/// dialled twice, whichever life of the module its command met.
#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_reload_while_dialling() -> Result<()> {
    const CALLS: u32 = 60;
    let Some(site) = Site::start("freeswitch_reload_while_dialling", "ring", &[]).await? else {
        return Ok(());
    };
    let mut calls = Vec::new();
    for n in 0..CALLS {
        let number = format!("+1500555{n:04}");
        let request = json!({"campaign_name": "test", "to_number": number, "dial_timeout": 5});
        calls.push(site.api.make_call(&request).await?);
        if n % 20 == 15 {
            let reply = site.system.switch.exec("reload mod_iradialer").await?;
            ensure!(reply.contains("+OK"), "{reply}\n{}", site.logs());
        }
    }
    for call in &calls {
        let events = site.system.webhooks.wait_for_end(call, LONG).await;
        let events = events.with_context(|| site.logs())?;
        let last = events.iter().filter(|event| event.is_final()).count();
        ensure!(last == 1, "{last} last events of {call}");
    }
    site.switch_is_empty().await?;
    let mut dialled = BTreeMap::<String, BTreeSet<String>>::new();
    for message in site.far_end.received()? {
        if message.method() == "INVITE" {
            let ids = dialled.entry(message.uri().to_owned()).or_default();
            ids.insert(message.header("Call-ID").to_owned());
        }
    }
    ensure!(!dialled.is_empty(), "nothing was dialled");
    let twice: Vec<_> = dialled.iter().filter(|(_, ids)| ids.len() > 1).collect();
    ensure!(twice.is_empty(), "dialled twice: {twice:?}");
    Ok(())
}
