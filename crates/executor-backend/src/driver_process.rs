//! Watches the process that started this one: the driver, where it starts its executors itself.
//!
//! A driver that is killed tells nobody and removes nothing. The executors are what is left of the application then, so they
//! end, and remove its scratch directories: each its own, and the last one of them what the driver had.

use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    process,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use firesteel_local_dirs::{remove_for_good, remove_left_behind};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{PidfdFlags, Signal, getppid, pidfd_open, set_parent_process_death_signal},
};
use tracing::warn;

use crate::ExecutorExitCode;

/// The driver's connection ends a moment before its process does.
const END_AFTER_CONNECTION: Duration = Duration::from_secs(1);

/// The process that started this one.
pub(crate) struct DriverProcess {
    process: Arc<OwnedFd>,
}

impl DriverProcess {
    /// Ends this process when the driver's has ended, whatever this one is at, and removes what both have on disk. None where the
    /// kernel lets no process be watched: then this one is killed.
    pub(crate) fn watch(directories: Vec<PathBuf>) -> io::Result<Option<Self>> {
        let Some(process) = getppid().and_then(|driver| pidfd_open(driver, PidfdFlags::empty()).ok()) else {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            return Ok(None);
        };
        // Somebody may have stopped this process, which then would not notice.
        set_parent_process_death_signal(Some(Signal::CONT))?;
        let process = Arc::new(process);
        let watched = Arc::clone(&process);
        thread::Builder::new().name("driver-watch".to_owned()).spawn(move || {
            if let Err(error) = wait_for_end(&watched, None) {
                warn!(%error, "the driver's process is not watched");
                return;
            }
            remove_for_good();
            remove_left_behind(&directories);
            process::exit(ExecutorExitCode::General.code());
        })?;
        Ok(Some(Self { process }))
    }

    /// To be called when the connection is lost. Does not return if that is because the driver's process has ended.
    pub(crate) fn end_with(&self) {
        if let Ok(true) = wait_for_end(&self.process, Some(Instant::now() + END_AFTER_CONNECTION)) {
            // The watch ends this process when it has cleaned up.
            loop {
                thread::park();
            }
        }
    }
}

/// Has it ended before the deadline?
fn wait_for_end(process: &OwnedFd, deadline: Option<Instant>) -> Result<bool, Errno> {
    loop {
        let time_out = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        match poll(&mut [PollFd::new(process, PollFlags::IN)], time_out.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
