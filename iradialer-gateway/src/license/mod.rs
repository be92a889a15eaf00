//! The licence: which is in force, what it allows, and by what time that is judged.

mod judge;
mod keeper;
mod leases;
pub mod shares;
mod shown;

#[cfg(test)]
mod tests;

pub use keeper::Keeper;
pub use shown::{ShownLease, ShownLicense, ShownLimits, ShownStanding, Warning};

use crate::clock::Clock;
use crate::config::Config;
use crate::tdb::{Author, Installed, NewLicense, Tdb, TdbError};
use iradialer_core::license::{
    self, EVALUATION, Feature, Features, License, Limits, PublicKey, Refusal, Signed,
};
use iradialer_core::value::{ClusterName, TenantId};
use judge::Judge;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the licence is read anew.
const EVERY: Duration = Duration::from_secs(5);

/// What the cluster may use, as this process knows it. Cheap to clone.
#[derive(Clone)]
pub struct Licensing {
    shared: Arc<Shared>,
}

struct Shared {
    tdb: Tdb,
    clock: Clock,
    cluster: ClusterName,
    keys: Vec<PublicKey>,
    file: Option<PathBuf>,
    seen: Mutex<Seen>,
}

/// What was last read.
#[derive(Default)]
struct Seen {
    in_force: Option<Arc<InForce>>,
    judge: Judge,
    /// Why the licence of the configuration's file is not installed.
    file_refused: Option<String>,
}

/// A licence that was installed, and whether it is signed by one who counts.
#[derive(Debug)]
struct InForce {
    place: u64,
    installed_ms: u64,
    read: Result<Signed, Refusal>,
}

/// What holds at one moment.
#[derive(Debug, Clone)]
pub struct Standing {
    /// In one word.
    pub state: State,
    /// The licence in force and when it was installed, ms since the Unix epoch; none where there never was one, or
    /// one that does not count here.
    pub license: Option<(Signed, u64)>,
    /// What may be used. Where new calls are refused it is what could be used before.
    pub limits: Limits,
    /// Why the licence that is installed does not hold, or does not count.
    pub refusal: Option<Refusal>,
    /// Why the licence of the configuration's file is not installed.
    pub file_refused: Option<String>,
    /// The time it is judged by, ms since the Unix epoch.
    pub judged_ms: u64,
    /// Which licence that time is of; 0: none. It begins anew with each.
    pub place: u64,
    /// How far the clock of this machine is behind that, ms, where it was set back.
    pub set_back_ms: Option<u64>,
}

/// How a licence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Active,
    /// There is none that counts.
    Evaluation,
    /// It does not hold yet: no new calls.
    NotYetValid,
    /// It does not hold any more: no new calls.
    Expired,
}

impl State {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Evaluation => "evaluation",
            State::NotYetValid => "not_yet_valid",
            State::Expired => "expired",
        }
    }

    /// Whether new calls are taken.
    pub fn takes_calls(self) -> bool {
        matches!(self, State::Active | State::Evaluation)
    }
}

/// Why a licence does not allow something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed {
    /// For a program: `expired`, `not_yet_valid` or `feature`.
    pub reason: &'static str,
    /// For a person.
    pub message: String,
}

/// Why a licence was not installed.
#[derive(Debug, thiserror::Error)]
pub enum NotInstalled {
    /// It does not count.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Tdb(#[from] TdbError),
}

impl Standing {
    /// Whether a call that takes these may be begun.
    ///
    /// # Errors
    /// With why not.
    pub fn allows(&self, needed: Features) -> Result<(), NotAllowed> {
        if !self.state.takes_calls() {
            let why = self.refusal.as_ref().map(ToString::to_string);
            return Err(NotAllowed {
                reason: self.state.as_str(),
                message: format!(
                    "The licence does not hold: {}",
                    why.unwrap_or_else(|| self.state.as_str().to_owned())
                ),
            });
        }
        self.allows_live(needed)
    }

    /// Whether something that takes these may be asked of a live call. Calls that are up go on whatever becomes of
    /// the licence.
    ///
    /// # Errors
    /// With why not.
    pub fn allows_live(&self, needed: Features) -> Result<(), NotAllowed> {
        match self.limits.features.lacks(needed) {
            None => Ok(()),
            Some(feature) => Err(not_in_it(feature)),
        }
    }

    /// What a call that is accepted now is accepted under.
    pub fn name(&self) -> String {
        match &self.license {
            None => State::Evaluation.as_str().to_owned(),
            Some((signed, _)) => {
                let License {
                    license_id, serial, ..
                } = &signed.license;
                format!("{license_id}, serial {serial}")
            }
        }
    }
}

fn not_in_it(feature: Feature) -> NotAllowed {
    NotAllowed {
        reason: "feature",
        message: format!("The licence does not allow {feature}"),
    }
}

impl Licensing {
    /// What is known before anything was read: nothing.
    pub fn new(config: &Config, clock: Clock, tdb: Tdb) -> Self {
        Licensing {
            shared: Arc::new(Shared {
                tdb,
                clock,
                cluster: config.cluster.clone(),
                keys: config.license.public_keys.clone(),
                file: config.license.file.clone(),
                seen: Mutex::default(),
            }),
        }
    }

