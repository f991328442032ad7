//! Waiting for a file descriptor, for a bounded time and not longer than the task lives.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// How often a wait looks whether the task was killed: soon enough for people, seldom enough to cost nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waited {
    Ready,
    Killed,
    TimedOut,
}

/// Waits until one of `events` can be had, or the other side has closed. Without a deadline, for as long as it takes.
pub(crate) fn wait_for(
    descriptor: impl AsFd,
    events: PollFlags,
    deadline: Option<Instant>,
    is_killed: &dyn Fn() -> bool,
) -> io::Result<Waited> {
    loop {
        if is_killed() {
            return Ok(Waited::Killed);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Waited::TimedOut);
        }
        let time = left.unwrap_or(LOOK_INTERVAL).min(LOOK_INTERVAL);
        let timeout = Timespec { tv_sec: 0, tv_nsec: time.as_nanos().max(1) as _ };
        let mut descriptors = [PollFd::new(&descriptor, events)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(Waited::Ready),
            Err(error) => return Err(error.into()),
        }
    }
}
