//! From a name and a port to a connection, or to the reason why there is none.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::allow::AllowList;
use super::judge::not_public;

/// How long one address gets to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Delivering mail is no part of anything that runs here, and a favourite of those who should not be here.
const MAIL_PORT: u16 = 25;

/// Why there is no connection.
#[derive(Debug)]
pub enum NoWay {
    /// It is not open to the sandbox: the reason.
    Refused(String),
    /// The network failed.
    Failed(String),
}

/// Connects to a host that is open to the sandbox.
///
/// # Errors
/// See [`NoWay`].
pub async fn connect(allow: &AllowList, host: &str, port: u16) -> Result<TcpStream, NoWay> {
    if port == MAIL_PORT && !allow.has_name(host, port) {
        return Err(NoWay::Refused("mail is not delivered from here".into()));
    }
    let found = lookup_host((host, port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| failed(host, &error))?.collect();
    let open = judged(allow, host, &found)?;
    let mut last = NoWay::Failed(format!("{host} has no address"));
    for address in open {
        // The judged address itself: the name is not looked up again.
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = failed(&address.to_string(), &error),
            Err(_) => last = NoWay::Failed(format!("{address} does not answer")),
        }
    }
    Err(last)
}

fn failed(what: &str, error: &io::Error) -> NoWay {
    NoWay::Failed(format!("{what}: {error}"))
}

/// The addresses that are open. A name that leads to open and to other addresses is used by its open ones only.
fn judged(allow: &AllowList, host: &str, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, NoWay> {
    let own = own_addresses();
    let mut reason = None;
    let mut open = Vec::new();
    for address in found {
        let is_allowed =
            allow.has_name(host, address.port()) || allow.has_address(address.ip(), address.port());
        let is_own = own.contains(&address.ip().to_canonical()).then_some("an address of this machine");
        match not_public(address.ip()).or(is_own).filter(|_| !is_allowed) {
            None => open.push(*address),
            Some(what) if host.parse() == Ok(address.ip()) => reason = Some(format!("it is {what}")),
            Some(what) => reason = Some(format!("it leads to {}, {what}", address.ip())),
        }
    }
    match reason {
        Some(reason) if open.is_empty() => Err(NoWay::Refused(reason)),
        _ => Ok(open),
    }
}

/// The public ones among them are behind no firewall when we connect from here.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 443)).collect()
    }

    #[test]
    fn only_judged_addresses_are_used() {
        let none = AllowList::default();
        let mixed = addresses(&["10.0.0.1", "1.1.1.1"]);
        assert_eq!(judged(&none, "rebind.example", &mixed).unwrap(), mixed[1..]);
        let Err(NoWay::Refused(reason)) = judged(&none, "rebind.example", &mixed[..1]) else { panic!() };
        assert_eq!(reason, "it leads to 10.0.0.1, a private address");
        let allowed: AllowList = "10.0.0.0/24".parse().unwrap();
        assert_eq!(judged(&allowed, "rebind.example", &mixed).unwrap(), mixed);
    }

    #[tokio::test]
    async fn numbers_in_disguise_are_looked_through() {
        for host in ["localhost", "127.1", "2130706433", "0x7f000001", "::ffff:127.0.0.1", "0"] {
            let outcome = connect(&AllowList::default(), host, 9).await;
            assert!(matches!(outcome, Err(NoWay::Refused(_))), "{host}: {outcome:?}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        assert!(own_addresses().contains(&"127.0.0.1".parse().unwrap()));
    }
}