    /// What holds and who holds it, to be shown.
    pub async fn shown(&self) -> Result<ShownStanding, TdbError> {
        let leases = self.shared.tdb.license_leases().await?;
        Ok(ShownStanding::of(&self.standing(), &leases))
    }

    /// Reads what is installed, and the time.
    pub async fn refresh(&self) -> Result<(), TdbError> {
        let state = self.shared.tdb.license_state().await?;
        let moment = self.shared.clock.moment();
        let mut seen = self.seen();
        let place = state.installed.as_ref().map_or(0, |it| it.place);
        seen.judge.look(state.highest_ms, place, moment);
        let known = seen.in_force.as_ref().map_or(0, |it| it.place);
        if known != place {
            seen.in_force = state.installed.map(|installed| {
                Arc::new(InForce {
                    place,
                    installed_ms: installed.installed_ms,
                    read: license::verify(&installed.token, &self.shared.keys),
                })
            });
        }
        Ok(())
    }

    /// What holds now.
    pub fn standing(&self) -> Standing {
        let moment = self.shared.clock.moment();
        let seen = self.seen();
        let judged_ms = seen.judge.now_ms(moment);
        let mut standing = Standing {
            state: State::Evaluation,
            license: None,
            limits: EVALUATION,
            refusal: None,
            file_refused: seen.file_refused.clone(),
            judged_ms,
            place: seen.judge.place(),
            set_back_ms: seen.judge.set_back_ms(moment),
        };
        let Some(in_force) = seen.in_force.clone() else {
            return standing;
        };
        drop(seen);
        let checked = match &in_force.read {
            Err(refusal) => Err(refusal.clone()),
            Ok(signed) => {
                let license = &signed.license;
                let checked = license.check(&self.shared.cluster, judged_ms / 1_000);
                if !matches!(checked, Err(Refusal::OtherCluster { .. })) {
                    standing.license = Some((signed.clone(), in_force.installed_ms));
                    standing.limits = license.limits;
                }
                checked
            }
        };
        standing.state = match &checked {
            Ok(()) => State::Active,
            Err(Refusal::Expired(_)) => State::Expired,
            Err(Refusal::NotYetValid(_)) => State::NotYetValid,
            Err(_) => State::Evaluation,
        };
        standing.refusal = checked.err();
        standing
    }

    /// Whether a licence could be installed now: it counts, holds, and is not older than one that was.
    ///
    /// # Errors
    /// With why not.
    pub async fn check(&self, token: &str) -> Result<Signed, NotInstalled> {
        let (signed, _) = self.holds_now(token)?;
        let License {
            customer, serial, ..
        } = &signed.license;
        let latest = self.shared.tdb.latest_license(customer).await?;
        match latest {
            Some((installed, id))
                if installed >= *serial && id != signed.license.license_id.to_string() =>
            {
                let serial = *serial;
                Err(Refusal::Older { serial, installed }.into())
            }
            _ => Ok(signed),
        }
    }

    /// Installs a licence that counts, holds, and is later than those before it. False: it was installed before.
    ///
    /// # Errors
    /// With why it was not.
    pub async fn install(
        &self,
        token: &str,
        tenant_id: TenantId,
        author: Author,
    ) -> Result<bool, NotInstalled> {
        let (signed, now_ms) = self.holds_now(token)?;
        let license = &signed.license;
        let new = NewLicense {
            license_id: license.license_id.to_string(),
            customer: license.customer.clone(),
            serial: license.serial,
            token: token.trim().to_owned(),
            issued_ms: license.issued_s.saturating_mul(1_000),
            says: serde_json::to_value(ShownLicense::of(&signed)).unwrap_or_default(),
            tenant_id,
        };
        let serial = license.serial;
        let installed = self.shared.tdb.install_license(new, author, now_ms).await?;
        self.refresh().await?;
        match installed {
            Installed::New => Ok(true),
            Installed::Already => Ok(false),
            Installed::Older(installed) => Err(Refusal::Older { serial, installed }.into()),
        }
    }

    /// Reads a licence that counts and holds; also what time it is.
    fn holds_now(&self, token: &str) -> Result<(Signed, u64), Refusal> {
        let signed = license::verify(token.trim(), &self.shared.keys)?;
        let now_ms = self.shared.clock.now_ms();
        // It was given out then, so it is that time at least: a clock that is a little behind is no reason.
        let at_s = (now_ms / 1_000).max(signed.license.issued_s);
        signed.license.check(&self.shared.cluster, at_s)?;
        Ok((signed, now_ms))
    }

    /// Reads it anew every 5 s, where the role `pass` does not.
    pub fn follow(&self, stop: CancellationToken) {
        let own = self.clone();
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                tokio::select! {
                    () = sleep(EVERY) => {}
                    () = stop.cancelled() => return,
                }
                if let Err(error) = own.refresh().await {
                    tracing::debug!(%error, "the licence was not read");
                }
            }
        });
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
