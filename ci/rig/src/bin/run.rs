//! `make run`: the whole system on this machine, one call, and then yours.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::Parser;
use iradialer_rig::api::Api;
use iradialer_rig::freeswitch::Installation;
use iradialer_rig::gateway::{Campaign, Config, Flows, Trunk};
use iradialer_rig::repository::{self, Built};
use iradialer_rig::system::{Bus, Host, Switch, System};
use iradialer_rig::timeline;
use iradialer_rig::webhook::{Delivery, Receiver};
use serde_json::json;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

const TENANT: &str = "demo";
const CAMPAIGN: &str = "demo";
const TRUNK: &str = "loopback";
/// The longest a demonstration call takes: the dial timeout and every retry of its flow.
const CALL_TIME: Duration = Duration::from_secs(180);

/// Starts gateway, bus, switch and a webhook receiver, places one call and shows what happens.
#[derive(Parser)]
struct Options {
    /// The number to call; README has the list.
    #[arg(long, env = "CALL", default_value = "+15005550001")]
    call: String,
    /// The flow to run, a file of examples/flows without its .json.
    #[arg(long, env = "FLOW", default_value = "confirm")]
    flow: String,
    /// Ends after the call: status 0 if it was answered and completed, 1 if not.
    #[arg(long, env = "ONCE", value_parser = clap::builder::BoolishValueParser::new(), default_value = "false")]
    once: bool,
    /// Uses the sandbox switch even where FreeSWITCH is found.
    #[arg(long, env = "SANDBOX", value_parser = clap::builder::BoolishValueParser::new(), default_value = "false")]
    sandbox: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let stop = stop_signal()?;
    tokio::select! {
        outcome = run(&options) => outcome,
        () = stop => {
            println!("\nstopped; everything that was started has ended");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Resolves at Ctrl-C, SIGTERM, or when the terminal goes. What was started is ended by being dropped.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

async fn run(options: &Options) -> Result<ExitCode> {
    let begun = Instant::now();
    let step = |what: &str| println!("[{:6.1} s] {what}", begun.elapsed().as_secs_f64());
    step("building (the first time takes some minutes)");
    let built = tokio::task::spawn_blocking(|| Built::now(true)).await??;
    let host = host(options)?;
    step(match &host {
        Host::FreeSwitch(..) => "starting bus, gateway and FreeSWITCH",
        Host::Sandbox { .. } => "starting bus, gateway and sandbox switch",
    });
    let prompts = repository::root()?.join("conf/prompts");
    let system = System::start(&built, host, Bus::OfTheGateway, config(options)?, &prompts).await?;
    let api = system.gateway.api(TENANT)?;
    step(&format!("ready: {}", system.switch.describe()));

    println!(
        "\ncalling {} with the flow '{}'\n{}",
        options.call,
        options.flow,
        timeline::HEAD
    );
    let mut screen = Screen {
        webhooks: &system.webhooks,
        start: Instant::now(),
        shown: 0,
    };
    let request = json!({"campaign_name": CAMPAIGN, "to_number": options.call});
    let call = api.make_call(&request).await?;
    let ended = |event: &Delivery| event.call() == call && event.is_final();
    tokio::time::timeout(CALL_TIME, screen.show_until(ended))
        .await
        .with_context(|| {
            format!(
                "the call did not end within {CALL_TIME:?}\n{}",
                system.logs()
            )
        })?;
    let state = api.call(&call).await?.text("/state").to_owned();
    println!("\nthe call is {state}");
    if options.once {
        let completed = state == "completed";
        return Ok(if completed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    invite(&system, &api)?;
    screen.show_until(|_| false).await;
    Ok(ExitCode::SUCCESS)
}

fn host(options: &Options) -> Result<Host> {
    let installation = if options.sandbox {
        None
    } else {
        Installation::find()?
    };
    let Some(installation) = installation else {
        if !options.sandbox {
            println!(
                "{}; the sandbox switch takes its place",
                Installation::NOT_FOUND
            );
        }
        return Ok(Host::Sandbox { clock_rate: 1 });
    };
    Host::freeswitch_with_callees(installation, TRUNK)
}

fn config(options: &Options) -> Result<Config> {
    let trunk = Trunk {
        name: TRUNK.into(),
        max_cps: 10.0,
        max_calls: 100,
    };
    let campaign = Campaign {
        name: CAMPAIGN.into(),
        tenant_id: TENANT.into(),
        trunks: vec![TRUNK.into()],
        from_number: "+15005550100".into(),
        event_url: String::new(),
        flow: options.flow.clone(),
        max_calls: 100,
    };
    Ok(Config {
        trunks: vec![trunk],
        campaigns: vec![campaign],
        flows: Some(Flows {
            dir: repository::root()?.join("examples/flows"),
        }),
        ..Config::default()
    })
}

/// Events on the screen as they come.
struct Screen<'a> {
    webhooks: &'a Receiver,
    start: Instant,
    /// How many of the receiver's events have been shown.
    shown: usize,
}

impl Screen<'_> {
    /// Shows what has come and what comes, up to the first event that is `last`.
    async fn show_until(&mut self, last: impl Fn(&Delivery) -> bool) {
        let mut arrivals = self.webhooks.arrivals();
        loop {
            for event in self.webhooks.events().iter().skip(self.shown) {
                println!("{}", timeline::line(self.start, event));
                self.shown += 1;
                if last(event) {
                    return;
                }
            }
            // The receiver lives as long as we do, so a change is all that can come.
            let _ = arrivals.changed().await;
        }
    }
}

/// What is up, and how to use it.
fn invite(system: &System, api: &Api) -> Result<()> {
    let environment = system.gateway.write_environment(api.token())?;
    let (url, cert) = (system.gateway.url(), system.gateway.cert().display());
    let cli = match &system.switch {
        Switch::FreeSwitch(switch) => {
            let (address, password) = switch.event_socket_login();
            format!(
                "fs_cli -H {} -P {} -p {password}",
                address.ip(),
                address.port()
            )
        }
        Switch::Sandbox(switch) => switch.cli_command("iradialer status"),
    };
    println!(
        "\nIt all stays up until Ctrl-C, and every further call shows here.\n\n\
         \x20 API        {url}\n\
         \x20 token      {token}   (tenant {TENANT}, campaign {CAMPAIGN})\n\
         \x20 webhooks   {webhooks}\n\
         \x20 switch     {cli}\n\n\
         Another call:\n\n\
         \x20 curl --cacert {cert} -H 'Authorization: Bearer {token}' \\\n\
         \x20   --json '{{\"campaign_name\":\"{CAMPAIGN}\",\"to_number\":\"+15005550006\"}}' {url}/api/makecall\n\n\
         The commands of iradialer-gateway know it in a shell that has read this:\n\n\
         \x20 . {environment}\n\n\
         {head}",
        environment = environment.display(),
        token = api.token(),
        webhooks = system.webhooks.url(),
        head = timeline::HEAD,
    );
    Ok(())
}
