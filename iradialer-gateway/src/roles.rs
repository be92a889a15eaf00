//! Starts the roles under one cancellation token and stops them.

use crate::app::{App, Wake};
use crate::bus::{self, DevServer, NatsSwitches};
use crate::catalogue::Catalogues;
use crate::clock::Clock;
use crate::collector;
use crate::config::{Config, NatsConfig, Role, Secret, webhook_secret};
use crate::destinations;
use crate::dispatcher::Dispatcher;
use crate::license::{Keeper, Licensing};
use crate::ready_file::ReadyFile;
use crate::router;
use crate::tdb::{self, Tdb};
use crate::web;
use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long the roles may take to stop before they are left behind.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// How long what was given to the bus may take to reach it.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the gateway could not start or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RoleError(String);

impl RoleError {
    /// A fault, in a sentence that names what to mend.
    pub fn new(what: impl fmt::Display) -> Self {
        RoleError(what.to_string())
    }
}

/// Runs the configured roles until `stop` is cancelled or one of them breaks down.
///
/// # Errors
/// Where something the roles need can't be had, or a role ended by itself.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), RoleError> {
    // The HTTPS clients of this process use it; another that was set before serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    make_data_dir(&config.data_dir)?;
    ReadyFile::forget(&config.data_dir);
    let secret = webhook_secret(&config)?;
    let tdb = Tdb::open(&config.database)
        .await
        .map_err(|error| RoleError::new(format_args!("{}: {error}", config.database)))?;
    let dev_server = match config.dev {
        true => Some(
            DevServer::start(&config.data_dir, &config.cluster, &config.dev_nodes())
                .await
                .map_err(RoleError::new)?,
        ),
        false => None,
    };
    let link = match &dev_server {
        Some(server) => server.gateway_link(),
        None => config.nats.clone(),
    };

    let result = on_the_bus(config, secret, tdb.clone(), &link, &stop).await;

    tdb.close().await;
    if let Some(server) = dev_server {
        server.stop().await;
    }
    result
}

/// Runs the roles with everything they need at hand.
async fn on_the_bus(
    config: Config,
    secret: Secret,
    tdb: Tdb,
    link: &NatsConfig,
    stop: &CancellationToken,
) -> Result<(), RoleError> {
    let nats = bus::connect(link, "iradialer-gateway")
        .await
        .map_err(RoleError::new)?;
    let catalogues = Catalogues::new(Arc::clone(&config.catalogue));
    let read = tdb::at_start(async || catalogues.look(&tdb).await).await;
    read.map_err(|error| RoleError::new(format_args!("the catalogue can't be read: {error}")))?;
    let (clock, config) = (Clock::system(), Arc::new(config));
    let app = App {
        catalogues,
        license: Licensing::new(&config, clock.clone(), tdb.clone()),
        switches: Arc::new(NatsSwitches::new(nats.clone(), config.cluster.clone())),
        config,
        clock,
        tdb,
        wake: Wake::default(),
    };
    // What a call is accepted under has to be known before the first.
    let known = tdb::at_start(async || app.license.refresh().await).await;
    known.map_err(|error| RoleError::new(format_args!("the licence can't be read: {error}")))?;
    let mut running = Running {
        roles: JoinSet::new(),
        // Cancelled with `stop`, and also when a role breaks down.
        stop: stop.child_token(),
    };
    let follower = {
        let wake = app.wake.clone();
        let changed = move || wake.router.notify_one();
        let follow = app
            .catalogues
            .clone()
            .follow(app.tdb.clone(), changed, running.stop.clone());
        tokio::spawn(follow)
    };
    let started = start(&app, &nats, &secret, &mut running);
    let result = match started {
        Ok(ready) => {
            let result = running.until_stopped().await;
            drop(ready);
            result
        }
        Err(error) => Err(error),
    };
    running.stop_all().await;
    let _ = follower.await;
    let _ = timeout(FLUSH_TIMEOUT, nats.flush()).await;
    result
}

/// Starts the roles, those first that others need. The file says that all have started.
fn start(
    app: &App,
    nats: &async_nats::Client,
    secret: &Secret,
    running: &mut Running,
) -> Result<Option<ReadyFile>, RoleError> {
    let stop = running.stop.clone();
    tokio::task::spawn_blocking(destinations::read_plans);
    if !app.config.roles.contains(&Role::Pass) {
        app.license.follow(stop.clone());
    }
    let mut ready = None;
    for role in &app.config.roles {
        let (app, nats, stop) = (app.clone(), nats.clone(), stop.clone());
        match role {
            Role::Collector => running.spawn(*role, collector::run(app, nats, stop)),
            Role::Dispatcher => {
                running.spawn(*role, Dispatcher::new(app, secret)?.run(stop));
            }
            Role::Pass => {
                running.spawn(*role, Keeper::new(app, secret)?.on(nats).run(stop));
            }
            Role::Router => running.spawn(*role, router::run(app, nats, stop)),
            Role::Web => {
                let data_dir = app.config.data_dir.clone();
                let bound = web::bind(app).map_err(RoleError::new)?;
                tracing::info!(url = %bound.url(), "the HTTPS API is up");
                let file = ReadyFile::write(&data_dir, &bound.url(), &bound.files().cert);
                ready = Some(file.map_err(RoleError::new)?);
                running.spawn(*role, bound.run(stop));
            }
        }
    }
    Ok(ready)
}

/// The roles that run.
struct Running {
    roles: JoinSet<Role>,
    stop: CancellationToken,
}

impl Running {
    fn spawn(&mut self, role: Role, work: impl Future<Output = ()> + Send + 'static) {
        tracing::info!(role = role.as_str(), "started");
        self.roles.spawn(async move {
            work.await;
            role
        });
    }

    /// Returns when a stop is asked for, or with the fault when a role ended before.
    async fn until_stopped(&mut self) -> Result<(), RoleError> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(()),
            Some(ended) = self.roles.join_next() => match ended {
                Ok(role) => Err(RoleError::new(format_args!("the {} ended by itself", role.as_str()))),
                Err(error) => Err(RoleError::new(format_args!("a role broke down: {error}"))),
            },
        }
    }

    async fn stop_all(&mut self) {
        self.stop.cancel();
        let all = async {
            while let Some(ended) = self.roles.join_next().await {
                match ended {
                    Ok(role) => tracing::info!(role = role.as_str(), "stopped"),
                    Err(error) => tracing::error!(%error, "a role broke down"),
                }
            }
        };
        if timeout(STOP_TIMEOUT, all).await.is_err() {
            tracing::error!(left = self.roles.len(), "roles did not stop in time");
            self.roles.shutdown().await;
        }
    }
}

/// Makes the data directory where there is none, for its owner only.
pub(crate) fn make_data_dir(dir: &Path) -> Result<(), RoleError> {
    // Its own eyes only: there are keys, tokens and numbers in it.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| RoleError::new(format_args!("data_dir: {}: {error}", dir.display())))
}

fn webhook_secret(config: &Config) -> Result<Secret, RoleError> {
    if let Some(secret) = &config.webhooks.secret {
        return Ok(secret.clone());
    }
    let file = config.data_dir.join("webhook.secret");
    webhook_secret::kept_in(&file)
        .map_err(|error| RoleError::new(format_args!("{}: {error}", file.display())))
}
