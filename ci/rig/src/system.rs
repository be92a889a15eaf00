//! The whole system: a gateway with its bus, one switch, and a webhook receiver.

use crate::freeswitch::{self, Engine, FreeSwitch, Installation};
use crate::gateway::{self, Gateway};
use crate::nats::Nats;
use crate::ports::free_port;
use crate::repository::Built;
use crate::sandbox::Sandbox;
use crate::webhook::Receiver;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The name the switch has on the bus.
pub const NODE: &str = "switch-1";
/// How long a switch may take to be heard on the bus.
const JOIN_TIME: Duration = Duration::from_secs(20);

/// The switch under test.
pub enum Switch {
    /// A real FreeSWITCH.
    FreeSwitch(Box<FreeSwitch>),
    /// The sandbox.
    Sandbox(Sandbox),
}

impl Switch {
    /// What it is, for a person.
    pub fn describe(&self) -> String {
        match self {
            Switch::FreeSwitch(switch) => format!("FreeSWITCH {}", switch.version()),
            Switch::Sandbox(_) => "sandbox switch".to_owned(),
        }
    }

    /// Runs a command as `fs_cli` does.
    pub async fn exec(&self, command: &str) -> Result<String> {
        match self {
            Switch::FreeSwitch(switch) => switch.event_socket().await?.api(command).await,
            Switch::Sandbox(switch) => switch.exec(command),
        }
    }

    /// Where it keeps recordings.
    pub fn recordings_dir(&self) -> PathBuf {
        match self {
            Switch::FreeSwitch(switch) => switch.recordings_dir(),
            Switch::Sandbox(switch) => switch.recordings_dir(),
        }
    }

    /// Its process.
    pub fn process(&self) -> &crate::process::Process {
        match self {
            Switch::FreeSwitch(switch) => switch.process(),
            Switch::Sandbox(switch) => switch.process(),
        }
    }
}

/// Which switch to start.
pub enum Host {
    /// A FreeSWITCH with this configuration; its `engine` is filled in here.
    FreeSwitch(Installation, freeswitch::Config),
    /// The sandbox, with its clock so many times faster than ours.
    Sandbox {
        /// 1 is real time.
        clock_rate: u32,
    },
}

impl Host {
    /// FreeSWITCH with one trunk, which leads to the scripted callees on the same switch.
    pub fn freeswitch_with_callees(installation: Installation, trunk: &str) -> Result<Self> {
        let callee_port = free_port()?;
        let trunk = freeswitch::Trunk {
            name: trunk.to_owned(),
            far_end: ([127, 0, 0, 1], callee_port).into(),
        };
        let config = freeswitch::Config {
            trunks: vec![trunk],
            callee_port: Some(callee_port),
            ..freeswitch::Config::default()
        };
        Ok(Host::FreeSwitch(installation, config))
    }
}

/// Where the bus comes from.
pub enum Bus {
    /// The gateway starts one, in development mode.
    OfTheGateway,
    /// A server of the rig's, which the gateway's configuration names.
    Named,
}

/// A running system. Fields are dropped in this order: the switch hangs up before its bus goes.
pub struct System {
    /// The switch.
    pub switch: Switch,
    /// The gateway.
    pub gateway: Gateway,
    /// The bus, where it is not the gateway's own.
    pub nats: Option<Nats>,
    /// What the gateway's events come to.
    pub webhooks: Receiver,
}

impl System {
    /// Starts a gateway with `config` and the switch, and waits until the switch is on the bus. Each
    /// campaign without an `event_url` gets the receiver's.
    pub async fn start(
        built: &Built,
        host: Host,
        bus: Bus,
        config: gateway::Config,
        prompts: &Path,
    ) -> Result<Self> {
        Self::start_with(built, host, bus, config, prompts, &[]).await
    }

    /// The same with other values of the switch's parameters.
    pub async fn start_with(
        built: &Built,
        host: Host,
        bus: Bus,
        mut config: gateway::Config,
        prompts: &Path,
        params: &[(&str, &str)],
    ) -> Result<Self> {
        let webhooks = Receiver::start().await?;
        for campaign in &mut config.campaigns {
            if campaign.event_url.is_empty() {
                campaign.event_url = webhooks.url().to_owned();
            }
        }
        let nats = match bus {
            Bus::OfTheGateway => None,
            Bus::Named => {
                // Only the development mode lets webhooks go to loopback unasked.
                let webhooks = config.webhooks.get_or_insert_default();
                webhooks.allow_addresses.push("127.0.0.0/8".into());
                Some(Nats::start(&built.gateway, &[NODE]).await?)
            }
        };
        let gateway = Gateway::start(&built.gateway, config, nats.as_ref()).await?;
        webhooks.trust(&gateway.webhook_secret()?)?;

        let engine = params
            .iter()
            .fold(engine(built, &gateway, prompts), |engine, (name, value)| {
                engine.param(name, *value)
            });
        let switch = match host {
            Host::FreeSwitch(installation, mut config) => {
                config.engine = Some(engine);
                let switch = FreeSwitch::start(&installation, &config).await?;
                Switch::FreeSwitch(Box::new(switch))
            }
            Host::Sandbox { clock_rate } => {
                Switch::Sandbox(Sandbox::start(&built.sandbox, &engine, clock_rate).await?)
            }
        };
        let system = System {
            switch,
            gateway,
            nats,
            webhooks,
        };
        system.wait_for_switch().await?;
        Ok(system)
    }

    /// A second sandbox with the node id, and the NATS user, of the first switch.
    pub async fn start_namesake(&self, built: &Built, prompts: &Path) -> Result<Sandbox> {
        let engine = engine(built, &self.gateway, prompts);
        Sandbox::start(&built.sandbox, &engine, 1).await
    }

    /// Waits until the module is on the bus; the router takes calls before that and keeps them queued.
    async fn wait_for_switch(&self) -> Result<()> {
        let deadline = Instant::now() + JOIN_TIME;
        loop {
            let status = self.switch.exec("iradialer status").await?;
            if status.contains(" connected,") {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the switch is not on the bus after {JOIN_TIME:?}: {status}\n{}",
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The ends of every log, for a failure's report.
    pub fn logs(&self) -> String {
        self.switch.process().log_tail() + &self.gateway.process().log_tail()
    }
}

fn engine(built: &Built, gateway: &Gateway, prompts: &Path) -> Engine {
    Engine::new(&built.module)
        .node(NODE, gateway.switch_login())
        .prompts(prompts)
}
