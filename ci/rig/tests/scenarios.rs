//! The scenario suite: every file of `tests/scenarios`, through the whole system, on each host. A call
//! goes the real way: HTTPS, gateway, NATS, module, SIP or the sandbox's callees, events, webhook.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::freeswitch;
use iradialer_rig::gateway::{Campaign, Config, Trunk};
use iradialer_rig::repository::Built;
use iradialer_rig::scenario::{FarEnd, Scenario};
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use iradialer_rig::system::{Bus, Host, System};
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

const TENANT: &str = "acme";

/// A gateway's configuration in which each scenario has a campaign and a trunk of its own name.
fn config(scenarios: &[Scenario]) -> Config {
    let trunks = scenarios.iter().map(|scenario| Trunk {
        name: scenario.name.clone(),
        max_cps: 10.0,
        max_calls: 10,
    });
    let campaigns = scenarios.iter().map(|scenario| Campaign {
        name: scenario.name.clone(),
        tenant_id: TENANT.into(),
        trunks: vec![scenario.name.clone()],
        from_number: "+15005550100".into(),
        event_url: String::new(),
        flow: scenario.campaign_flow.clone(),
        max_calls: 10,
    });
    let dtmf = scenarios
        .iter()
        .filter_map(|scenario| Some((scenario.name.clone(), scenario.dtmf.clone()?)));
    Config {
        dtmf: dtmf.collect(),
        trunks: trunks.collect(),
        campaigns: campaigns.collect(),
        ..Config::default()
    }
}

/// Runs all scenarios at once, tells of each, and fails with every failure.
async fn run_all(system: &System, scenarios: &[Scenario], far_ends: &[Option<Sipp>]) -> Result<()> {
    let api = system.gateway.api(TENANT)?;
    let host = system.switch.describe();
    let runs = scenarios.iter().enumerate().map(async |(n, scenario)| {
        let begun = Instant::now();
        let sipp = far_ends.get(n).and_then(Option::as_ref);
        let result = scenario
            .run(&api, &system.webhooks, &system.switch, sipp)
            .await;
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        let took = begun.elapsed().as_secs_f64();
        // Straight to the descriptor, so that a passing test shows what it ran.
        let _ = writeln!(
            std::io::stderr(),
            "  {host}: {:24} {verdict} ({took:.1} s)  {}",
            scenario.name,
            scenario.about
        );
        result
            .err()
            .map(|error| format!("{}: {error:#}", scenario.name))
    });
    let failures: Vec<String> = futures::future::join_all(runs)
        .await
        .into_iter()
        .flatten()
        .collect();
    ensure!(
        failures.is_empty(),
        "on {host}:\n{}\n{}",
        failures.join("\n"),
        system.logs()
    );
    ensure!(
        system.webhooks.refused().is_empty(),
        "refused webhooks: {:?}",
        system.webhooks.refused()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_sandbox() -> Result<()> {
    let built = Built::now(false)?;
    let scenarios = Scenario::all()?;
    let prompts = iradialer_rig::prompts::in_temp_dir()?;
    let host = Host::Sandbox { clock_rate: 1 };
    let system = System::start(
        &built,
        host,
        Bus::OfTheGateway,
        config(&scenarios),
        prompts.path(),
    )
    .await?;
    run_all(&system, &scenarios, &[]).await
}

/// A far end and where it is; a mute one is a socket nobody reads.
async fn far_end(scenario: &Scenario) -> Result<(SocketAddr, Option<Sipp>, Option<UdpSocket>)> {
    match &scenario.far_end {
        FarEnd::Sipp {
            scenario: name,
            values,
        } => {
            let values: Vec<(&str, &str)> = values
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let sipp = Sipp::start(name, &values)
                .await
                .context(scenario.name.clone())?;
            Ok((sipp.address(), Some(sipp), None))
        }
        FarEnd::Mute => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            Ok((socket.local_addr()?, None, Some(socket)))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_freeswitch() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("the scenario suite on FreeSWITCH")? else {
        return Ok(());
    };
    let built = Built::now(false)?;
    let scenarios = Scenario::all()?;
    let prompts = iradialer_rig::prompts::in_temp_dir()?;
    let far_ends = futures::future::try_join_all(scenarios.iter().map(far_end)).await?;
    let trunks = scenarios
        .iter()
        .zip(&far_ends)
        .map(|(scenario, (address, ..))| freeswitch::Trunk {
            name: scenario.name.clone(),
            far_end: *address,
        });
    let switch = freeswitch::Config {
        trunks: trunks.collect(),
        ..freeswitch::Config::default()
    };
    let host = Host::FreeSwitch(installation, switch);
    let system =
        System::start(&built, host, Bus::Named, config(&scenarios), prompts.path()).await?;
    let (_, sipps, _mute): (Vec<_>, Vec<_>, Vec<_>) = unzip(far_ends);
    run_all(&system, &scenarios, &sipps).await?;

    let System {
        switch, gateway, ..
    } = system;
    let status = gateway.stop().await?;
    ensure!(status.success(), "the gateway ended with {status}");
    drop(switch);
    Ok(())
}

fn unzip<A, B, C>(triples: Vec<(A, B, C)>) -> (Vec<A>, Vec<B>, Vec<C>) {
    let mut all = (Vec::new(), Vec::new(), Vec::new());
    for (a, b, c) in triples {
        all.0.push(a);
        all.1.push(b);
        all.2.push(c);
    }
    all
}
