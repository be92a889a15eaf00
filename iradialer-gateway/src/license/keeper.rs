//! Looks after the licence: reads it anew, notes the time, installs it from its file, and warns before its end.

use super::leases::{self, Watch};
use super::shown::{days_left, warnings};
use super::{EVERY, NotInstalled};
use crate::config::Secret;
use crate::dispatcher::OperatorHook;
use crate::roles::RoleError;
use crate::tdb::{Author, TdbError, Via};
use iradialer_core::value::TenantId;
use serde_json::json;
use std::sync::Arc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Whose entry of the audit log a licence is that comes from the configuration.
const CLUSTER: &str = "cluster";
/// The longest file that is read, in bytes: a licence and some white space.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// The role `pass`.
pub struct Keeper {
    app: crate::app::App,
    client: Option<async_nats::Client>,
    watch: Arc<Watch>,
    operator: OperatorHook,
    /// What the configuration's file held when it was last installed, or refused.
    file: Option<String>,
    /// The warnings that were told in the log.
    told: Vec<&'static str>,
}

impl Keeper {
    /// One that tells the operator by the webhook of the configuration, signed with `secret`.
    ///
    /// # Errors
    /// Where no HTTP client can be set up.
    pub fn new(app: crate::app::App, secret: &Secret) -> Result<Self, RoleError> {
        Ok(Keeper {
            client: None,
            watch: Arc::default(),
            operator: OperatorHook::new(&app.config.webhooks, secret)?,
            app,
            file: None,
            told: Vec::new(),
        })
    }

    /// The same, which gives leases to the switches on that bus.
    pub fn on(self, client: async_nats::Client) -> Self {
        Keeper {
            client: Some(client),
            ..self
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        // What is installed from a file is to be known before the first switch asks.
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "the licence could not be looked at yet");
        }
        let (app, watch) = (self.app.clone(), Arc::clone(&self.watch));
        if let Some(client) = self.client.take() {
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = leases::serve(&app, &client, &watch) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        let mut failed = false;
        while !stop.is_cancelled() {
            match self.look().await {
                Ok(()) => failed = false,
                Err(error) if !std::mem::replace(&mut failed, true) => {
                    tracing::error!(%error, "the licence can't be looked after, trying again until it can");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    pub(super) async fn look(&mut self) -> Result<(), TdbError> {
        self.look_at_file().await?;
        let licensing = &self.app.license;
        licensing.refresh().await?;
        let standing = licensing.standing();
        let (at_ms, place) = (standing.judged_ms, standing.place);
        self.app.tdb.note_time(at_ms, place).await?;
        let leases = self.app.tdb.license_leases().await?;
        self.watch.look(&leases, self.app.clock.steady_ms());
        self.tell_in_log();
        self.tell_of_end().await
    }

    /// Installs what the file holds, if it is something else than before.
    async fn look_at_file(&mut self) -> Result<(), TdbError> {
        let Some(path) = self.app.license.shared.file.clone() else {
            return Ok(());
        };
        let read = read_bounded(&path).await;
        let text = match read {
            Ok(text) if self.file.as_ref() == Some(&text) => return Ok(()),
            Ok(text) => text,
            Err(error) => {
                self.refuse_file(Some(format!("{}: {error}", path.display())));
                return Ok(());
            }
        };
        let author = Author {
            via: Via::Configuration,
            actor: path.display().to_string(),
            request_id: None,
        };
        let Ok(tenant) = TenantId::parse("tenant_id", CLUSTER) else {
            return Ok(());
        };
        match self.app.license.install(&text, tenant, author).await {
            Ok(new) => {
                if new {
                    tracing::info!(file = %path.display(), "a licence was installed");
                }
                self.refuse_file(None);
            }
            Err(NotInstalled::Refused(why)) => self.refuse_file(Some(why.to_string())),
            Err(NotInstalled::Tdb(error)) => return Err(error),
        }
        self.file = Some(text);
        Ok(())
    }

    fn refuse_file(&self, why: Option<String>) {
        self.app.license.seen().file_refused = why;
    }

    /// Each warning when it comes up, and when it is over it may come up again.
    fn tell_in_log(&mut self) {
        let standing = self.app.license.standing();
        let now = warnings(&standing);
        for warning in &now {
            // Those of its end are told once in the whole cluster.
            let is_of_end = matches!(warning.name, "expires_soon" | "expired");
            if !is_of_end && !self.told.contains(&warning.name) {
                tracing::error!(warning = warning.name, "{}", warning.message);
            }
        }
        self.told = now.iter().map(|warning| warning.name).collect();
    }

    /// Tells the operator that the licence's end is near, or has come: once each, whichever gateway it is.
    async fn tell_of_end(&self) -> Result<(), TdbError> {
        let standing = self.app.license.standing();
        let (Some(days), Some((signed, _))) = (days_left(&standing), &standing.license) else {
            return Ok(());
        };
        let id = signed.license.license_id.to_string();
        let now_ms = self.app.clock.now_ms();
        let tdb = &self.app.tdb;
        if !tdb.tell_of_license(id.clone(), days, now_ms).await? {
            return Ok(());
        }
        let shown = super::ShownLicense::of(signed);
        let event = match days {
            0 => "iradialer::license_expired",
            _ => "iradialer::license_expires_soon",
        };
        tracing::error!(
            license_id = id,
            customer = shown.customer,
            expires_at = shown.expires_at,
            days_left = days,
            "{}",
            match days {
                0 => "THE LICENCE HAS EXPIRED: no new calls are taken",
                _ => "THE LICENCE EXPIRES SOON: install the next one",
            }
        );
        let data = json!({
            "license_id": id,
            "serial": shown.serial,
            "customer": shown.customer,
            "expires_at": shown.expires_at,
            "days_left": days,
        });
        self.operator.tell(event, data, now_ms);
        Ok(())
    }
}

async fn read_bounded(path: &std::path::Path) -> std::io::Result<String> {
    let size = tokio::fs::metadata(path).await?.len();
    if size > MAX_FILE_BYTES {
        return Err(std::io::Error::other(format!(
            "expected at most {MAX_FILE_BYTES} bytes, got {size}"
        )));
    }
    tokio::fs::read_to_string(path).await
}
