//! This machine: its name, what it has, and what a process may have of it.

use std::{
    net::{IpAddr, ToSocketAddrs},
    thread,
};

use firesteel_model::ByteCount;
use rustix::process::{Resource, getrlimit};

use crate::finding::Finding;

/// Each executor and each connection has some files open; a driver of a large cluster has thousands.
const OPEN_FILES: u64 = 4096;

pub(crate) fn look(advertised: Option<&str>) -> Vec<Finding> {
    vec![name(advertised), size(), open_files()]
}

/// The name that others are told to reach this machine by.
fn name(advertised: Option<&str>) -> Finding {
    let own = whoami::hostname().unwrap_or_default();
    let name = advertised.unwrap_or(&own);
    let found: Vec<IpAddr> =
        (name, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default();
    name_finding(name, &found)
}

fn name_finding(name: &str, found: &[IpAddr]) -> Finding {
    const SUBJECT: &str = "name";
    let listed = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if found.is_empty() {
        return Finding::problem(
            SUBJECT,
            format!("{name:?}, the name of this machine, leads to no address"),
            "add it to /etc/hosts or DNS, or set SPARK_LOCAL_IP (daemons: SPARK_MASTER_HOST) to an address",
        );
    }
    if found.iter().all(IpAddr::is_loopback) {
        return Finding::warning(
            SUBJECT,
            format!("{name} leads to {listed} only, which other machines cannot reach"),
            "fine on one machine; else take the name off the loopback line of /etc/hosts, or set SPARK_LOCAL_IP",
        );
    }
    Finding::fine(SUBJECT, format!("{name} leads to {listed}"))
}

fn size() -> Finding {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text));
    let memory = memory.map_or("an unknown amount of memory".to_owned(), |memory| memory.to_string());
    Finding::fine("size", format!("{cores} cores, {memory}; a worker offers all cores and all but 1 GiB"))
}

fn total_memory(text: &str) -> Option<ByteCount> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok().map(ByteCount::kib)
}

fn open_files() -> Finding {
    let limit = getrlimit(Resource::Nofile);
    let (now, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    open_files_finding(now, most)
}

fn open_files_finding(now: u64, most: u64) -> Finding {
    const SUBJECT: &str = "open files";
    if now < OPEN_FILES && most < OPEN_FILES {
        return Finding::warning(
            SUBJECT,
            format!("a process may have {now} files open, and ask for {most}"),
            "large shuffles and clusters need more: raise `nofile` in /etc/security/limits.conf",
        );
    }
    Finding::fine(SUBJECT, format!("a process may have {now} files open"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn a_name_must_lead_somewhere_that_others_reach() {
        let of = |addresses: &[&str]| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            name_finding("here", &addresses).verdict
        };
        assert_eq!(of(&[]), Verdict::Problem);
        assert_eq!(of(&["127.0.1.1", "::1"]), Verdict::Warning);
        assert_eq!(of(&["127.0.1.1", "10.0.0.1"]), Verdict::Fine);
    }

    #[test]
    fn limits_that_can_be_raised_by_the_process_are_fine() {
        assert_eq!(open_files_finding(1024, 1024).verdict, Verdict::Warning);
        assert_eq!(open_files_finding(1024, 524_288).verdict, Verdict::Fine);
        assert_eq!(total_memory("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(ByteCount::mib(2)));
    }
}
