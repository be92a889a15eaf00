//! Licences: how much of iradialer may be used at once, and until when, signed by who gives them out.
//!
//! A licence is a line of text, `IRA1.PAYLOAD.SIGNATURE`: the payload is JSON, both are base64 for URLs, and the
//! signature is Ed25519 (RFC 8032) over the first two parts as they stand. It is verified offline, with nothing but
//! the public keys whose signatures count.

mod feature;
mod key;
mod payload;
mod refusal;
mod token;

#[cfg(test)]
mod tests;

pub use feature::{Feature, Features};
pub use key::{KeyError, PublicKey, SigningKey};
pub use refusal::Refusal;
pub use token::{MAX_TOKEN_BYTES, Signed, issue, read, verify};

use crate::value::ClusterName;
use uuid::Uuid;

/// What may be used at once in the whole cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Calls at once, in any state, in and out; 1 to 1,000,000.
    pub max_channels: u32,
    /// Calls begun a second; above 0, up to 100,000.
    pub max_cps: f64,
    /// Switches that take calls; 1 to 10,000.
    pub max_switches: u32,
    /// What calls may do.
    pub features: Features,
    /// How long a switch goes on by its share when the gateway is away, 60 to 2,592,000 s.
    pub grace_s: u32,
}

/// What may be used where there never was a licence.
pub const EVALUATION: Limits = Limits {
    max_channels: 10,
    max_cps: 5.0,
    max_switches: 2,
    features: Features::ALL,
    grace_s: 600,
};

/// A licence, as far as its payload says. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct License {
    /// Its own id.
    pub license_id: Uuid,
    /// Rises with each licence given to the customer: a later one replaces those before it for good.
    pub serial: u64,
    /// To whom it was given, 1 to 100 characters.
    pub customer: String,
    /// The only cluster it is for; any where there is none.
    pub cluster: Option<ClusterName>,
    /// When it was given out.
    pub issued_s: u64,
    /// From when on it holds.
    pub not_before_s: u64,
    /// Until when it holds.
    pub expires_s: u64,
    /// What it allows.
    pub limits: Limits,
}

impl License {
    /// Whether it holds at that time in that cluster.
    ///
    /// # Errors
    /// With why it does not.
    pub fn check(&self, cluster: &ClusterName, at_s: u64) -> Result<(), Refusal> {
        if let Some(own) = self.cluster.as_ref().filter(|own| *own != cluster) {
            return Err(Refusal::OtherCluster {
                own: own.clone(),
                this: cluster.clone(),
            });
        }
        if at_s < self.not_before_s {
            return Err(Refusal::NotYetValid(self.not_before_s));
        }
        if at_s >= self.expires_s {
            return Err(Refusal::Expired(self.expires_s));
        }
        Ok(())
    }
}
