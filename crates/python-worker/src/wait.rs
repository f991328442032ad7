//! Waiting for a file descriptor, for a bounded time and not longer than the task lives.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
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
    /// The process has ended, and no event has come before.
    Ended,
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
    wait_for_event_or_end(descriptor, events, None, deadline, is_killed)
}

/// As [`wait_for`], or until a process has ended: what it has forked may keep the other side open.
pub(crate) fn wait_for_event_or_end(
    descriptor: impl AsFd,
    events: PollFlags,
    process: Option<BorrowedFd<'_>>,
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
        let second = process.unwrap_or(descriptor.as_fd());
        let mut descriptors = [PollFd::new(&descriptor, events), PollFd::from_borrowed_fd(second, PollFlags::IN)];
        let number = if process.is_some() { 2 } else { 1 };
        match poll(&mut descriptors[..number], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) if descriptors[0].revents().is_empty() => return Ok(Waited::Ended),
            Ok(_) => return Ok(Waited::Ready),
            Err(error) => return Err(error.into()),
        }
    }
}
