//! What the operator opens although it is not public: mirrors inside, a forge on the same network.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use super::judge::{not_public, within};

/// Names, addresses and networks that are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Entry>);

/// An entry that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is neither a host name, nor an address or network such as 10.0.0.0/8, with or without a :port"
)]
pub struct BadAllowEntry(String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    what: What,
    /// `None`: any port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// A host, in lower case.
    Name(String),
    /// All hosts below a domain: with the dot that leads it.
    Below(String),
    Network(IpAddr, u32),
}

impl FromStr for AllowList {
    type Err = BadAllowEntry;

    /// Entries are separated by commas or blanks: `mirror.example`, `*.example`, `mirror.example:8080`, `10.0.0.7`,
    /// `10.0.0.0/8`, `10.0.0.0/8:443`, `fd00::/8`, `[fd00::1]:443`.
    fn from_str(text: &str) -> Result<Self, BadAllowEntry> {
        let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| Entry::parse(entry).ok_or_else(|| BadAllowEntry(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl AllowList {
    /// Whether a connection to `address` may be made when `host` led there: it is public, or on this list.
    pub fn admits(&self, host: &str, port: u16, address: IpAddr) -> bool {
        not_public(address).is_none() || self.has_name(host, port) || self.has_address(address, port)
    }

    /// Whether something on this machine's loopback is open.
    pub(crate) fn opens_loopback(&self) -> bool {
        self.0.iter().any(|entry| match &entry.what {
            What::Name(name) => name == "localhost",
            What::Below(_) => false,
            What::Network(network, length) => {
                network.is_loopback() || within(*network, *length, Ipv4Addr::LOCALHOST.into())
            }
        })
    }

    /// Whether a name is open by itself, wherever it leads.
    pub(super) fn has_name(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().filter(|entry| entry.is_for(port)).any(|entry| match &entry.what {
            What::Name(name) => *name == host,
            What::Below(domain) => host.ends_with(domain.as_str()),
            What::Network(..) => false,
        })
    }

    /// Whether an address is open.
    pub(super) fn has_address(&self, address: IpAddr, port: u16) -> bool {
        self.0.iter().filter(|entry| entry.is_for(port)).any(|entry| match entry.what {
            What::Network(network, length) => within(network, length, address.to_canonical()),
            What::Name(_) | What::Below(_) => false,
        })
    }
}

impl Entry {
    fn is_for(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(network) = network(text) {
            return Some(Self { what: network, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0)?)),
            None => (text, None),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let what = match bare {
            Some(address) => network(address)?,
            None => network(host).or_else(|| name(host))?,
        };
        Some(Self { what, port })
    }
}

fn network(text: &str) -> Option<What> {
    let (address, length) =
        text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(bits), |length| length.parse().ok()).filter(|length| *length <= bits)?;
    Some(What::Network(address, length))
}

fn name(text: &str) -> Option<What> {
    let below = text.strip_prefix("*.");
    let name = below.unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    // What looks like an address and is none was meant to be one.
    let legal = name.split('.').all(label) && !name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    legal.then(|| below.map_or_else(|| What::Name(name.clone()), |_| What::Below(format!(".{name}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_open_what_they_name_and_no_more() {
        let list: AllowList =
            "mirror.example, *.corp.example forge:3000,10.1.0.0/16,192.168.0.7:443 [fd00::1]:80,fd01::/16"
                .parse()
                .unwrap();
        for (host, port, open) in [
            ("mirror.example", 1, true),
            ("MIRROR.example.", 443, true),
            ("x.mirror.example", 443, false),
            ("npm.corp.example", 443, true),
            ("corp.example", 443, false),
            ("evilcorp.example", 443, false),
            ("forge", 3000, true),
            ("forge", 22, false),
        ] {
            assert_eq!(list.has_name(host, port), open, "{host}:{port}");
        }
        for (address, port, open) in [
            ("10.1.255.1", 9, true),
            ("10.2.0.1", 9, false),
            ("::ffff:10.1.0.1", 9, true),
            ("192.168.0.7", 443, true),
            ("192.168.0.7", 80, false),
            ("fd00::1", 80, true),
            ("fd01::9", 80, true),
            ("fd02::9", 80, false),
        ] {
            assert_eq!(list.has_address(address.parse().unwrap(), port), open, "{address}:{port}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for entry in
            ["10.0.0.0/33", "10.0.0", "http://x", "a..b", "host:0", "host:99999", "host:", "*", "fd00::/129"]
        {
            let error = entry.parse::<AllowList>().unwrap_err();
            assert!(error.to_string().contains(entry), "{error}");
        }
        assert_eq!(" , ".parse::<AllowList>().unwrap(), AllowList::default());
    }
}
