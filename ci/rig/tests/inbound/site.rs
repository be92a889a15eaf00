//! A gateway, a switch that is called, and those who call it.

use anyhow::{Context, Result, ensure};
use iradialer_rig::api::Api;
use iradialer_rig::freeswitch;
use iradialer_rig::gateway::{Campaign, Config, Did, Flows, Trunk};
use iradialer_rig::prompts;
use iradialer_rig::repository::Built;
use iradialer_rig::scenario::flow_named;
use iradialer_rig::sipp::Sipp;
use iradialer_rig::system::{Bus, Host, Switch, System};
use iradialer_rig::webhook::Delivery;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const TENANT: &str = "acme";
pub const CAMPAIGN: &str = "callers";
pub const CALLER: &str = "+15005550199";
/// The number that a menu answers.
pub const MENU: &str = "+15005550150";
/// The number whose callers are put on the do-not-call list.
pub const NO_MORE: &str = "+15005550151";
/// A number that nobody has.
pub const NOBODYS: &str = "+15005550152";
/// The number that takes a message.
pub const MESSAGE: &str = "+15005550153";
/// The number whose calls are recorded as a whole.
pub const RECORDED: &str = "+15005550154";
/// The number that connects its callers with an agent at once.
pub const AGENTS: &str = "+15005550155";
/// The number whose callers wait for a minute.
pub const STAYS: &str = "+15005550156";
/// The number whose prompt comes after 6 s.
pub const SLOW: &str = "+15005550157";
/// Another one of this kind.
pub const SLOWER: &str = "+15005550160";
/// The number whose prompt is not there.
pub const GONE: &str = "+15005550158";
/// A number for which the dialplan names a flow.
pub const NAMED: &str = "+15005550159";
/// What the dialplan says of that one.
const NAMED_DATA: &str = "flow=greets tenant=acme campaign=callers";
/// The trunk to the agent.
const TRUNK: &str = "agents";
/// The most calls that the switch takes.
pub const MOST_CALLS: usize = 3;
/// Longer than anything here takes with every core busy.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Site {
    pub system: System,
    /// Of the tenant.
    pub api: Api,
    _prompts: TempDir,
    _flows: TempDir,
    _agent: Option<Sipp>,
}

/// The numbers, and the flow of each.
const NUMBERS: [(&str, &str); 9] = [
    (MENU, "press_one"),
    (NO_MORE, "opts_out"),
    (MESSAGE, "record_message"),
    (RECORDED, "record_call_stereo"),
    (AGENTS, "transfer"),
    (STAYS, "stays"),
    (SLOW, "prompt_slow"),
    (SLOWER, "prompt_slower"),
    (GONE, "prompt_gone"),
];

impl Site {
    /// With a real switch, or on the sandbox where there is none.
    pub async fn start(installation: Option<freeswitch::Installation>) -> Result<Self> {
        let built = Built::now(false)?;
        let (prompts, flows) = (prompts::in_temp_dir()?, tempfile::tempdir()?);
        let named = ["greets"];
        for flow in NUMBERS.iter().map(|(_, flow)| *flow).chain(named) {
            store(flows.path(), flow, flow)?;
        }
        // The switch's own flow of that name says something else.
        let own = flows.path().join("own");
        std::fs::create_dir(&own)?;
        store(&own, "greets", "says_bye")?;
        let own = own.to_string_lossy();

        let (host, agent) = match installation {
            Some(installation) => {
                let values = [("keys", "5"), ("after", "3000")];
                let agent = Sipp::start("hang_up_later", &values).await?;
                let trunk = freeswitch::Trunk {
                    name: TRUNK.into(),
                    far_end: agent.address(),
                };
                let config = freeswitch::Config {
                    trunks: vec![trunk],
                    inbound: Some(Box::new((NAMED.into(), NAMED_DATA.into()))),
                    ..freeswitch::Config::default()
                };
                (Host::FreeSwitch(installation, config), Some(agent))
            }
            None => (Host::Sandbox { clock_rate: 1 }, None),
        };
        let most_calls = MOST_CALLS.to_string();
        let params = [("max-calls", most_calls.as_str()), ("flows-dir", &own)];
        let config = config(flows.path());
        let system = System::start_with(&built, host, Bus::Named, config, prompts.path(), &params);
        let system = system.await?;
        Ok(Site {
            api: system.gateway.api(TENANT)?,
            system,
            _prompts: prompts,
            _flows: flows,
            _agent: agent,
        })
    }

