//! `serve`

use super::Failure;
use crate::config::{Config, Sources};
use crate::roles;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::IsTerminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Which log lines are shown where `RUST_LOG` does not say.
const DEFAULT_LOG: &str = "info,sqlx=warn,async_nats=warn,h2=warn,hyper=warn,rustls=warn";

/// Runs the gateway until a signal ends it.
pub(super) fn serve(sources: Sources) -> Result<(), Failure> {
    start_log();
    for point in iradialer_core::failpoint::armed()? {
        tracing::warn!(point, "a failpoint is armed: this process is made to break");
    }
    let config = Config::load(&sources)?;
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(&stop)?;
        roles::serve(config, stop).await.map_err(Failure::from)
    });
    tracing::info!("stopped");
    result
}

/// Takes as many open files as the system lets this process have: connections of clients, of webhooks' receivers and of
/// the database are one each, and the usual limit of 1,024 is one for programs that use `select`.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// SIGTERM and SIGINT ask for a graceful stop; a second one ends the process at once.
fn stop_on_signals(stop: &CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                tracing::warn!("asked to stop a second time, ending at once");
                std::process::exit(130);
            }
            tracing::info!("asked to stop");
            stop.cancel();
        }
    });
    Ok(())
}

fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
