//! What the development server is told: port, credentials, permissions and paths.

use super::DevServerError;
use crate::bus::users::{self, quoted};
use iradialer_core::value::{ClusterName, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file below the data directory that tells how to reach the server.
pub(super) const PUBLIC: &str = "nats.json";
/// How much of the log an error shows, in lines.
const TAIL_LINES: usize = 12;

/// How one switch logs on.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SwitchLogin {
    pub(super) user: String,
    pub(super) password: String,
}

/// Credentials and port, kept with the data.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) gateway_user: String,
    pub(super) gateway_password: String,
    #[serde(default = "client_user")]
    pub(super) client_user: String,
    #[serde(default = "users::fresh_password")]
    pub(super) client_password: String,
    /// By node id. One that is no longer configured keeps its password, but has no user.
    #[serde(default)]
    pub(super) switches: BTreeMap<String, SwitchLogin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
}

impl Settings {
    /// Those of the last run, or fresh ones where there are none that can be read.
    pub(super) fn load_or_make(path: &Path) -> Result<Settings, DevServerError> {
        match fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_else(|_| Settings::fresh())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::fresh()),
            Err(error) => Err(file_error(path)(error)),
        }
    }

    fn fresh() -> Settings {
        Settings {
            gateway_user: users::GATEWAY_USER.to_owned(),
            gateway_password: users::fresh_password(),
            client_user: client_user(),
            client_password: users::fresh_password(),
            switches: BTreeMap::new(),
            port: None,
        }
    }

    /// Makes a login for each switch that has none yet, and forgets no other.
    pub(super) fn add_switches(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            self.switches
                .entry(node.as_str().to_owned())
                .or_insert_with(|| SwitchLogin {
                    user: users::switch_user(node),
                    password: users::fresh_password(),
                });
        }
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), DevServerError> {
        let text = serde_json::to_string(self).expect("settings are plain strings");
        write_private(path, &text)
    }

    /// The server's configuration with users for these switches; without a port it takes a free one.
    pub(super) fn server_config(
        &self,
        cluster: &ClusterName,
        nodes: &[NodeId],
        paths: &Paths,
        port: Option<u16>,
    ) -> Result<String, DevServerError> {
        let port = port.map_or("-1".to_owned(), |port| port.to_string());
        let switches = nodes.iter().filter_map(|node| {
            let login = self.switches.get(node.as_str())?;
            Some((node, login.password.as_str()))
        });
        Ok(format!(
            r#"server_name: "iradialer-dev"
host: "127.0.0.1"
port: {port}
pid_file: {pid_file}
ports_file_dir: {ports_dir}
jetstream {{ store_dir: {store} }}
{authorization}"#,
            pid_file = quoted_path(&paths.pid_file)?,
            ports_dir = quoted_path(&paths.dir)?,
            store = quoted_path(&paths.store)?,
            authorization = users::authorization(
                cluster,
                &self.gateway_password,
                &self.client_password,
                switches
            ),
        ))
    }
}

fn client_user() -> String {
    users::CLIENT_USER.to_owned()
}

fn quoted_path(path: &Path) -> Result<String, DevServerError> {
    path.to_str().map(quoted).ok_or_else(|| {
        let what = "expected a path in UTF-8";
        file_error(path)(io::Error::new(io::ErrorKind::InvalidInput, what))
    })
}

/// The files of the server.
pub(super) struct Paths {
    pub(super) data_dir: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) config: PathBuf,
    pub(super) settings: PathBuf,
    pub(super) store: PathBuf,
    pub(super) log: PathBuf,
    pub(super) pid_file: PathBuf,
    pub(super) public: PathBuf,
}

impl Paths {
    /// The files below `data_dir`, whose folder `nats` is made.
    pub(super) fn below(data_dir: &Path) -> Result<Paths, DevServerError> {
        let dir = data_dir.join("nats");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(file_error(&dir))?;
        let data_dir = data_dir.canonicalize().map_err(file_error(data_dir))?;
        let dir = data_dir.join("nats");
        Ok(Paths {
            config: dir.join("nats-server.conf"),
            settings: dir.join("settings.json"),
            store: dir.join("store"),
            log: dir.join("nats-server.log"),
            pid_file: dir.join("nats-server.pid"),
            public: data_dir.join(PUBLIC),
            data_dir,
            dir,
        })
    }

    /// The server that runs with our configuration, as its pid file says.
    pub(super) fn running_server(&self) -> Option<u32> {
        let pid: u32 = fs::read_to_string(&self.pid_file)
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let config = self.config.as_os_str().as_encoded_bytes();
        command
            .split(|byte| *byte == 0)
            .any(|argument| argument == config)
            .then_some(pid)
    }

    /// The port a server says it listens on; it says so once it takes connections.
    pub(super) fn announced_port(&self, pid: u32) -> Option<u16> {
        #[derive(Deserialize)]
        struct Ports {
            nats: Vec<String>,
        }
        let file = self.dir.join(format!("nats-server_{pid}.ports"));
        let ports: Ports = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        ports
            .nats
            .iter()
            .find_map(|url| url.rsplit_once(':')?.1.parse().ok())
    }

    /// The last lines of the server's log.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// The log, opened for a new run of the server.
    pub(super) fn open_log(&self) -> Result<File, DevServerError> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.log)
            .map_err(file_error(&self.log))
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), DevServerError> {
    let fresh = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(file_error(path))
}

pub(super) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> DevServerError {
    let path = path.to_path_buf();
    move |error| DevServerError::File { path, error }
}