    /// Calls a number and does what the caller does. With a real switch it returns when the call is over.
    pub async fn call(&self, number: &str, does: Does) -> Result<()> {
        match &self.system.switch {
            Switch::FreeSwitch(switch) => {
                let (scenario, more) = match does {
                    Does::Presses(key) => ("call_in_keys", Some(("keys", key))),
                    Does::Speaks => ("call_in_keys", Some(("keys", "~~~~~~"))),
                    Does::Stays => ("call_in_stay", None),
                    Does::Leaves => ("call_in_leave", None),
                    Does::GivesUp => ("call_in_give_up", None),
                    Does::IsRefused(status) => ("call_in_refused", Some(("status", status))),
                };
                let values = [("number", number), ("caller", CALLER)];
                let values: Vec<_> = values.into_iter().chain(more).collect();
                Sipp::call(switch.sip_address(), scenario, &values, LONG).await
            }
            Switch::Sandbox(sandbox) => {
                let steps = match does {
                    Does::Presses(key) => format!("1500:{key}"),
                    Does::Speaks => "1500:speak,4500:hush".to_owned(),
                    Does::Leaves | Does::GivesUp => "1000:bye".to_owned(),
                    Does::Stays | Does::IsRefused(_) => "-".to_owned(),
                };
                let data = if number == NAMED { NAMED_DATA } else { "" };
                let answer = sandbox.exec(&format!("inbound {CALLER} {number} {steps} {data}"))?;
                ensure!(answer.starts_with("+OK"), "{answer}");
                Ok(())
            }
        }
        .with_context(|| self.system.logs())
    }

    /// Waits for all events of the one call to the number that came after `since`.
    pub async fn ended(&self, number: &str, since: Instant) -> Result<Vec<Delivery>> {
        let call = self.come(number, since, "started").await?;
        let events = self.system.webhooks.wait_for_end(&call, LONG).await;
        events.with_context(|| self.system.logs())
    }

    /// Waits for such an event of a call to the number, and returns the call.
    pub async fn come(&self, number: &str, since: Instant, name: &str) -> Result<String> {
        self.all_come(number, since, name, 1)
            .await
            .map(|mut calls| calls.remove(0))
    }

    /// The same of so many calls.
    pub async fn all_come(
        &self,
        number: &str,
        since: Instant,
        name: &str,
        count: usize,
    ) -> Result<Vec<String>> {
        let until = Instant::now() + LONG;
        loop {
            let events = self.system.webhooks.events();
            let of = |event: &&Delivery| {
                event.at >= since && event.name == name && event.data["to_number"] == number
            };
            let calls: Vec<String> = events
                .iter()
                .filter(of)
                .map(|event| event.call().to_owned())
                .collect();
            if calls.len() >= count {
                return Ok(calls);
            }
            ensure!(Instant::now() < until, "{name}:\n{}", self.system.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the switch has said why it does not take a call, and holds so many others.
    pub async fn refused(&self, why: &str, others: usize) -> Result<()> {
        let until = Instant::now() + LONG;
        loop {
            let ours = self.system.switch.exec("iradialer calls").await?;
            let logs = self.system.logs();
            if ours.contains(&format!("{others} total")) && logs.contains(why) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{why}: {ours}\n{logs}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the switch says that it holds so many calls, `1 total`.
    pub async fn holds(&self, calls: &str) -> Result<()> {
        self.says("iradialer calls", calls).await
    }

    /// Waits until no call has a place of those that the switch has, nor waits for one.
    pub async fn has_room(&self) -> Result<()> {
        let all = format!("0 of at most {MOST_CALLS}\n");
        self.says("iradialer status", &all).await
    }

    async fn says(&self, command: &str, calls: &str) -> Result<()> {
        let until = Instant::now() + LONG;
        loop {
            let ours = self.system.switch.exec(command).await?;
            if ours.contains(calls) {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{calls}: {ours}\n{}",
                self.system.logs()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many calls of the campaign the gateway has on record.
    pub async fn on_record(&self) -> Result<usize> {
        let listed = self
            .api
            .get(&format!("/api/calls?campaign={CAMPAIGN}"))
            .await?;
        let calls = listed.body["calls"].as_array();
        calls.map(Vec::len).context("a list of calls")
    }
}

#[derive(Clone, Copy)]
pub enum Does {
    Presses(&'static str),
    /// For 3 s, and stays.
    Speaks,
    Stays,
    Leaves,
    /// Before the answer.
    GivesUp,
    IsRefused(&'static str),
}

pub fn names(events: &[Delivery]) -> Vec<&str> {
    // How well it was heard is told of in the scenarios.
    let all = events.iter().map(|event| event.name.as_str());
    all.filter(|name| *name != "call_quality").collect()
}

/// Keeps a flow of the suite in a folder, under that name.
fn store(dir: &Path, name: &str, flow: &str) -> Result<()> {
    let mut flow = flow_named(flow)?;
    flow["name"] = name.into();
    std::fs::write(dir.join(format!("{name}.json")), flow.to_string())?;
    Ok(())
}

fn config(flows: &Path) -> Config {
    let did = |(number, flow): (&str, &str)| Did {
        number: number.into(),
        tenant_id: TENANT.into(),
        campaign: CAMPAIGN.into(),
        flow: flow.into(),
    };
    Config {
        trunks: vec![Trunk {
            name: TRUNK.into(),
            max_cps: 10.0,
            max_calls: 10,
        }],
        campaigns: vec![Campaign {
            name: CAMPAIGN.into(),
            tenant_id: TENANT.into(),
            trunks: vec![TRUNK.into()],
            from_number: MENU.into(),
            event_url: String::new(),
            flow: String::new(),
            max_calls: 10,
        }],
        dids: NUMBERS.map(did).to_vec(),
        flows: Some(Flows {
            dir: flows.to_owned(),
        }),
        ..Config::default()
    }
}
