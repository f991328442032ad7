//! How a process has ended, and the most memory that it held: the standard library tells only the first.
#![allow(unsafe_code)]

use std::{io, mem::MaybeUninit, os::unix::process::ExitStatusExt, process::ExitStatus};

use firesteel_model::ByteCount;
use rustix::process::Pid;

/// How a process has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reaped {
    /// Its exit code, or the signal that has ended it.
    pub status: ExitStatus,
    /// The most memory that was resident at once: of the process itself, or of the largest of those that it has waited for.
    pub peak_memory: ByteCount,
}

/// Waits for the end of a child, and lets its number go.
pub(crate) fn reap(pid: Pid) -> io::Result<Reaped> {
    let mut status: libc::c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to values of the right types that live until the call returns. The child is not waited for
        // by anybody else: its `Child` is private to this crate, which never calls `Child::wait`.
        let reaped = unsafe { libc::wait4(pid.as_raw_pid(), &raw mut status, 0, usage.as_mut_ptr()) };
        if reaped == pid.as_raw_pid() {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: all of it is numbers, for which zeroes are values too, and the kernel has written them.
    let usage = unsafe { usage.assume_init() };
    // In KiB on Linux.
    let peak_memory = ByteCount(u64::try_from(usage.ru_maxrss).unwrap_or_default().saturating_mul(1024));
    Ok(Reaped { status: ExitStatus::from_raw(status), peak_memory })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[expect(clippy::zombie_processes, reason = "what is tested takes the place of `Child::wait`")]
    fn run(script: &str) -> Reaped {
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        reap(Pid::from_child(&child)).unwrap()
    }

    #[test]
    fn the_end_and_the_most_memory_of_a_process_are_told() {
        let ended = run("exit 7");
        assert_eq!(ended.status.code(), Some(7));
        assert!(ended.peak_memory > ByteCount::ZERO && ended.peak_memory < ByteCount::gib(1), "{ended:?}");
        assert_eq!(run("kill -9 $$").status.signal(), Some(9));
    }

    #[test]
    fn who_is_no_child_is_not_waited_for() {
        assert!(reap(rustix::process::getpid()).is_err());
    }
}
