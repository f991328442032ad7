//! How much physical memory processes have, in 10^6 bytes.

use std::fs;

use anyhow::{Context, ensure};

/// The most that this process has had.
pub fn peak_of_this_process() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    megabytes(&status, "VmHWM:").context("the system does not tell the peak of resident memory")
}

/// What the processes have now that this one has started, on average.
pub fn mean_of_children() -> anyhow::Result<f64> {
    let parent = std::process::id().to_string();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        // Processes end while they are looked at, and not everything here is a process.
        let Ok(status) = fs::read_to_string(entry?.path().join("status")) else { continue };
        if value(&status, "PPid:") == Some(&parent) {
            children.extend(megabytes(&status, "VmRSS:"));
        }
    }
    ensure!(!children.is_empty(), "this process has no executors");
    Ok(children.iter().sum::<f64>() / children.len() as f64)
}

fn value<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn megabytes(status: &str, name: &str) -> Option<f64> {
    let kibibytes: f64 = value(status, name)?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_words_are_understood() {
        let status = "Name:\tjava\nPPid:\t 12\nVmHWM:\t  250000 kB\nVmRSS:\t  125000 kB\n";
        assert_eq!(value(status, "PPid:"), Some("12"));
        assert_eq!(megabytes(status, "VmHWM:"), Some(256.0));
        assert_eq!(megabytes(status, "VmRSS:"), Some(128.0));
        assert_eq!(megabytes(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let peak = peak_of_this_process().unwrap();
        assert!(peak > 1.0, "{peak}");
    }
}
