//! IP addresses: ranges of them, and which are of the public internet.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A CIDR range (`10.0.0.0/8`), or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    base: u128,
    is_v6: bool,
    prefix: u8,
}

impl AddressRange {
    /// Parses `ADDRESS` or `ADDRESS/PREFIX`; `None` where it is neither, or bits are set below the prefix.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let is_v6 = address.is_ipv6();
        let width = if is_v6 { 128 } else { 32 };
        let prefix = prefix.unwrap_or(width);
        let range = AddressRange {
            base: bits(address),
            is_v6,
            prefix,
        };
        (prefix <= width && range.base & !range.mask() == 0).then_some(range)
    }

    /// Whether the address is in the range. An IPv4 address mapped into IPv6 counts as the IPv4 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv6() == self.is_v6 && bits(address) & self.mask() == self.base
    }

    fn mask(&self) -> u128 {
        let width = if self.is_v6 { 128 } else { 32 };
        let ones = |n: u32| 1u128.checked_shl(n).map_or(u128::MAX, |bit| bit - 1);
        ones(width) & !ones(width - u32::from(self.prefix).min(width))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address: IpAddr = if self.is_v6 {
            IpAddr::from(self.base.to_be_bytes())
        } else {
            IpAddr::from((self.base as u32).to_be_bytes())
        };
        write!(f, "{address}/{}", self.prefix)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// Whether the address is one of the public internet (IANA special-purpose registries, 2026).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let this_network = a == 0;
    let carrier_nat = a == 100 && (64..128).contains(&b);
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    let relay_6to4 = a == 192 && b == 88 && c == 99;
    let benchmarking = a == 198 && (b == 18 || b == 19);
    let multicast_or_reserved = a >= 224;
    !(this_network
        || carrier_nat
        || protocol_assignments
        || relay_6to4
        || benchmarking
        || multicast_or_reserved
        || address.is_loopback()
        || address.is_private()
        // 169.254.169.254, the metadata service of every large cloud, is one of these.
        || address.is_link_local()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Only 2000::/3 is given out. That leaves out loopback, ULA (and with it fd00:ec2::254, a
    // metadata service), link-local, multicast and NAT64 (64:ff9b::/96), which can lead to any IPv4.
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let protocol_assignments = segments[0] == 0x2001 && segments[1] < 0x0200;
    let documentation = (segments[0] == 0x2001 && segments[1] == 0x0db8)
        || (segments[0] == 0x3fff && segments[1] < 0x1000);
    let to_v4_by_6to4 = segments[0] == 0x2002;
    global_unicast && !protocol_assignments && !documentation && !to_v4_by_6to4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(range: &str, address: &str) -> bool {
        AddressRange::parse(range)
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn ranges() {
        assert!(holds("127.0.0.0/8", "127.1.2.3"));
        assert!(!holds("127.0.0.0/8", "128.0.0.1"));
        assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(holds("10.1.2.3", "10.1.2.3"));
        assert!(!holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("::1", "::1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("fc00::/7", "fd12::1"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0",
            "a/8",
            "::/129",
            "10.0.0.0/",
        ] {
            assert_eq!(AddressRange::parse(text), None, "{text}");
        }
    }

    #[test]
    fn shown_as_written() {
        for text in ["10.0.0.0/8", "fc00::/7", "127.0.0.1/32"] {
            assert_eq!(AddressRange::parse(text).unwrap().to_string(), text);
        }
    }
}
