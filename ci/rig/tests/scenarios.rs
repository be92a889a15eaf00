//! The scenario suite: every file of `tests/scenarios`, through the whole system, on each host. A call
//! goes the real way: HTTPS, gateway, NATS, module, SIP or the sandbox's callees, events, webhook.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use iradialer_rig::freeswitch;
use iradialer_rig::gateway::{Campaign, Config, Trunk};
use iradialer_rig::hearing::Ears;
use iradialer_rig::repository::Built;
use iradialer_rig::scenario::{FarEnd, FarEnds, Hears, Scenario, Site, direct_call};
use iradialer_rig::sipp::Sipp;
use iradialer_rig::skip;
use iradialer_rig::system::{Bus, Host, System};
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;
use tokio::sync::Mutex;

const TENANT: &str = "acme";
/// Scenarios under way at once: more of them, and what one does to its call comes too late on a busy machine.
const AT_ONCE: usize = 16;
/// For the same reason one host at a time.
static ONE_HOST: Mutex<()> = Mutex::const_new(());

/// A gateway's configuration in which each scenario has a campaign and a trunk of its own name.
fn config(scenarios: &[Scenario]) -> Config {
    let trunk = |name: String, max_calls| Trunk {
        name,
        max_cps: 10.0,
        max_calls,
    };
    let trunks = scenarios.iter().flat_map(|scenario| {
        let own = trunk(
            scenario.name.clone(),
            if scenario.other.is_some() { 1 } else { 10 },
        );
        let other = scenario.other.as_ref();
        [Some(own), other.map(|_| trunk(scenario.other_trunk(), 10))]
    });
    let campaigns = scenarios.iter().map(|scenario| Campaign {
        name: scenario.name.clone(),
        tenant_id: TENANT.into(),
        trunks: match scenario.other {
            Some(_) => vec![scenario.name.clone(), scenario.other_trunk()],
            None => vec![scenario.name.clone()],
        },
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
        trunks: trunks.flatten().collect(),
        campaigns: campaigns.collect(),
        ..Config::default()
    }
}

/// Runs all scenarios, tells of each, and fails with every failure.
async fn run_all(
    system: &System,
    scenarios: &[Scenario],
    far_ends: &[Started],
    hears: Hears<'_>,
) -> Result<()> {
    let api = system.gateway.api(TENANT)?;
    let host = system.switch.describe();
    let nats = system.nats.as_ref().context("a bus of the rig's")?;
    let login = nats.gateway_login();
    let options = async_nats::ConnectOptions::with_user_and_password(login.user, login.password);
    let bus = options.connect(login.url).await?;
    let site = Site {
        api: &api,
        webhooks: &system.webhooks,
        switch: &system.switch,
        bus: &bus,
        hears,
    };
    let runs = scenarios.iter().enumerate().map(async |(n, scenario)| {
        let begun = Instant::now();
        let far_ends = far_ends.get(n).map_or_else(FarEnds::default, |of| FarEnds {
            own: of.own.sipp.as_ref(),
            other: of.other.as_ref().and_then(|other| other.sipp.as_ref()),
        });
        let result = scenario.run(site, far_ends).await;
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
    let failures: Vec<Option<String>> = futures::stream::iter(runs)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    ensure!(
        failures.is_empty(),
        "on {host}:\n{}\n{}",
        failures.join("\n"),
        system.logs()
    );
    let silent = scenarios
        .iter()
        .find(|scenario| scenario.name == "live_play_queues");
    let silent = silent.context("the scenario whose far end says nothing")?;
    direct_call(site, &silent.name, &silent.number)
        .await
        .with_context(|| format!("a call by message on {host}\n{}", system.logs()))?;
    ensure!(
        system.webhooks.refused().is_empty(),
        "refused webhooks: {:?}",
        system.webhooks.refused()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_sandbox() -> Result<()> {
    let _turn = ONE_HOST.lock().await;
    let built = Built::now(false)?;
    let scenarios = Scenario::all()?;
    let prompts = iradialer_rig::prompts::in_temp_dir()?;
    let host = Host::Sandbox { clock_rate: 1 };
    let system =
        System::start(&built, host, Bus::Named, config(&scenarios), prompts.path()).await?;
    let heard = tempfile::tempdir()?;
    let listen = format!("listen {}", heard.path().display());
    let told = system.switch.exec(&listen).await?;
    ensure!(told.starts_with("+OK"), "{told}");
    run_all(&system, &scenarios, &[], Hears::InFiles(heard.path())).await
}

/// The far ends of a scenario.
struct Started {
    own: StartedEnd,
    other: Option<StartedEnd>,
}

/// A far end and where it is; a mute one is a socket nobody reads.
struct StartedEnd {
    address: SocketAddr,
    sipp: Option<Sipp>,
    _mute: Option<UdpSocket>,
}

async fn far_ends(scenario: &Scenario) -> Result<Started> {
    let other = match &scenario.other {
        Some(other) => Some(start(&other.far_end, &scenario.name).await?),
        None => None,
    };
    Ok(Started {
        own: start(&scenario.far_end, &scenario.name).await?,
        other,
    })
}

async fn start(far_end: &FarEnd, of: &str) -> Result<StartedEnd> {
    match far_end {
        FarEnd::Sipp {
            scenario: name,
            values,
        } => {
            let values: Vec<(&str, &str)> = values
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let sipp = Sipp::start(name, &values).await.context(of.to_owned())?;
            Ok(StartedEnd {
                address: sipp.address(),
                sipp: Some(sipp),
                _mute: None,
            })
        }
        FarEnd::Mute => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            Ok(StartedEnd {
                address: socket.local_addr()?,
                sipp: None,
                _mute: Some(socket),
            })
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_freeswitch() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("the scenario suite on FreeSWITCH")? else {
        return Ok(());
    };
    let _turn = ONE_HOST.lock().await;
    let built = Built::now(false)?;
    let scenarios = Scenario::all()?;
    let prompts = iradialer_rig::prompts::in_temp_dir()?;
    let started = futures::future::try_join_all(scenarios.iter().map(far_ends)).await?;
    let ears = Ears::open()?;
    for of in &started {
        let other = of.other.as_ref().and_then(|other| other.sipp.as_ref());
        let sipps = of.own.sipp.iter().chain(other);
        sipps.for_each(|sipp| ears.keep(sipp.media_port()));
    }
    let trunks = scenarios.iter().zip(&started).flat_map(|(scenario, of)| {
        let own = (scenario.name.clone(), of.own.address);
        let other = of.other.as_ref();
        [
            Some(own),
            other.map(|other| (scenario.other_trunk(), other.address)),
        ]
    });
    let trunks = trunks
        .flatten()
        .map(|(name, far_end)| freeswitch::Trunk { name, far_end });
    let switch = freeswitch::Config {
        trunks: trunks.collect(),
        ..freeswitch::Config::default()
    };
    let host = Host::FreeSwitch(installation, switch);
    let system =
        System::start(&built, host, Bus::Named, config(&scenarios), prompts.path()).await?;
    run_all(&system, &scenarios, &started, Hears::OnTheWay(&ears)).await?;

    let System {
        switch, gateway, ..
    } = system;
    let status = gateway.stop().await?;
    ensure!(status.success(), "the gateway ended with {status}");
    drop(switch);
    Ok(())
}
