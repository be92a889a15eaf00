//! An iradialer gateway of our own, with its configuration and data in a temporary directory.

use crate::api::Api;
use crate::licence::Licence;
use crate::nats::Nats;
use crate::process::{Process, Program};
use crate::system::NODE;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tempfile::TempDir;

/// How long a start may take, with every core busy.
const START_TIME: Duration = Duration::from_secs(60);
/// How long a graceful stop may take.
const STOP_TIME: Duration = Duration::from_secs(30);

/// The part of the gateway's configuration that a suite chooses. Field names are the file's.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Config {
    /// The trunks.
    pub trunks: Vec<Trunk>,
    /// The campaigns.
    pub campaigns: Vec<Campaign>,
    /// The numbers that people call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dids: Vec<Did>,
    /// Where the flows are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<Flows>,
    /// How webhooks are delivered, if not as by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Webhooks>,
    /// The web role's address; a free port if not given.
    #[serde(default)]
    pub web: Web,
    /// The bus; without one the gateway starts its own in development mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats: Option<Bus>,
    /// How keys come on a trunk, where it is not by RFC 4733.
    #[serde(skip)]
    pub dtmf: BTreeMap<String, String>,
    /// Variables of its environment.
    #[serde(skip)]
    pub env: Vec<(String, String)>,
    /// Its licence; an ample one if not given.
    #[serde(skip)]
    pub licence: Option<Licence>,
}

impl Config {
    fn text(&self) -> Result<String> {
        let mut table = toml::Table::try_from(self)?;
        let trunks = table.get_mut("trunks").and_then(toml::Value::as_array_mut);
        for trunk in trunks.into_iter().flatten() {
            let name = trunk.get("name").and_then(toml::Value::as_str);
            let dtmf = name.and_then(|name| self.dtmf.get(name)).cloned();
            if let (Some(trunk), Some(dtmf)) = (trunk.as_table_mut(), dtmf) {
                trunk.insert("dtmf".to_owned(), dtmf.into());
            }
        }
        // The callees of the tests are numbers of no country's plan.
        let callees = toml::Table::from_iter([("allow_any_kind".to_owned(), vec![CALLEES].into())]);
        table.insert("destinations".to_owned(), callees.into());
        Ok(toml::to_string(&table)?)
    }
}

/// What the numbers of callees begin with.
pub const CALLEES: &str = "+1500";

/// `[[trunks]]`
#[derive(Debug, Clone, Serialize)]
pub struct Trunk {
    /// Its name, a gateway of the switch.
    pub name: String,
    /// Calls a second.
    pub max_cps: f64,
    /// Calls at once.
    pub max_calls: u32,
}

/// `[[campaigns]]`
#[derive(Debug, Clone, Serialize)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub tenant_id: String,
    /// Its trunks.
    pub trunks: Vec<String>,
    /// The number it calls from.
    pub from_number: String,
    /// Where its events go.
    pub event_url: String,
    /// The flow a call runs that brings none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub flow: String,
    /// Calls at once.
    pub max_calls: u32,
}

/// `[[dids]]`
#[derive(Debug, Clone, Serialize)]
pub struct Did {
    /// The number.
    pub number: String,
    /// Whose it is.
    pub tenant_id: String,
    /// The campaign.
    pub campaign: String,
    /// What a call to it does.
    pub flow: String,
}

/// `[flows]`
#[derive(Debug, Clone, Serialize)]
pub struct Flows {
    /// The folder.
    pub dir: PathBuf,
}

/// `[webhooks]`
#[derive(Debug, Clone, Default, Serialize)]
pub struct Webhooks {
    /// Seconds before each further try, if not as by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retry_after_s: Vec<u64>,
    /// Private addresses that are let through, as CIDR.
    pub allow_addresses: Vec<String>,
}

/// `[web]`
#[derive(Debug, Clone, Serialize)]
pub struct Web {
    /// Address and port.
    pub listen: String,
}

impl Default for Web {
    fn default() -> Self {
        Web {
            listen: "127.0.0.1:0".into(),
        }
    }
}

/// `[nats]`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bus {
    /// The server.
    pub url: String,
    /// The gateway's user.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// How a switch logs on to the bus.
