//! Which addresses may be reached.

use iradialer_core::address::{AddressRange, is_public};
use parking_lot::RwLock;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// An address that is out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    /// It is not of the public internet and not listed.
    #[error("expected a public address or one listed in url-allow, got {host} ({address})")]
    NotPublic {
        /// The host as it stands in the URL.
        host: String,
        /// What it resolves to.
        address: IpAddr,
    },
}

/// Lets public addresses through, and those that are listed.
#[derive(Clone, Default)]
pub struct Guard {
    allowed: Arc<RwLock<Vec<AddressRange>>>,
}

impl Guard {
    /// A guard that lets `allowed` through too.
    pub fn new(allowed: Vec<AddressRange>) -> Self {
        let guard = Guard::default();
        guard.allow(allowed);
        guard
    }

    /// Lets these through from now on.
    pub fn allow(&self, allowed: Vec<AddressRange>) {
        *self.allowed.write() = allowed;
    }

    /// Checks the host of a URL where it is an address; a name is checked when it is resolved.
    pub fn check_literal(&self, url: &Url) -> Result<(), OutOfBounds> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) => self.check(host, address),
            Err(_) => Ok(()),
        }
    }

    fn check(&self, host: &str, address: IpAddr) -> Result<(), OutOfBounds> {
        let allowed = self.allowed.read();
        if is_public(address) || allowed.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        Err(OutOfBounds::NotPublic {
            host: host.to_owned(),
            address,
        })
    }
}

/// What this gives the client is what it connects to, so that a name can't be checked with one address and
/// reached at another. One bad address refuses the name as a whole.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            for address in &found {
                guard.check(host, address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether it failed because the guard let nothing through.
pub fn refused(error: &reqwest::Error) -> bool {
    let mut inner: Option<&dyn Error> = Some(error);
    while let Some(one) = inner {
        if one.is::<OutOfBounds>() {
            return true;
        }
        inner = one.source();
    }
    false
}
