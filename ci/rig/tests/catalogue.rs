//! A campaign and a trunk that are added on the bus while the system runs, and calls through them: the gateway, a
//! switch with the module, and a program that may ask the routers and nothing else.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::api::Api;
use iradialer_rig::gateway::Config;
use iradialer_rig::repository::Built;
use iradialer_rig::system::{Bus, Host, System};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const TENANT: &str = "acme";
/// The sandbox's callee that answers.
const ANSWERS: &str = "+15005550006";
/// Longer than anything here takes with every core busy.
const LONG: Duration = Duration::from_secs(60);

/// Asks the routers.
async fn ask(bus: &async_nats::Client, event_name: &str, data: Value) -> Result<Value> {
    let message = json!({"event_name": event_name, "event_data": data});
    let answer = bus.request("ira.router.request", message.to_string().into());
    let answer: Value = serde_json::from_slice(&answer.await?.payload)?;
    ensure!(answer["status"] == "OK", "{event_name}: {answer}");
    Ok(answer)
}

/// The state of the call, once it is that, or what it is then.
async fn wait_for(api: &Api, call: &str, state: &str) -> Result<()> {
    let deadline = Instant::now() + LONG;
    loop {
        let shown = api.call(call).await?.body;
        if shown["state"] == state {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not {state}: {shown}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_dials_for_a_campaign_that_came_on_the_bus() -> Result<()> {
    let built = Built::now(false)?;
    let prompts = iradialer_rig::prompts::in_temp_dir()?;
    let host = Host::Sandbox { clock_rate: 1 };
    let (bus, config) = (Bus::OfTheGateway, Config::default());
    let system = System::start(&built, host, bus, config, prompts.path()).await?;
    let api = system.gateway.api(TENANT)?;
    let nats = std::fs::read(system.gateway.data_dir().join("nats.json"))?;
    let nats: Value = serde_json::from_slice(&nats)?;
    let text = |name: &str| nats[name].as_str().context("nats.json").map(str::to_owned);
    let bus = async_nats::ConnectOptions::new()
        .user_and_password(text("client_user")?, text("client_password")?)
        .custom_inbox_prefix("ira.client.inbox")
        .connect(text("url")?)
        .await?;

    let gateway = json!({"name": "added", "enable": true, "capacity": 10, "cps": 10, "dialer_ip_list": [],
        "params": {"proxy": "sip.example.net"}});
    ask(&bus, "request_add_sip_gateway", gateway).await?;
    let campaign = json!({"name": "added", "tenant_id": TENANT, "max_limit": 5, "gateways": [{"name": "added"}]});
    ask(&bus, "request_add_campaign_name", campaign).await?;
    let call = json!({"campaign": "added", "tenant_id": TENANT, "to_number": ANSWERS,
        "event_subject": "ira.client.rig"});
    let make = async || {
        let made = ask(&bus, "request_make_call", call.clone()).await?;
        made["call_uuid"]
            .as_str()
            .context("no call_uuid")
            .map(str::to_owned)
    };
    let first = make().await?;
    wait_for(&api, &first, "answered")
        .await
        .with_context(|| system.logs())?;
    let shown = api.call(&first).await?.body;
    ensure!(shown["trunk"] == "added", "{shown}");

    // No new call is dialled, and the one that is up goes on.
    let off = json!({"name": "added", "active": false});
    ask(&bus, "request_manage_campaign_name", off).await?;
    let second = make().await?;
    sleep(Duration::from_secs(3)).await;
    wait_for(&api, &second, "queued").await?;
    wait_for(&api, &first, "answered").await?;
    let on = json!({"name": "added", "active": true});
    ask(&bus, "request_manage_campaign_name", on).await?;
    wait_for(&api, &second, "answered")
        .await
        .with_context(|| system.logs())?;
    for call in [&first, &second] {
        api.drop_call(call).await?;
        wait_for(&api, call, "completed").await?;
    }
    ask(
        &bus,
        "request_delete_campaign_name",
        json!({"name": "added"}),
    )
    .await?;
    let delete = json!({"name": "added", "action": "delete"});
    ask(&bus, "request_manage_sip_gateway", delete).await?;
    Ok(())
}
