//! The system of a chaos run: each role of the gateway a process of its own, two of them routers, two
//! switches, the bus, and a proxy between each process and what it depends on.

use super::chronicle::{Chronicle, What};
use super::disk::Disk;
use super::facts::{self, Invite};
use super::life::Life;
use super::node::{Node, Start};
use super::plan::UNKNOWN_AFTER;
use super::postgres::Postgres;
use super::proxy::{Proxy, Speech};
use super::target::Target;
use super::wire::Wire;
use crate::api::Api;
use crate::freeswitch::{self, Engine, Installation};
use crate::licence::Licence;
use crate::nats::Nats;
use crate::ports::free_port;
use crate::repository::{self, Built};
use crate::webhook::Receiver;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// The tenant of every call.
pub const TENANT: &str = "acme";
/// The campaigns; each prefers another trunk.
pub const CAMPAIGNS: [&str; 2] = ["north", "south"];
/// The trunks: name, calls a second, calls at once.
pub const TRUNKS: [(&str, u32, u32); 2] = [("alpha", 6, 12), ("beta", 4, 8)];
/// Fewer calls at once than the trunks take together, so that the cluster is at its limit again and again, and no more
/// switches than there are.
pub const LICENCE: Licence = Licence {
    channels: 10,
    cps: 100,
    switches: 2,
};

/// How big the disk of a switch's journal is, MiB.
const JOURNAL_DISK: u64 = 64;
/// How big the TDB's disk is, MiB; it takes up only what is written to it.
const TDB_DISK: u64 = 2_048;

/// Where the TDB is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Database {
    /// A file that the gateway's processes share.
    Sqlite,
    /// A server.
    Postgres,
}

/// What dials.
#[derive(Debug, Clone)]
pub enum Switches {
    /// Sandboxes, which have scripted callees and count INVITEs themselves.
    Sandbox,
    /// Real switches; behind each trunk is a sipp, which counts.
    FreeSwitch(Installation),
}

/// The system. Fields are dropped in this order: what depends goes before what it depends on.
pub struct World {
    nodes: BTreeMap<Target, Mutex<Node>>,
    /// What the gateway's events come to.
    pub webhooks: Receiver,
    /// The bus.
    pub nats: Mutex<Nats>,
    /// The database server, if there is one.
    pub postgres: Option<Mutex<Postgres>>,
    /// The far ends, where they are not the sandboxes' own.
    pub wire: Option<Wire>,
    /// What happened.
    pub chronicle: Chronicle,
    /// The disk with the TDB's file, if that is on one of its own.
    pub tdb_disk: Option<Mutex<Disk>>,
    /// Whether what must not be lost is on disks that can be filled and whose power can be cut.
    pub has_disks: bool,
    url_of_tdb: String,
    dir: TempDir,
}

