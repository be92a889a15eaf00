//! The `nats-server` of the development mode: a real one, on loopback, with credentials of its own,
//! that lives and dies with the gateway.
//!
//! Port and credentials are kept with the data, so that a switch finds the bus again after the
//! gateway was restarted. While the server is up they are also in `DATA_DIR/nats.json`.

mod process;
mod settings;

use crate::config::{NatsConfig, Secret};
use iradialer_core::value::{ClusterName, NodeId};
use process::Process;
use serde::{Deserialize, Serialize};
use settings::{PUBLIC, Paths, Settings, write_private};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the server may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the server of a gateway that was just killed may take to go.
const PREDECESSOR_TIMEOUT: Duration = Duration::from_secs(5);
/// How often we look whether it is ready or gone; only while starting.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Why the development server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum DevServerError {
    /// There is no such program.
    #[error(
        "nats-server was found neither on PATH nor as /usr/sbin/nats-server; on Debian: apt-get install nats-server"
    )]
    NotInstalled,
    /// A file below the data directory.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The data directory is used by another gateway.
    #[error(
        "{data_dir}: expected a data directory of our own, but a nats-server (pid {pid}) of another gateway uses it"
    )]
    InUse {
        /// The directory.
        data_dir: PathBuf,
        /// The other server.
        pid: u32,
    },
    /// The program could not be run.
    #[error("setpriv (Debian: util-linux) could not run {program}: {error}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It ended or did not get ready.
    #[error("nats-server did not get ready: {why}; the end of {log}:\n{tail}")]
    NotReady {
        /// What was seen.
        why: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
}

/// A running `nats-server`. Ends it when dropped; [`DevServer::stop`] also waits for its end.
pub struct DevServer {
    process: Process,
    settings: Settings,
    port: u16,
    paths: Paths,
}

/// What is in `nats.json`.
#[derive(Serialize)]
struct PublicSettings<'a> {
    url: String,
    #[serde(flatten)]
    settings: &'a Settings,
}

impl DevServer {
    /// Starts the server with its store below `data_dir` and a user for each of the switches `nodes`, and
    /// returns once it takes connections.
    pub async fn start(
        data_dir: &Path,
        cluster: &ClusterName,
        nodes: &[NodeId],
    ) -> Result<DevServer, DevServerError> {
        let program = find_server().ok_or(DevServerError::NotInstalled)?;
        let paths = Paths::below(data_dir)?;
        wait_for_predecessor(&paths).await?;
        let mut settings = Settings::load_or_make(&paths.settings)?;
        settings.add_switches(nodes);
        let wanted = settings.port.filter(|port| is_free(*port));
        write_private(
            &paths.config,
            &settings.server_config(cluster, nodes, &paths, wanted)?,
        )?;

        let process = Process::spawn(program, &paths)?;
        let port = match wait_until_ready(&process, &paths).await {
            Ok(port) => port,
            Err(error) => {
                process.stop().await;
                return Err(error);
            }
        };
        settings.port = Some(port);
        // A restart of the server must come back on the port that the switches know.
        write_private(
            &paths.config,
            &settings.server_config(cluster, nodes, &paths, Some(port))?,
        )?;
        settings.save(&paths.settings)?;
        process.keep_running();

        let server = DevServer {
            process,
            settings,
            port,
            paths,
        };
        let public = PublicSettings {
            url: server.url(),
            settings: &server.settings,
        };
        let text = serde_json::to_string_pretty(&public).expect("settings are plain strings");
        write_private(&server.paths.public, &text)?;
        tracing::info!(url = %server.url(), credentials = %server.paths.public.display(), "nats-server is up");
        Ok(server)
    }

    /// `nats://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The gateway's own way to it.
    pub fn gateway_link(&self) -> NatsConfig {
        NatsConfig {
            url: self.url(),
            user: self.settings.gateway_user.clone(),
            password: Secret::new(self.settings.gateway_password.clone()),
        }
    }

    /// The way of one of its switches to it.
    pub fn switch_link(&self, node: &NodeId) -> Option<NatsConfig> {
        let login = self.settings.switches.get(node.as_str())?;
        Some(NatsConfig {
            url: self.url(),
            user: login.user.clone(),
            password: Secret::new(login.password.clone()),
        })
    }

    /// Ends the server and waits until it has ended; one that does not end by itself is killed.
    pub async fn stop(self) {
        let _ = std::fs::remove_file(&self.paths.public);
        self.process.stop().await;
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.paths.public);
    }
}

/// The gateway's way to the server that runs with `data_dir`, as its `nats.json` says.
pub fn link_of(data_dir: &Path) -> Option<NatsConfig> {
    #[derive(Deserialize)]
    struct Link {
        url: String,
        gateway_user: String,
        gateway_password: String,
    }
    let text = std::fs::read(data_dir.join(PUBLIC)).ok()?;
    let link: Link = serde_json::from_slice(&text).ok()?;
    Some(NatsConfig {
        url: link.url,
        user: link.gateway_user,
        password: Secret::new(link.gateway_password),
    })
}

fn find_server() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join("nats-server"))
        .find(|candidate| candidate.is_file())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
}

/// The server of a gateway that was killed gets its signal from the kernel and is gone soon; the
/// store must not be opened before.
async fn wait_for_predecessor(paths: &Paths) -> Result<(), DevServerError> {
    let deadline = Instant::now() + PREDECESSOR_TIMEOUT;
    while let Some(pid) = paths.running_server() {
        if Instant::now() >= deadline {
            return Err(DevServerError::InUse {
                data_dir: paths.data_dir.clone(),
                pid,
            });
        }
        sleep(LOOK_INTERVAL).await;
    }
    let _ = std::fs::remove_file(&paths.public);
    Ok(())
}

async fn wait_until_ready(process: &Process, paths: &Paths) -> Result<u16, DevServerError> {
    let not_ready = |why: String| DevServerError::NotReady {
        why,
        log: paths.log.clone(),
        tail: paths.log_tail(),
    };
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Some(port) = paths.announced_port(process.pid()) {
            return Ok(port);
        }
        if let Some(status) = process.exit_status() {
            return Err(not_ready(format!("it ended with {status}")));
        }
        if Instant::now() >= deadline {
            return Err(not_ready(format!("nothing within {START_TIMEOUT:?}")));
        }
        sleep(LOOK_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests;
