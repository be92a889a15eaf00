//! Which addresses a webhook may go to. A tenant names the URL, so without this any tenant could
//! reach what only the gateway can.

use iradialer_core::address::{AddressRange, is_public};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many names are asked for at once: a fraction of the threads that the process has for it.
const LOOKUPS_AT_ONCE: usize = 128;

/// A webhook's address that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedAddress {
    /// An address that is not of the public internet and not listed.
    #[error(
        "event_url: expected a host with a public address or one listed in webhooks.allow_addresses, got {host} ({address})"
    )]
    NotPublic {
        /// The host as it stands in the URL.
        host: String,
        /// What it resolves to.
        address: IpAddr,
    },
    /// The name has no address.
    #[error("event_url: {host} has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
}

/// Lets public addresses through, and the listed ones.
#[derive(Debug, Clone)]
pub struct AddressGuard {
    allowed: Arc<[AddressRange]>,
    /// How many names may be asked for at once.
    lookups: Arc<Semaphore>,
}

impl AddressGuard {
    /// A guard that lets `allowed` through though they are not public.
    pub fn new(allowed: &[AddressRange]) -> AddressGuard {
        AddressGuard {
            allowed: allowed.into(),
            lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)),
        }
    }

    /// Checks the host of a URL where it is an address; a name is checked when it is resolved.
    pub fn check_literal(&self, url: &reqwest::Url) -> Result<(), RefusedAddress> {
        let Some(host) = url.host_str() else {
            return Ok(());
        };
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) => self.check(host, address),
            Err(_) => Ok(()),
        }
    }

    /// Checks what a name has resolved to.
    fn check_all(&self, host: &str, found: &[SocketAddr]) -> Result<(), RefusedAddress> {
        if found.is_empty() {
            return Err(RefusedAddress::NoAddress {
                host: host.to_owned(),
            });
        }
        found
            .iter()
            .try_for_each(|address| self.check(host, address.ip()))
    }

    fn check(&self, host: &str, address: IpAddr) -> Result<(), RefusedAddress> {
        if is_public(address) || self.allowed.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        Err(RefusedAddress::NotPublic {
            host: host.to_owned(),
            address,
        })
    }
}

/// The resolver of the HTTP client: what it returns is what is connected to, so a name can't be
/// checked with one address and reached at another. One bad address refuses the name as a whole.
impl Resolve for AddressGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            // The system's resolver is asked on a thread that nobody can stop: one that was given up on counts until
            // it ends, so that names that are answered slowly take only these.
            let turn = Arc::clone(&guard.lookups).acquire_owned().await?;
            let asked = (host.to_owned(), 0);
            let found = tokio::spawn(async move {
                let found = tokio::net::lookup_host(asked).await;
                drop(turn);
                found.map(Vec::from_iter)
            });
            let found: Vec<SocketAddr> = found.await??;
            guard.check_all(host, &found)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &[&str], url: &str) -> Result<(), RefusedAddress> {
        let allowed: Vec<_> = allowed
            .iter()
            .map(|range| AddressRange::parse(range).unwrap())
            .collect();
        AddressGuard::new(&allowed).check_literal(&url.parse().unwrap())
    }

    #[test]
    fn addresses_that_are_not_public_are_refused() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.170",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[ff02::1]",
            "[64:ff9b::7f00:1]",
            "[2001::1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
        ] {
            let refusal = check(&[], &format!("https://{host}:8443/hook")).unwrap_err();
            assert!(refusal.to_string().starts_with("event_url: expected"));
        }
    }

    #[test]
    fn public_addresses_pass() {
        for host in [
            "8.8.8.8",
            "100.63.255.255",
            "172.32.0.1",
            "[2606:4700::1111]",
            "[::ffff:8.8.8.8]",
        ] {
            assert_eq!(check(&[], &format!("https://{host}/")), Ok(()), "{host}");
        }
    }

    #[test]
    fn listed_addresses_pass() {
        assert_eq!(
            check(&["127.0.0.0/8"], "http://[::ffff:127.0.0.1]/"),
            Ok(())
        );
        assert_eq!(check(&["::1"], "http://[::1]:80/"), Ok(()));
        assert!(check(&["10.0.0.0/8"], "http://127.0.0.1/").is_err());
    }

    #[tokio::test]
    async fn a_name_is_refused_for_what_it_resolves_to() {
        let guard = AddressGuard::new(&[]);
        let refusal = guard
            .resolve("localhost".parse().unwrap())
            .await
            .err()
            .unwrap();
        assert!(refusal.downcast_ref::<RefusedAddress>().is_some());
        let listed = ["127.0.0.0/8", "::1"].map(|range| AddressRange::parse(range).unwrap());
        let guard = AddressGuard::new(&listed);
        assert!(
            guard
                .resolve("localhost".parse().unwrap())
                .await
                .unwrap()
                .next()
                .is_some()
        );
    }

    #[test]
    fn a_name_that_is_bound_anew_is_checked_anew() {
        let guard = AddressGuard::new(&[]);
        let check = |addresses: &[&str]| {
            let found: Vec<SocketAddr> = addresses
                .iter()
                .map(|address| address.parse().unwrap())
                .collect();
            guard.check_all("a.example", &found)
        };
        assert_eq!(check(&["8.8.8.8:0"]), Ok(()));
        // The same name a moment later, and one private address among public ones.
        for addresses in [
            &["127.0.0.1:0"][..],
            &["8.8.8.8:0", "10.0.0.1:0"],
            &["[2606:4700::1111]:0", "[::ffff:169.254.169.254]:0"],
            &["[fe80::1]:0"],
            &[],
        ] {
            assert!(check(addresses).is_err(), "{addresses:?}");
        }
    }
}
