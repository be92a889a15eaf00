//! The configuration directory of a FreeSWITCH of our own.

use crate::gateway::SwitchLogin;
use crate::repository;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What a FreeSWITCH of our own is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The trunks of the profile `external`.
    pub trunks: Vec<Trunk>,
    /// The port of a profile of its own on which the scripted callees answer, or none of them.
    pub callee_port: Option<u16>,
    /// Our module, or none of it.
    pub engine: Option<Engine>,
    /// A number whose calls the dialplan gives to the module with these words.
    pub inbound: Option<Box<(String, String)>>,
    /// How many RTP ports it may take, two for each leg.
    pub rtp_ports: u16,
    /// The lowest level its log file has: `debug`, `info`, `notice`, `warning`.
    pub log: &'static str,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            trunks: Vec::new(),
            callee_port: None,
            engine: None,
            inbound: None,
            rtp_ports: 1_000,
            log: "info",
            env: Vec::new(),
        }
    }
}

/// A trunk: a gateway of the profile `external`.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// Where its calls go.
    pub far_end: SocketAddr,
}

/// The module to load, and the values of `iradialer.conf.xml` that differ from the shipped ones.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The shared library cargo built.
    pub module: PathBuf,
    /// Parameters by name.
    pub params: Vec<(String, String)>,
}

pub(super) struct Ports {
    pub sip: u16,
    pub event_socket: u16,
    pub rtp: Range<u16>,
}

impl Config {
    /// Writes everything below `dir/conf`.
    pub(super) fn write(&self, dir: &Path, ports: &Ports, password: &str) -> Result<()> {
        let conf = dir.join("conf");
        for folder in ["trunks", "profiles", "autoload_configs", "dialplan"] {
            std::fs::create_dir_all(conf.join(folder))?;
        }
        let shipped = repository::root()?.join("ci/freeswitch");
        copy(
            &shipped.join("freeswitch.xml"),
            &conf.join("freeswitch.xml"),
        )?;
        copy(
            &shipped.join("external.xml"),
            &conf.join("profiles/external.xml"),
        )?;
        write(&conf.join("vars.xml"), &self.vars(dir, ports, password))?;
        for trunk in &self.trunks {
            trunk.write(&conf.join("trunks"))?;
        }
        let dialplan = repository::root()?.join("dialplan");
        copy(
            &dialplan.join("callee.xml"),
            &conf.join("dialplan/callee.xml"),
        )?;
        let inbound = std::fs::read_to_string(dialplan.join("inbound.xml"))?;
        write(
            &conf.join("dialplan/inbound.xml"),
            &self.with_inbound(&inbound)?,
        )?;
        if self.callee_port.is_some() {
            copy(
                &shipped.join("callee.xml"),
                &conf.join("profiles/callee.xml"),
            )?;
        }
        if let Some(engine) = &self.engine {
            engine.write(&conf)?;
        }
        Ok(())
    }

    /// The dialplan of calls that come in, with what stands in front of the shipped extensions.
    fn with_inbound(&self, shipped: &str) -> Result<String> {
        const CONTEXT: &str = "<context name=\"public\">\n";
        let (before, after) = shipped.split_once(CONTEXT).context("a context public")?;
        let own = self.inbound.as_deref().map(|(number, data)| {
            let number = number.trim_start_matches('+');
            format!(
                r#"    <extension name="{number}">
      <condition field="destination_number" expression="^\+?{number}$">
        <action application="iradialer" data="{data}"/>
      </condition>
    </extension>
"#
            )
        });
        let own = own.unwrap_or_default();
        Ok(format!("{before}{CONTEXT}{own}{after}"))
    }

    fn vars(&self, dir: &Path, ports: &Ports, password: &str) -> String {
        let levels = ["debug", "info", "notice", "warning", "err", "crit", "alert"];
        let lowest = levels
            .iter()
            .position(|level| *level == self.log)
            .unwrap_or(0);
        let vars = [
            ("log_level", "warning".to_owned()),
            ("file_log_levels", levels[lowest..].join(",")),
            ("log_dir", dir.join("log").display().to_string()),
            ("db_file", dir.join("db/core.db").display().to_string()),
            ("switch_name", "rig".to_owned()),
            ("rtp_start_port", ports.rtp.start.to_string()),
            ("rtp_end_port", ports.rtp.end.to_string()),
            ("event_socket_port", ports.event_socket.to_string()),
            ("event_socket_password", password.to_owned()),
            ("sip_port", ports.sip.to_string()),
            (
                "callee_port",
                self.callee_port.unwrap_or_default().to_string(),
            ),
        ];
        let lines = vars.map(|(name, value)| {
            format!("  <X-PRE-PROCESS cmd=\"set\" data=\"{name}={value}\"/>\n")
        });
        format!("<include>\n{}</include>\n", lines.concat())
    }
}

impl Trunk {
    /// Writes it as a gateway to `dir`.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let Trunk { name, far_end } = self;
        let xml = format!(
            r#"<include>
  <gateway name="{name}">
    <param name="proxy" value="{far_end}"/>
    <param name="register" value="false"/>
    <param name="caller-id-in-from" value="true"/>
    <param name="extension-in-contact" value="true"/>
  </gateway>
</include>
"#
        );
        write(&dir.join(format!("{name}.xml")), &xml)
    }
}

impl Engine {
    /// The module with the shipped parameters.
    pub fn new(module: &Path) -> Self {
        Engine {
            module: module.to_owned(),
            params: Vec::new(),
        }
    }

    /// With another value of a parameter.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<String>) -> Self {
        self.params.push((name.to_owned(), value.into()));
        self
    }

    /// As this node of the bus.
    #[must_use]
    pub fn node(self, id: &str, login: &SwitchLogin) -> Self {
        self.param("node-id", id)
            .param("nats-url", &login.url)
            .param("nats-user", &login.user)
            .param("nats-password", &login.password)
    }

    /// With prompts from this folder.
    #[must_use]
    pub fn prompts(self, dir: &Path) -> Self {
        self.param("prompts-dir", dir.to_string_lossy())
    }

    /// With room for whatever a benchmark offers.
    #[must_use]
    pub fn of_bench(self) -> Self {
        self.param("max-calls", "6000").param("max-cps", "5000")
    }

    /// Writes the shipped `iradialer.conf.xml` with its own values to `conf/autoload_configs`.
    pub(crate) fn write(&self, conf: &Path) -> Result<()> {
        let shipped = repository::root()?.join("conf/autoload_configs/iradialer.conf.xml");
        let text = std::fs::read_to_string(&shipped)
            .with_context(|| format!("reading {}", shipped.display()))?;
        let beside = |name| conf.with_file_name(name).display().to_string();
        let (journal, cache) = (beside("journal"), beside("prompt-cache"));
        let recordings = beside("recordings");
        let own = [
            ("journal-dir", journal.as_str()),
            ("prompts-cache-dir", cache.as_str()),
            // Where the rig's own servers are.
            ("url-allow", "127.0.0.0/8, ::1"),
            ("recordings-dir", recordings.as_str()),
            ("recordings-min-free-mib", "1"),
        ];
        // Where it is said, the later one counts.
        let params = own.into_iter().chain(
            self.params
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let text = crate::engine_config::with_params(&text, params)?;
        std::fs::create_dir_all(conf.join("autoload_configs"))?;
        write(&conf.join("autoload_configs/iradialer.conf.xml"), &text)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to)
        .with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
