//! The whole system with one trunk that leads to the scripted callees, one campaign, and a client.

use crate::api::Api;
use crate::gateway::{Campaign, Config, Trunk};
use crate::licence::Licence;
use crate::prompts;
use crate::repository::Built;
use crate::system::{Bus, Host, System};
use crate::webhook::Delivery;
use anyhow::{Context, Result};
use serde_json::json;
use std::time::Duration;
use tempfile::TempDir;

/// Whose the calls are.
pub const TENANT: &str = "acme";
/// The trunk.
pub const TRUNK: &str = "loopback";
/// The campaign.
pub const CAMPAIGN: &str = "test";
/// Longer than anything here takes with every core busy.
pub const LONG: Duration = Duration::from_secs(60);

/// A callee who answers and stays: the call is held in silence until somebody ends it.
pub const STAYS: &str = "+15005550002";
/// One who is busy.
pub const BUSY: &str = "+15005550003";
/// One whose telephone rings until the call is cancelled.
pub const RINGS: &str = "+15005550004";

/// The running system and a client of it.
pub struct Loopback {
    /// The programs it was started from.
    pub built: Built,
    /// What runs.
    pub system: System,
    /// A client with a token of [`TENANT`].
    pub api: Api,
    /// Where the switch finds its prompts.
    pub prompts: TempDir,
}

impl Loopback {
    /// Starts it, with a bus of the rig's, and waits until the switch is on the bus.
    pub async fn start(host: Host) -> Result<Self> {
        Self::start_under(host, Licence::AMPLE).await
    }

    /// The same under that licence.
    pub async fn start_under(host: Host, licence: Licence) -> Result<Self> {
        let built = Built::now(false)?;
        let prompts = prompts::in_temp_dir()?;
        let config = Config {
            licence: Some(licence),
            ..config()
        };
        let system = System::start(&built, host, Bus::Named, config, prompts.path()).await?;
        let api = system.gateway.api(TENANT)?;
        Ok(Loopback {
            built,
            system,
            api,
            prompts,
        })
    }

    /// The same on a sandbox in real time.
    pub async fn on_sandbox() -> Result<Self> {
        Self::start(Host::Sandbox { clock_rate: 1 }).await
    }

    /// Asks for a call to the number, which may ring for a minute, and returns its `call_uuid`.
    pub async fn call(&self, number: &str) -> Result<String> {
        let request = json!({"campaign_name": CAMPAIGN, "to_number": number, "dial_timeout": 60});
        self.api.make_call(&request).await
    }

    /// Waits for an event of the call and returns all that have come. The error has the ends of the logs.
    pub async fn wait_for(&self, call: &str, name: &str) -> Result<Vec<Delivery>> {
        let came = |events: &[Delivery]| events.iter().any(|event| event.name == name);
        let events = self.system.webhooks.wait_for(call, name, LONG, came).await;
        events.with_context(|| self.system.logs())
    }

    /// Waits for the call's last event and returns all. The error has the ends of the logs.
    pub async fn wait_for_end(&self, call: &str) -> Result<Vec<Delivery>> {
        let events = self.system.webhooks.wait_for_end(call, LONG).await;
        events.with_context(|| self.system.logs())
    }
}

fn config() -> Config {
    Config {
        trunks: vec![Trunk {
            name: TRUNK.into(),
            max_cps: 100.0,
            max_calls: 1_000,
        }],
        campaigns: vec![Campaign {
            name: CAMPAIGN.into(),
            tenant_id: TENANT.into(),
            trunks: vec![TRUNK.into()],
            from_number: "+15005550100".into(),
            event_url: String::new(),
            flow: String::new(),
            max_calls: 1_000,
        }],
        ..Config::default()
    }
}
