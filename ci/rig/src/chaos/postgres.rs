//! A PostgreSQL of our own, in a temporary directory, as a database cluster of one user.

use crate::ports::free_port;
use crate::process::{Process, Program};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How long a start may take: after a kill it reads its log anew.
const START_TIME: Duration = Duration::from_secs(60);
/// How long a stop may take.
const STOP_TIME: Duration = Duration::from_secs(30);
/// How often a server that was killed is started again before something else is wrong with it: it refuses
/// while a helper of its former life holds their memory, until that sees that it is alone.
const STARTS: usize = 5;
/// The time between two of them.
const HELPERS_TIME: Duration = Duration::from_secs(2);
/// The user and the database.
const NAME: &str = "iradialer";

/// A running server. Dropping it ends it and removes its data.
pub struct Postgres {
    process: Process,
    dir: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts one on a free port of loopback, with an empty database.
    pub async fn start() -> Result<Self> {
        let programs = programs()?;
        let dir = tempfile::Builder::new().prefix("ira-postgres-").tempdir()?;
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(dir.path()))?;
        }
        let data = dir.path().join("data").display().to_string();
        let initdb = programs.join("initdb").display().to_string();
        let arguments = ["-D", &data, "-U", NAME, "-A", "trust", "-E", "UTF8"];
        let (program, arguments) = as_its_user(&initdb, &arguments);
        run(Command::new(program)
            .args(arguments)
            .args(["--locale=C", "-N"])
            .current_dir(dir.path()))?;
        let port = free_port()?;
        let mut postgres = Postgres {
            process: Self::spawn(dir.path(), &programs, port)?,
            dir,
            programs,
            port,
        };
        postgres.wait_until_ready().await?;
        run(postgres.client("createdb").args([
            "-p",
            &port.to_string(),
            "-h",
            "127.0.0.1",
            "-U",
            NAME,
            NAME,
        ]))?;
        Ok(postgres)
    }

    fn spawn(dir: &Path, programs: &Path, port: u16) -> Result<Process> {
        let data = dir.join("data").display().to_string();
        let server = programs.join("postgres").display().to_string();
        let port = port.to_string();
        let sockets = dir.display().to_string();
        let arguments = ["-D", &data, "-p", &port, "-h", "127.0.0.1", "-k", &sockets];
        let (program, arguments) = as_its_user(&server, &arguments);
        Program::new("postgres", program).args(arguments).start(dir)
    }

    /// Kills it (SIGKILL), its helpers with it.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.signal(Signal::KILL)?;
        self.process.stop(STOP_TIME).await?;
        Ok(())
    }

    /// Stops it as an operator in a hurry does: connections are closed (SIGINT, "fast").
    pub async fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::INT)?;
        let deadline = std::time::Instant::now() + STOP_TIME;
        while self.process.ended().is_none() {
            if std::time::Instant::now() > deadline {
                bail!("postgres did not stop within {STOP_TIME:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts it again on the same port and data.
    pub async fn start_again(&mut self) -> Result<()> {
        let mut started = Ok(());
        for _ in 0..STARTS {
            self.process = Self::spawn(self.dir.path(), &self.programs, self.port)?;
            started = self.wait_until_ready().await;
            if started.is_ok() || self.process.ended().is_none() {
                break;
            }
            tokio::time::sleep(HELPERS_TIME).await;
        }
        started
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let port = self.port.to_string();
        let isready = self.programs.join("pg_isready");
        let ready = || {
            let mut command = Command::new(&isready);
            command.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            command.status().ok()?.success().then_some(())
        };
        self.process.until("ready", START_TIME, ready).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its URL by way of `address`.
    pub fn url(&self, address: SocketAddr) -> String {
        format!("postgres://{NAME}@{address}/{NAME}")
    }

    /// Leaves what is in the database in a file, as SQL, if it can be read.
    pub fn dump(&self, to: &Path) {
        let mut dump = self.client("pg_dump");
        let _ = dump
            .arg("--file")
            .arg(to)
            .arg(self.url(self.address()))
            .status();
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.dir.path());
        command
    }
}

/// Debian keeps the server's programs by version, the youngest last.
fn programs() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("postgres").exists())
        .collect();
    found.sort();
    found
        .pop()
        .context("PostgreSQL is in the Debian package postgresql")
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn as_its_user(program: &str, arguments: &[&str]) -> (String, Vec<String>) {
    let own = arguments.iter().map(|argument| (*argument).to_owned());
    if !is_root() {
        return (program.to_owned(), own.collect());
    }
    // The wish to die with us does not survive a change of user: it is made anew after that.
    let user = "--reuid=postgres --regid=postgres --init-groups -- setpriv --pdeathsig KILL --";
    let user = user.split(' ').chain([program]).map(str::to_owned);
    let arguments = user.chain(own).collect();
    ("setpriv".to_owned(), arguments)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("running {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{:?}: {}",
        command.get_program(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
