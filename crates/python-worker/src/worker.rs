//! One worker process.

use std::{collections::BTreeSet, os::fd::OwnedFd, sync::Arc};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{Broadcasts, Release, channel::Channel, factory::Pool, single::SingleWorker};

/// A worker, for one task. It is killed when this is dropped, unless it was given back.
#[derive(Debug)]
pub struct Worker {
    /// Until it is given back.
    connected: Option<Connected>,
    release: Release,
    origin: Origin,
}

/// Who has started it.
#[derive(Debug)]
enum Origin {
    Daemon(Arc<Pool>),
    /// Dropping it is all that there is to do with it.
    #[expect(dead_code, reason = "it is held for its end")]
    Single(SingleWorker),
}

/// The connection to a worker.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) channel: Channel,
    pub(crate) pid: i32,
    /// The process, whatever becomes of its number. The system may not have that.
    pub(crate) process: Option<OwnedFd>,
    /// The broadcast values that it holds.
    pub(crate) broadcasts: BTreeSet<i64>,
}

impl Connected {
    /// The worker lives, as it has just said its number.
    pub(crate) fn new(channel: Channel, pid: i32) -> Self {
        let process = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { channel, pid, process, broadcasts: BTreeSet::new() }
    }

    /// Has it closed the connection, or said something that nobody asked for, while it was idle?
    pub(crate) fn is_broken(&self) -> bool {
        !self.channel.is_quiet()
    }

    /// Ends the worker, if it has not ended.
    pub(crate) fn kill(self, pool: &Pool) {
        match &self.process {
            // An error says that it has ended.
            Some(process) => drop(pidfd_send_signal(process, Signal::KILL)),
            // The process is the worker and no other for as long as the connection is open.
            None => pool.daemon.kill(self.pid),
        }
    }
}

impl Worker {
    pub(crate) fn of_daemon(connected: Connected, pool: Arc<Pool>) -> Self {
        Self { connected: Some(connected), release: pool.daemon.release, origin: Origin::Daemon(pool) }
    }

    pub(crate) fn single(connected: Connected, release: Release, process: SingleWorker) -> Self {
        Self { connected: Some(connected), release, origin: Origin::Single(process) }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.connected.as_ref().map_or(0, |connected| connected.pid)
    }

    /// Which PySpark it has.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Which of these values the worker does not hold yet, in the order of their ids.
    pub fn lacks(&mut self, broadcasts: &Broadcasts) -> Vec<i64> {
        broadcasts.lacking(&self.connected().broadcasts)
    }

    pub(crate) fn connected(&mut self) -> &mut Connected {
        self.connected.as_mut().expect("a worker that is given back is consumed")
    }

    /// It has done its task and waits for another, unless it was started for this one only.
    pub(crate) fn give_back(mut self) {
        if let Origin::Daemon(pool) = &self.origin
            && let Some(connected) = self.connected.take()
        {
            pool.give_back(connected);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let (Some(connected), Origin::Daemon(pool)) = (self.connected.take(), &self.origin) {
            connected.kill(pool);
        }
    }
}
