//! How much memory this process holds, as the kernel counts it.

use std::fs;

/// The most bytes that were resident at once; 0 where the kernel does not say.
pub fn peak_resident_bytes() -> u64 {
    status_kib("VmHWM:") << 10
}

/// The bytes that are resident; 0 where the kernel does not say.
pub fn resident_bytes() -> u64 {
    status_kib("VmRSS:") << 10
}

fn status_kib(field: &str) -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|value| value.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_holds_something() {
        assert!(super::resident_bytes() > 0);
        assert!(super::peak_resident_bytes() >= super::resident_bytes() / 2);
    }
}
