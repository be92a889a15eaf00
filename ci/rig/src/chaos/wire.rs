//! Far ends of their own for real switches: a sipp behind each trunk, which answers everything, hangs up
//! and writes down every INVITE.

use super::facts::Invite;
use super::load::KEY_HEADER;
use super::target::Target;
use crate::freeswitch::Trunk;
use crate::sipp::{Received, Sipp};
use anyhow::{Context, Result};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

/// Far ends stay so long that a call can be transferred: 1 s and these ms.
const STAYS: [(&str, &str); 2] = [("keys", "1"), ("after", "700")];

/// The far ends of the trunks.
pub struct Wire {
    far_ends: Vec<(&'static str, Sipp)>,
    ports: Ports,
}

/// Which switch had which SIP port: an INVITE says where it came from, and each life of a switch has a
/// port of its own.
#[derive(Clone, Default)]
pub struct Ports(Arc<Mutex<HashMap<u16, Target>>>);

impl Ports {
    /// A life of `target` has `port`.
    pub fn note(&self, port: u16, target: Target) {
        self.lock().insert(port, target);
    }

    fn name(&self, port: u16) -> String {
        let found = self.lock().get(&port).map(|target| target.name());
        found.map_or_else(|| format!("port {port}"), str::to_owned)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u16, Target>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Wire {
    /// Starts a far end for each trunk.
    pub async fn start(trunks: impl IntoIterator<Item = &'static str>) -> Result<Self> {
        let mut far_ends = Vec::new();
        for trunk in trunks {
            far_ends.push((trunk, Sipp::start("hang_up_later", &STAYS).await?));
        }
        Ok(Wire {
            far_ends,
            ports: Ports::default(),
        })
    }

    /// The trunks, as a switch is configured with them.
    pub fn trunks(&self) -> Vec<Trunk> {
        let trunk = |(name, sipp): &(&str, Sipp)| Trunk {
            name: (*name).to_owned(),
            far_end: sipp.address(),
        };
        self.far_ends.iter().map(trunk).collect()
    }

    /// Where to note a switch's port.
    pub fn ports(&self) -> Ports {
        self.ports.clone()
    }

    /// Every INVITE so far, each once however often it was sent again. `call` is the request's key still.
    pub fn invites(&self) -> Result<Vec<Invite>> {
        let mut invites = Vec::new();
        for (trunk, sipp) in &self.far_ends {
            let mut seen = BTreeSet::new();
            for message in sipp.received()? {
                let first = message.method() == "INVITE"
                    && seen.insert(message.header("Call-ID").to_owned());
                if first {
                    invites.push(self.invite(trunk, &message)?);
                }
            }
        }
        Ok(invites)
    }

    fn invite(&self, trunk: &str, message: &Received) -> Result<Invite> {
        let uri = message.uri().trim_start_matches("sip:");
        Ok(Invite {
            at_us: time_us(message.time()).with_context(|| message.text().to_owned())?,
            attempt_id: String::new(),
            call: message.header(KEY_HEADER).to_owned(),
            number: uri.split('@').next().unwrap_or_default().to_owned(),
            trunk: trunk.to_owned(),
            node: self
                .ports
                .name(port(message.header("Via")).unwrap_or_default()),
            journalled: None,
        })
    }
}

/// The port in `SIP/2.0/UDP 127.0.0.1:5080;branch=…`.
fn port(via: &str) -> Option<u16> {
    let sent_by = via.split(';').next()?;
    sent_by.rsplit_once(':')?.1.trim().parse().ok()
}

/// µs since the Unix epoch of `2026-11-21 06:59:33.924857`, UTC.
fn time_us(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.')?;
    let time: Vec<u64> = seconds
        .split(['-', ' ', ':'])
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [year, month, day, hour, minute, second] = time[..] else {
        return None;
    };
    // Days since 1970-01-01, with years that begin in March (Howard Hinnant, "chrono-compatible
    // low-level date algorithms").
    let shifted = year.checked_sub(u64::from(month <= 2))?;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = (shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year)
        .checked_sub(719_468)?;
    let second = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(second * 1_000_000 + format!("{fraction:0<6}").get(..6)?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let read = |text| time_us(text);
        assert_eq!(read("1970-01-01 00:00:00.5"), Some(500_000));
        assert_eq!(
            read("2026-11-21 06:59:33.924857"),
            Some(1_795_244_373_924_857)
        );
        assert_eq!(read("2024-02-29 23:59:59.0"), Some(1_709_251_199_000_000));
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn ports_are_read() {
        assert_eq!(
            port("SIP/2.0/UDP 127.0.0.1:5080;rport;branch=z9"),
            Some(5080)
        );
        assert_eq!(port("SIP/2.0/UDP 127.0.0.1;branch=z9"), None);
    }
}
