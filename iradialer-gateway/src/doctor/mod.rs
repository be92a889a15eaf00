//! `doctor`: looks at everything that a gateway needs, and says what is wrong and what to do about it.
//!
//! It asks and never mends: nothing is written but what a check of the TDB leaves, which is nothing.

mod clocks;
mod disk;
mod freeswitch;
mod license;
mod nats;
mod running;
mod switches;
mod tdb;
mod tls;
mod trunks;
mod webhooks;

use crate::bus::dev_server;
use crate::catalogue::{Catalogue, Catalogues};
use crate::clock::Clock;
use crate::config::{Config, Sources};
use crate::tdb::Tdb;
use iradialer_core::wire::Heartbeat;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `config`, `disk`, `tls`, `nats`, …
    pub check: &'static str,
    /// Whether it is as it should be.
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub found: String,
    /// What to do about it; for warnings and faults.
    pub mend: Option<String>,
}

/// Whether something is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Ok,
    /// It could not be looked at, or there is nothing to look at.
    Skipped,
    /// It works, and somebody should look at it.
    Warning,
    /// Calls can't be placed, or are not placed as they should be.
    Fault,
}

impl Verdict {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Skipped => "skipped",
            Verdict::Warning => "warning",
            Verdict::Fault => "fault",
        }
    }
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding {
            check,
            verdict: Verdict::Ok,
            found: found.into(),
            mend: None,
        }
    }

    fn skipped(check: &'static str, found: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Skipped,
            ..Finding::ok(check, found)
        }
    }

    fn warning(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Warning,
            mend: Some(mend.into()),
            ..Finding::ok(check, found)
        }
    }

    fn fault(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Fault,
            ..Finding::warning(check, found, mend)
        }
    }
}

/// What to look at, and how closely.
#[derive(Debug, Clone)]
pub struct Examination {
    /// Where the configuration comes from.
    pub sources: Sources,
    /// A disk with less room than this is a fault, MiB.
    pub min_free_mib: u64,
    /// Where FreeSWITCH is, instead of where `FREESWITCH_PREFIX`, pkg-config and `PATH` say.
    pub freeswitch_prefix: Option<PathBuf>,
}

/// What the checks that follow work with.
struct Patient {
    config: Config,
    /// As the TDB has it; where that can't be read, as the file has it.
    catalogue: Arc<Catalogue>,
    clock: Clock,
    tdb: Option<Tdb>,
    /// The last heartbeat of each switch that was heard while we listened; none where NATS can't be reached.
    heard: Option<Vec<Heard>>,
}

/// A heartbeat, and when it came by our clock.
struct Heard {
    heartbeat: Heartbeat,
    at_ms: u64,
}

/// Looks at everything, in the order in which one thing needs another.
pub async fn examine(examination: Examination) -> Vec<Finding> {
    let Examination {
        sources,
        min_free_mib,
        freeswitch_prefix,
    } = examination;
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(error) => return config_faults(&error),
    };
    let mut findings = vec![Finding::ok("config", "every key is as it should be")];
    findings.extend(disk::look(&config, min_free_mib));
    findings.extend(tls::look(&config));
    let (database, tdb) = tdb::look(&config).await;
    findings.extend(database);
    let link = match config.dev {
        true => dev_server::link_of(&config.data_dir),
        false => Some(config.nats.clone()),
    };
    let (bus, heard) = nats::look(&config, link).await;
    findings.extend(bus);

    let catalogues = Catalogues::new(Arc::clone(&config.catalogue));
    if let Some(tdb) = &tdb {
        // What is wrong with it has been found before.
        let _ = catalogues.look(tdb).await;
    }
    let patient = Patient {
        config,
        catalogue: catalogues.now(),
        clock: Clock::system(),
        tdb,
        heard,
    };
    findings.extend(clocks::look(&patient).await);
    findings.extend(license::look(&patient).await);
    findings.extend(running::look(&patient).await);
    findings.extend(switches::look(&patient));
    findings.extend(trunks::look(&patient).await);
    findings.extend(webhooks::look(&patient).await);
    findings.extend(freeswitch::look(&patient, freeswitch_prefix.as_deref()));
    if let Some(tdb) = patient.tdb {
        tdb.close().await;
    }
    findings
}

fn config_faults(error: &crate::config::ConfigError) -> Vec<Finding> {
    let mend = format!(
        "mend {}; `iradialer-gateway config defaults` prints every key with its range",
        error.source
    );
    let faults = error
        .mistakes
        .iter()
        .map(|mistake| Finding::fault("config", mistake.as_str(), mend.as_str()));
    faults.collect()
}
