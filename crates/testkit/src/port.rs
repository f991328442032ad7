//! Ports for servers that cannot choose one themselves and say which.

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
    ops::RangeInclusive,
};

use crate::StartError;

/// From here on no well-known service of a machine listens.
const LOWEST: u16 = 10_000;

/// A port of 127.0.0.1 that was free a moment ago and that the system gives to nobody who does not ask for it by number: neither to a
/// connection nor to a listener on port 0. Another process may still ask for it first: whoever starts a server on it must be ready to
/// try again.
pub fn free_port() -> Result<u16, StartError> {
    let prepare = |source| StartError::Prepare { what: "a free port".to_owned(), source };
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").map_err(prepare)?;
    // Processes that ask at the same time begin at different places.
    let seed = RandomState::new().hash_one(0);
    // A range that leaves nothing out leaves only the ports that anybody may be given.
    first_free(candidates(ephemeral_ports(&range), seed).chain([0])).map_err(prepare)
}

/// The first port that nobody has; 0 stands for any.
fn first_free(mut ports: impl Iterator<Item = u16>) -> io::Result<u16> {
    ports
        .find_map(|port| match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => Some(listener.local_addr().map(|address| address.port())),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
            Err(error) => Some(Err(error)),
        })
        .unwrap_or_else(|| Err(io::ErrorKind::AddrInUse.into()))
}

/// The ports that the system gives to whoever does not ask for one by number. What cannot be read counts as all.
fn ephemeral_ports(range: &str) -> RangeInclusive<u16> {
    let mut bounds = range.split_ascii_whitespace().map(str::parse);
    match (bounds.next(), bounds.next()) {
        (Some(Ok(first)), Some(Ok(last))) => first..=last,
        _ => 0..=u16::MAX,
    }
}

/// All other ports, once each, from a place that the seed chooses.
fn candidates(ephemeral: RangeInclusive<u16>, seed: u64) -> impl Iterator<Item = u16> {
    let mut ports: Vec<_> = (LOWEST..=u16::MAX).filter(|port| !ephemeral.contains(port)).collect();
    let begin = (seed % (ports.len().max(1) as u64)) as usize;
    ports.rotate_left(begin);
    ports.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_all_ports_that_nobody_is_given() {
        let ephemeral = ephemeral_ports("32768\t60999\n");
        assert_eq!(ephemeral, 32_768..=60_999);
        let mut ports: Vec<_> = candidates(ephemeral.clone(), 12_345).collect();
        assert_eq!(ports[0], 22_345);
        ports.sort_unstable();
        assert!(ports.into_iter().eq((10_000..32_768).chain(61_000..=65_535)));
    }

    #[test]
    fn a_range_without_an_outside_leaves_no_candidates() {
        for range in ["1024 65535", "10000 65535", "", "x y"] {
            assert_eq!(candidates(ephemeral_ports(range), 7).count(), 0, "{range}");
        }
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(first_free([port].into_iter()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let other = first_free([port, 0].into_iter()).unwrap();
        assert!(other != port && other != 0, "{other}");
    }
}