#[derive(Debug, Clone)]
pub struct SwitchLogin {
    /// The server.
    pub url: String,
    /// The switch's user.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// What the gateway writes about the bus it has started.
#[derive(Deserialize)]
struct OwnBus {
    url: String,
    switches: BTreeMap<String, UserOfSwitch>,
}

#[derive(Deserialize)]
struct UserOfSwitch {
    user: String,
    password: String,
}

impl OwnBus {
    fn switch_login(mut self, node: &str) -> Option<SwitchLogin> {
        let UserOfSwitch { user, password } = self.switches.remove(node)?;
        Some(SwitchLogin {
            url: self.url,
            user,
            password,
        })
    }
}

/// What the gateway writes when it is ready.
#[derive(Debug, Clone, Deserialize)]
struct Ready {
    https: String,
    cert: PathBuf,
}

/// A running gateway. Dropping it ends it and removes its data.
pub struct Gateway {
    process: Process,
    dir: TempDir,
    program: PathBuf,
    ready: Ready,
    login: SwitchLogin,
    env: Vec<(String, String)>,
}

impl Gateway {
    /// Starts `program` with all its roles and waits until it is ready. Without `nats` it starts its own.
    pub async fn start(program: &Path, mut config: Config, nats: Option<&Nats>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ira-gateway-").tempdir()?;
        config.nats = nats.map(Nats::gateway_login);
        let file = dir.path().join("gateway.toml");
        let licence = config.licence.unwrap_or(Licence::AMPLE);
        let licence = licence.issue(program, dir.path())?;
        std::fs::write(&file, config.text()? + &licence)?;
        let data = dir.path().join("data");
        // As the gateway makes it: for its owner only.
        DirBuilder::new().mode(0o700).create(&data)?;
        let (process, ready) = launch(program, dir.path(), nats.is_none(), &config.env).await?;
        let login = match nats {
            Some(nats) => nats.switch_login(NODE)?,
            None => read_json::<OwnBus>(&data.join("nats.json"))
                .and_then(|bus| bus.switch_login(NODE))
                .context("the gateway left no nats.json with a user for the switch")?,
        };
        Ok(Gateway {
            process,
            dir,
            program: program.to_owned(),
            ready,
            login,
            env: config.env,
        })
    }

    /// Kills it (SIGKILL) with whatever it is doing, and starts it again on what it left behind. Its address
    /// is another one then.
    pub async fn crash_and_start(&mut self, dev: bool) -> Result<()> {
        self.crash().await?;
        self.start_again(dev).await
    }

    /// Kills it (SIGKILL) with whatever it is doing.
    pub async fn crash(&mut self) -> Result<()> {
        self.process.signal(rustix::process::Signal::KILL)?;
        self.process.stop(STOP_TIME).await?;
        Ok(())
    }

    /// Starts one that was killed again, on what it left behind. Its address is another one then.
    pub async fn start_again(&mut self, dev: bool) -> Result<()> {
        std::fs::remove_file(self.data_dir().join("ready.json")).context("removing ready.json")?;
        (self.process, self.ready) = launch(&self.program, self.dir.path(), dev, &self.env).await?;
        Ok(())
    }

    /// A client with a fresh token of `tenant`.
    pub fn api(&self, tenant: &str) -> Result<Api> {
        Api::new(
            &self.ready.https,
            &self.ready.cert,
            &self.new_token(tenant)?,
        )
    }

    /// Makes a token for `tenant`, as an operator does.
    pub fn new_token(&self, tenant: &str) -> Result<String> {
        self.new_token_of("tenant", tenant)
    }

    /// The same with another role.
    pub fn new_token_of(&self, role: &str, tenant: &str) -> Result<String> {
        let output = Command::new(&self.program)
            .args(["token", "create", "--tenant", tenant])
            .args(["--role", role, "--config"])
            .arg(self.dir.path().join("gateway.toml"))
            .arg("--data-dir")
            .arg(self.data_dir())
            .output()
            .context("running the gateway's token create")?;
        ensure!(
            output.status.success(),
            "token create: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Writes what a shell has to know for the gateway's own commands to reach this one: a file of `export`s, for its
    /// owner's eyes only.
    pub fn write_environment(&self, token: &str) -> Result<PathBuf> {
        let file = self.dir.path().join("environment");
        let programs = self.program.parent().unwrap_or(Path::new("/"));
        let text = format!(
            "export PATH='{}':\"$PATH\"\nexport IRADIALER_CONFIG='{}'\nexport IRADIALER_DATA_DIR='{}'\n\
             export IRADIALER_TOKEN='{token}'\n",
            programs.display(),
            self.dir.path().join("gateway.toml").display(),
            self.data_dir().display(),
        );
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let opened = options.open(&file);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("writing {}", file.display()))?;
        Ok(file)
    }

    /// Where the API is, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.ready.https
    }

    /// The PEM file of its certificate.
    pub fn cert(&self) -> &Path {
        &self.ready.cert
    }

    /// How a switch logs on to its bus.
    pub fn switch_login(&self) -> &SwitchLogin {
        &self.login
    }

    /// The secret its webhooks are signed with.
    pub fn webhook_secret(&self) -> Result<String> {
        let file = self.data_dir().join("webhook.secret");
        let secret = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        Ok(secret.trim().to_owned())
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where its data is.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Stops it as an operator does (SIGTERM) and waits for its end.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.process.stop(STOP_TIME).await
    }
}

/// Starts the program on what is in `dir` and waits until it is ready. `dev`: with a bus of its own.
async fn launch(
    program: &Path,
    dir: &Path,
    dev: bool,
    env: &[(String, String)],
) -> Result<(Process, Ready)> {
    let data = dir.join("data");
    let mut serve = Program::new("gateway", program)
        .args(["serve", "--config"])
        .arg(dir.join("gateway.toml").to_string_lossy())
        .arg("--data-dir")
        .arg(data.to_string_lossy());
    for (name, value) in env {
        serve = serve.env(name, value);
    }
    if dev {
        serve = serve.arg("--dev");
    }
    let mut process = serve.start(dir)?;
    let ready = process
        .until("ready", START_TIME, || read_json(&data.join("ready.json")))
        .await?;
    Ok((process, ready))
}

fn read_json<T: for<'a> Deserialize<'a>>(file: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}
