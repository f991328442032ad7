//! Huge pages of memory, which a process with very many threads is better off without.
//!
//! An allocator gives each thread pages of its own, of which a thread that does little touches little. Where the system hands out
//! memory in pages of 2 MiB, all of that is there nevertheless: 500 threads take 900 MiB instead of 100. So such a process can
//! refuse huge pages while it has so many threads. The system passes a refusal on to children, for which it is not meant: Python
//! with large arrays is faster with them.

use std::{
    io,
    process::{Child, Command},
};

use parking_lot::Mutex;
use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};
use tracing::debug;

/// Has this process refused them itself? Locked while that changes, and while a child that must not inherit it is made.
static REFUSED: Mutex<bool> = Mutex::new(false);

/// Refuses huge pages for this process from now on, or takes that back. Nothing changes where somebody else has refused them already,
/// for this process and others.
pub fn refuse(is_wanted: bool) {
    let mut refused = REFUSED.lock();
    if *refused == is_wanted || is_wanted && transparent_huge_pages_are_disabled().unwrap_or(true) {
        return;
    }
    match disable_transparent_huge_pages(is_wanted) {
        Ok(()) => *refused = is_wanted,
        // The process is as large as it is, then.
        Err(error) => debug!(%error, is_wanted, "huge pages can be neither refused nor had again"),
    }
}

/// Has huge pages, for a process that is started by one which may have refused them, by other means than this module's.
pub fn accept() {
    if let Err(error) = disable_transparent_huge_pages(false) {
        debug!(%error, "huge pages cannot be had");
    }
}

/// Starts a child that has huge pages even if this process has refused them.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let refused = REFUSED.lock();
    if !*refused {
        return command.spawn();
    }
    // Whatever this process touches meanwhile may be huge, too; it is not long.
    disable_transparent_huge_pages(false)?;
    let spawned = command.spawn();
    disable_transparent_huge_pages(true)?;
    spawned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_taken_back_and_not_inherited() {
        let is_refused = || transparent_huge_pages_are_disabled().unwrap();
        let child = || {
            let mut command = Command::new("grep");
            let child = spawn(command.args(["THP_enabled", "/proc/self/status"]).stdout(std::process::Stdio::piped()));
            String::from_utf8(child.unwrap().wait_with_output().unwrap().stdout).unwrap()
        };
        assert!(!is_refused(), "this test needs an environment in which nobody has refused huge pages");
        refuse(true);
        refuse(true);
        assert!(is_refused());
        assert_eq!(child(), "THP_enabled:\t1\n");
        assert!(is_refused());
        refuse(false);
        assert!(!is_refused());
        assert_eq!(child(), "THP_enabled:\t1\n");
        disable_transparent_huge_pages(true).unwrap();
        refuse(true);
        assert_eq!(child(), "THP_enabled:\t0\n", "somebody else has refused them for children too");
        accept();
        assert!(!is_refused());
    }
}
