//! What the whole process shares: there is one host, and the C functions find it here.

use crate::carrier::Carriers;
use crate::clock::Clock;
use crate::completion::Completions;
use crate::conf::Globals;
use crate::invite_log::InviteLog;
use crate::network::Network;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The host's settings and registers.
pub struct Host {
    /// The clock of all pacing.
    pub clock: Arc<Clock>,
    /// Where far ends act.
    pub network: Network,
    /// The folder of `autoload_configs`.
    pub conf: PathBuf,
    /// Global variables.
    pub globals: Globals,
    /// The trunks that exist; every one when empty.
    pub trunks: BTreeSet<String>,
    /// How many sessions may exist at once.
    pub max_sessions: usize,
    /// Log lines up to this level are printed.
    pub log_level: i32,
    /// Words for tab completion.
    pub completions: Mutex<Completions>,
    /// INVITEs sent, by number.
    pub invites: Mutex<BTreeMap<String, u64>>,
    /// Those that take so many calls a second.
    pub carriers: Carriers,
    /// The folder where it is kept what far ends hear, if anywhere.
    pub listens_in: OnceLock<PathBuf>,
    /// Where each INVITE gets a line, if anywhere.
    pub invite_log: Option<InviteLog>,
}

static HOST: OnceLock<Host> = OnceLock::new();

impl Host {
    /// Makes this the process's host. To be called once, before a module is loaded.
    pub fn install(self) {
        let first = HOST.set(self).is_ok();
        assert!(first, "a process has one host");
    }
}

/// The process's host.
pub fn host() -> &'static Host {
    HOST.get()
        .expect("the host is installed before anything runs on it")
}
