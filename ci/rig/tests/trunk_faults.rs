//! Trunks that fail before a far end has said anything: what only a real SIP stack shows.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use iradialer_rig::freeswitch::{self, Trunk};
use iradialer_rig::gateway::{self, Campaign, Config};
use iradialer_rig::ports::free_port;
use iradialer_rig::repository::Built;
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use iradialer_rig::system::{Bus, Host, Switch, System};
use serde_json::json;
use std::time::Duration;

const TENANT: &str = "acme";
/// A trunk whose far end is a port on which nobody listens: the kernel says so at once.
const CLOSED: &str = "closed";
/// A trunk the gateway has and the switch has not, at first.
const MISSING: &str = "missing";
/// Longer than the pause after which a call is offered to a trunk again.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_trunks_that_are_down() -> Result<()> {
    let name = "freeswitch_trunks_that_are_down";
    let Some(installation) = skip::without_freeswitch(name)? else {
        return Ok(());
    };
    let built = Built::now(false)?;
    let prompts = iradialer_rig::prompts::in_temp_dir()?;
    let switch = freeswitch::Config {
        trunks: vec![Trunk {
            name: CLOSED.into(),
            far_end: ([127, 0, 0, 1], free_port()?).into(),
        }],
        ..freeswitch::Config::default()
    };
    let trunk = |name: &str| gateway::Trunk {
        name: name.into(),
        max_cps: 10.0,
        max_calls: 10,
    };
    let campaign = |trunk: &str| Campaign {
        name: trunk.into(),
        tenant_id: TENANT.into(),
        trunks: vec![trunk.into()],
        from_number: String::new(),
        event_url: String::new(),
        flow: String::new(),
        max_calls: 10,
    };
    let config = Config {
        trunks: vec![trunk(CLOSED), trunk(MISSING)],
        campaigns: vec![campaign(CLOSED), campaign(MISSING)],
        ..Config::default()
    };
    let host = Host::FreeSwitch(installation, switch);
    let system = System::start(&built, host, Bus::Named, config, prompts.path()).await?;
    let api = system.gateway.api(TENANT)?;
    let request = |campaign: &str| json!({"campaign_name": campaign, "to_number": "+15005550001"});

    let refused = api.make_call(&request(CLOSED)).await?;
    let events = system.webhooks.wait_for_end(&refused, SOON).await;
    let events = events.with_context(|| system.logs())?;
    let last = &events.last().context("no events")?.data;
    ensure!(last["sip_status"] == 503 && last["rang"] == false, "{last}");
    ensure!(last["duration_ms"].as_u64() < Some(1_000), "{last}");
    let record = api.call(&refused).await?;
    ensure!(record.text("/state") == "failed", "{record:?}");

    // A trunk may be on its way: the call waits for it, and is dialled once.
    let waiting = api.make_call(&request(MISSING)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let record = api.call(&waiting).await?;
    ensure!(record.text("/state") == "queued", "{record:?}");
    let busy = [("status", "486"), ("phrase", "Busy Here")];
    let far_end = Sipp::start("reject", &busy).await?;
    let Switch::FreeSwitch(switch) = &system.switch else {
        bail!("a FreeSWITCH was asked for");
    };
    let trunk = Trunk {
        name: MISSING.into(),
        far_end: far_end.address(),
    };
    switch.add_trunk(&trunk).await?;
    let events = system.webhooks.wait_for_end(&waiting, SOON).await;
    events.with_context(|| system.logs())?;
    let record = api.call(&waiting).await?;
    ensure!(record.text("/state") == "busy", "{record:?}");
    ensure!(far_end.calls()? == 1, "{} INVITEs came", far_end.calls()?);
    Ok(())
}