impl World {
    /// Starts everything and waits until calls can be asked for.
    pub async fn start(
        built: &Built,
        database: Database,
        switches: &Switches,
        chronicle: Chronicle,
    ) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ira-chaos-").tempdir()?;
        let nats = Nats::start(&built.gateway, &Target::SWITCHES.map(Target::name)).await?;
        let webhooks = Receiver::start().await?;
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start().await?),
        };
        let tdb_disk = match &postgres {
            None => Disk::make(&dir.path().join("tdb"), TDB_DISK)?,
            Some(_) => None,
        };
        let tdb = tdb_disk.as_ref().map_or(dir.path(), Disk::path);
        let url_of_tdb = match &postgres {
            Some(postgres) => postgres.url(postgres.address()),
            None => format!("sqlite://{}", tdb.join("tdb.db").display()),
        };
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        webhooks.trust(secret)?;
        let config = dir.path().join("gateway.toml");
        std::fs::write(
            &config,
            gateway_config(&nats, &webhooks, secret, &url_of_tdb)?
                + &LICENCE.issue(&built.gateway, dir.path())?,
        )?;

        let wire = match switches {
            Switches::Sandbox => None,
            Switches::FreeSwitch(_) => Some(Wire::start(TRUNKS.map(|(name, ..)| name)).await?),
        };
        let mut world = World {
            nodes: BTreeMap::new(),
            webhooks,
            nats: Mutex::new(nats),
            postgres: postgres.map(Mutex::new),
            wire,
            chronicle,
            has_disks: false,
            tdb_disk: tdb_disk.map(Mutex::new),
            url_of_tdb,
            dir,
        };
        for target in Target::GATEWAY {
            let sql = world.sql_proxy().await?;
            let plan = Start::Gateway {
                program: built.gateway.clone(),
                config: config.clone(),
                sql: sql.as_ref().map(|(_, url)| url.clone()),
            };
            world.add(target, plan, sql.map(|(proxy, _)| proxy)).await?;
        }
        for target in Target::SWITCHES {
            let engine = Engine::new(&built.module);
            let plan = match (switches, &world.wire) {
                (Switches::FreeSwitch(installation), Some(wire)) => Start::FreeSwitch {
                    installation: installation.clone(),
                    config: freeswitch::Config {
                        trunks: wire.trunks(),
                        engine: Some(engine),
                        ..freeswitch::Config::default()
                    },
                    ports: wire.ports(),
                },
                _ => Start::Switch {
                    program: built.sandbox.clone(),
                    engine,
                    invites: world.invite_log(),
                },
            };
            world.add(target, plan, None).await?;
        }
        for (target, node) in &world.nodes {
            let mut node = node.lock().await;
            let node = &mut *node;
            let journal = node.journal();
            if let Some(engine) = node.plan.engine() {
                let bare = engine.clone();
                *engine = world.joined(bare, *target, &journal, &node.nats).await?;
            }
            node.start(&world.chronicle, None).await?;
            node.wait_until_ready().await?;
        }
        Ok(world)
    }

    async fn sql_proxy(&self) -> Result<Option<(Proxy, String)>> {
        let Some(postgres) = &self.postgres else {
            return Ok(None);
        };
        let postgres = postgres.lock().await;
        let proxy = Proxy::start(postgres.address(), Speech::Any).await?;
        let url = postgres.url(proxy.address());
        Ok(Some((proxy, url)))
    }

    async fn add(&mut self, target: Target, plan: Start, sql: Option<Proxy>) -> Result<()> {
        let dir = self.dir.path().join(target.name());
        std::fs::create_dir(&dir)?;
        let disk = match target.is_switch() {
            true => Disk::make(&dir.join("disk"), JOURNAL_DISK)?,
            false => None,
        };
        self.has_disks |= disk.is_some();
        let node = Node {
            target,
            plan,
            life: None,
            lives: 0,
            dir,
            nats: Proxy::start(self.nats.lock().await.address(), Speech::Nats).await?,
            sql,
            disk,
        };
        self.nodes.insert(target, Mutex::new(node));
        Ok(())
    }

    /// `engine` as the switch `target`, on the bus by way of its proxy.
    async fn joined(
        &self,
        engine: Engine,
        target: Target,
        journal: &Path,
        nats: &Proxy,
    ) -> Result<Engine> {
        let name = target.name();
        let mut login = self.nats.lock().await.switch_login(name)?;
        login.url = format!("nats://{}", nats.address());
        let engine = engine
            .node(name, &login)
            .prompts(&repository::root()?.join("conf/prompts"));
        Ok(match has_journal()? {
            true => engine.param("journal-dir", journal.to_string_lossy()),
            false => engine,
        })
    }

    /// A process of ours, once nobody else has a hand on it. Nothing for the bus and the database server.
    pub fn node(&self, target: Target) -> Option<&Mutex<Node>> {
        self.nodes.get(&target)
    }

    /// Every process of the gateway, once nobody else has a hand on any.
    pub async fn gateway(&self) -> Vec<MutexGuard<'_, Node>> {
        let mut nodes = Vec::new();
        for target in Target::GATEWAY {
            nodes.push(self.nodes[&target].lock().await);
        }
        nodes
    }

    /// How often each failpoint has struck.
    pub async fn failpoints_struck(&self) -> BTreeMap<String, usize> {
        let mut struck = BTreeMap::new();
        for node in self.nodes.values() {
            for name in node.lock().await.failpoints_struck() {
                *struck.entry(name).or_default() += 1;
            }
        }
        struck
    }

    /// A client with a fresh token.
    pub async fn api(&self) -> Result<Api> {
        let node = self.nodes[&Target::Web].lock().await;
        let Start::Gateway {
            program, config, ..
        } = &node.plan
        else {
            anyhow::bail!("the web role is no gateway");
        };
        let output = Command::new(program)
            .args(["token", "create", "--tenant", TENANT, "--config"])
            .arg(config)
            .arg("--data-dir")
            .arg(&node.dir)
            .output()?;
        ensure!(
            output.status.success(),
            "token create: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let token = String::from_utf8(output.stdout)?;
        let ready: serde_json::Value =
            serde_json::from_slice(&std::fs::read(node.dir.join("ready.json"))?)?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default();
        Api::new(text("https"), Path::new(text("cert")), token.trim())
    }

    /// Every INVITE so far, as the far ends counted.
    pub fn invites(&self) -> Result<Vec<Invite>> {
        match &self.wire {
            Some(wire) => wire.invites(),
            None => facts::invites(&self.invite_log()),
        }
    }

    fn invite_log(&self) -> PathBuf {
        self.dir.path().join("invites.tsv")
    }

    /// Where the TDB is, past every proxy.
    pub fn url_of_tdb(&self) -> &str {
        &self.url_of_tdb
    }

    /// Notes and starts again what ended though nobody had a hand in it.
    pub async fn look_after(&self) -> Result<()> {
        for (target, node) in &self.nodes {
            let Ok(mut node) = node.try_lock() else {
                continue;
            };
            let Some(process) = node.life.as_mut().map(Life::process) else {
                continue;
            };
            if let Some(status) = process.ended() {
                let told = format!("ended by itself ({status})\n{}", process.log_tail());
                self.chronicle.note(*target, What::Died);
                self.chronicle.note(*target, What::Broke(told));
                node.start(&self.chronicle, None).await?;
            }
        }
        Ok(())
    }

    /// Ends every process of ours gracefully, so that what they still have to say is said.
    pub async fn stop(&self) {
        for node in self.nodes.values() {
            let mut node = node.lock().await;
            node.stop(&self.chronicle).await;
        }
    }

    /// Keeps the directory with every log, journal and TDB and says where it is.
    pub fn keep(self) -> PathBuf {
        let World {
            nodes,
            tdb_disk,
            postgres,
            dir,
            ..
        } = self;
        if let Some(postgres) = postgres.map(Mutex::into_inner) {
            postgres.dump(&dir.path().join("tdb.sql"));
        }
        for node in nodes.into_values().map(Mutex::into_inner) {
            let Node { life, disk, .. } = node;
            drop(life);
            disk.iter().for_each(Disk::keep);
        }
        tdb_disk.map(Mutex::into_inner).iter().for_each(Disk::keep);
        dir.keep()
    }
}

