//! A process of a chaos run: what it is, and how it is started, killed and ended.

use super::chronicle::{Chronicle, What};
use super::disk::Disk;
use super::life::Life;
use super::plan::{Link, Trouble};
use super::proxy::Proxy;
use super::target::Target;
use super::wire::Ports;
use crate::freeswitch::{self, Engine, FreeSwitch, Installation};
use crate::process::Program;
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// How long a start may take, with every core busy.
const START_TIME: Duration = Duration::from_secs(60);
/// How long a graceful end may take: a switch hangs up its calls, a router waits for answers. FreeSWITCH's SIP stack
/// waits up to 30 s by itself for far ends that do not answer (`nua_shutdown` of Sofia-SIP).
const STOP_TIME: Duration = Duration::from_secs(60);

/// A process of ours: it can be started again and again on the same data.
pub struct Node {
    pub(super) target: Target,
    pub(super) plan: Start,
    /// The life that runs, if one does.
    pub life: Option<Life>,
    pub(super) lives: u32,
    /// Where its data and logs are.
    pub dir: PathBuf,
    pub(super) nats: Proxy,
    pub(super) sql: Option<Proxy>,
    /// The disk with its journal, if it is a switch and there can be one.
    pub disk: Option<Disk>,
}

/// How a node is started.
pub(super) enum Start {
    Gateway {
        program: PathBuf,
        config: PathBuf,
        sql: Option<String>,
    },
    Switch {
        program: PathBuf,
        engine: Engine,
        invites: PathBuf,
    },
    FreeSwitch {
        installation: Installation,
        config: freeswitch::Config,
        ports: Ports,
    },
}

impl Node {
    /// Starts another life of it, with this in `IRADIALER_FAILPOINTS`.
    pub async fn start(&mut self, chronicle: &Chronicle, failpoints: Option<&str>) -> Result<()> {
        self.lives += 1;
        let environment = self.environment(failpoints);
        let journal = self.journal();
        let name = format!("{}.{}", self.target.name(), self.lives);
        let dir = self.dir.display().to_string();
        let mut program = match &mut self.plan {
            Start::FreeSwitch {
                installation,
                config,
                ports,
            } => {
                config.env = environment;
                chronicle.note(self.target, What::Started);
                match FreeSwitch::start(installation, config).await {
                    Ok(switch) => {
                        ports.note(switch.sip_address().port(), self.target);
                        self.life = Some(Life::FreeSwitch(Box::new(switch)));
                    }
                    // It came upon its failpoint at once.
                    Err(_) if failpoints.is_some() => chronicle.note(self.target, What::Died),
                    Err(error) => return Err(error),
                }
                return Ok(());
            }
            Start::Gateway {
                program,
                config,
                sql,
            } => {
                let url = format!("nats://{}", self.nats.address());
                let mut program = Program::new(name, &*program)
                    .args(["serve", "--config"])
                    .arg(config.to_string_lossy())
                    .args(["--data-dir", &dir, "--roles", self.target.role()])
                    .env("IRADIALER_NATS_URL", url);
                if let Some(sql) = sql {
                    program = program.env("IRADIALER_DATABASE_URL", &*sql);
                }
                program
            }
            Start::Switch {
                program,
                engine,
                invites,
            } => {
                let conf = self.dir.join("conf");
                engine.write(&conf)?;
                Program::new(name, &*program)
                    .arg("--module")
                    .arg(engine.module.to_string_lossy())
                    .arg("--conf")
                    .arg(conf.to_string_lossy())
                    .arg("--invite-log")
                    .arg(invites.to_string_lossy())
                    .arg("--journal")
                    .arg(journal.to_string_lossy())
                    .args(["--name", self.target.name()])
            }
        };
        for (name, value) in environment {
            program = program.env(&name, value);
        }
        self.life = Some(Life::Program(program.start(&self.dir)?));
        chronicle.note(self.target, What::Started);
        Ok(())
    }

    /// Waits until it says that it is ready, if it is one that says so.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let ready = self.dir.join("ready.json");
        let target = self.target;
        let Some(Life::Program(process)) = &mut self.life else {
            return Ok(());
        };
        let log = process.log().to_owned();
        let is_ready = || match target {
            Target::Web => ready.exists().then_some(()),
            target if target.is_switch() => {
                let text = std::fs::read(&log).ok()?;
                let text = String::from_utf8_lossy(&text);
                text.lines().any(|line| line == "READY").then_some(())
            }
            _ => Some(()),
        };
        process.until("ready", START_TIME, is_ready).await
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(&mut self, chronicle: &Chronicle) -> Result<()> {
        let Some(mut life) = self.life.take() else {
            return Ok(());
        };
        let process = life.process();
        // It may have died at its failpoint already.
        let _ = process.signal(rustix::process::Signal::KILL);
        process.stop(STOP_TIME).await?;
        chronicle.note(self.target, What::Died);
        Ok(())
    }

    /// Ends it as an operator does (SIGTERM); one that does not end is a fault of its own, and killed.
    pub async fn stop(&mut self, chronicle: &Chronicle) {
        let Some(mut life) = self.life.take() else {
            return;
        };
        if let Err(error) = life.process().stop(STOP_TIME).await {
            let told = format!("did not end gracefully: {error:#}");
            chronicle.note(self.target, What::Broke(told));
            chronicle.note(self.target, What::Died);
        }
    }

    /// Has one of its connections suffer this, or nothing any more.
    pub fn suffer(&self, link: Link, trouble: Option<Trouble>) {
        match (link, &self.sql) {
            (Link::Sql, Some(sql)) => sql.suffer(trouble),
            (Link::Sql, None) => {}
            (Link::Nats, _) => self.nats.suffer(trouble),
        }
    }

    /// Where a switch keeps its journal.
    pub fn journal(&self) -> PathBuf {
        let disk = self.disk.as_ref().map(Disk::path);
        disk.unwrap_or(&self.dir).join("journal")
    }

    /// Moves its clock so many ms from the wall's.
    pub fn move_clock(&self, off_ms: i64) -> Result<()> {
        // Whole at once, as a reader sees it.
        let next = self.dir.join("clock.next");
        std::fs::write(&next, off_ms.to_string())?;
        Ok(std::fs::rename(next, self.dir.join("clock"))?)
    }

    /// Which failpoints have struck it so far, one name for each time.
    pub fn failpoints_struck(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.join("failpoints.log"));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn environment(&self, failpoints: Option<&str>) -> Vec<(String, String)> {
        let file = |name: &str| self.dir.join(name).display().to_string();
        let mut variables = vec![
            ("IRADIALER_CLOCK_FILE".to_owned(), file("clock")),
            ("IRADIALER_FAILPOINT_LOG".to_owned(), file("failpoints.log")),
        ];
        if let Some(points) = failpoints {
            variables.push(("IRADIALER_FAILPOINTS".to_owned(), points.to_owned()));
        }
        variables
    }
}

impl Start {
    /// What is loaded into a switch.
    pub(super) fn engine(&mut self) -> Option<&mut Engine> {
        match self {
            Start::Gateway { .. } => None,
            Start::Switch { engine, .. } => Some(engine),
            Start::FreeSwitch { config, .. } => config.engine.as_mut(),
        }
    }
}