/// Whether the module keeps its journal on a disk.
pub fn has_journal() -> Result<bool> {
    let shipped = repository::root()?.join("conf/autoload_configs/iradialer.conf.xml");
    let text = std::fs::read_to_string(&shipped)
        .with_context(|| format!("reading {}", shipped.display()))?;
    Ok(text.contains("name=\"journal-dir\""))
}

/// The file that all processes of the gateway share; what differs is in their environment.
fn gateway_config(nats: &Nats, webhooks: &Receiver, secret: &str, tdb: &str) -> Result<String> {
    let login = nats.gateway_login();
    let mut text = format!(
        "database_url = \"{tdb}\"\n\
         [web]\nlisten = \"127.0.0.1:{port}\"\n\
         [nats]\nurl = \"{url}\"\nuser = \"{user}\"\npassword = \"{password}\"\n\
         [webhooks]\nsecret = \"{secret}\"\nallow_addresses = [\"127.0.0.0/8\"]\n\
         retry_after_s = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 5, 5, 5, 5, 5]\n\
         [router]\nswitch_unknown_after_ms = {unknown_after}\n",
        port = free_port()?,
        unknown_after = UNKNOWN_AFTER.as_millis(),
        url = login.url,
        user = login.user,
        password = login.password,
    );
    for (name, max_cps, max_calls) in TRUNKS {
        text += &format!(
            "[[trunks]]\nname = \"{name}\"\nmax_cps = {max_cps}.0\nmax_calls = {max_calls}\n"
        );
    }
    for (index, name) in CAMPAIGNS.iter().enumerate() {
        let (first, second) = (TRUNKS[index].0, TRUNKS[1 - index].0);
        text += &format!(
            "[[campaigns]]\nname = \"{name}\"\ntenant_id = \"{TENANT}\"\n\
             trunks = [\"{first}\", \"{second}\"]\nfrom_number = \"+15005550100\"\n\
             event_url = \"{}\"\nmax_calls = 100\n",
            webhooks.url()
        );
    }
    Ok(text)
}
