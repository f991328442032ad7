//! Ends are told until a master says that it knows (SA-39).

use firesteel_model::{ApplicationId, Moment, SubmissionId};

use super::{Turn, Worker};
use crate::protocol::{ExecutorNumber, FromWorker};

/// Whose end it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum ReportKey {
    Executor(ApplicationId, ExecutorNumber),
    Driver(SubmissionId),
}

/// How far it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Report {
    /// How often it was told to the master that leads.
    attempts: u32,
    /// When it is told again; none while there is no master.
    pub(super) again_at: Option<Moment>,
}

impl Worker {
    /// Something has ended: the master is told, now or when there is one.
    pub(super) fn report(&mut self, key: ReportKey, turn: &mut Turn) {
        self.reports.insert(key.clone(), Report::default());
        self.tell(&key, turn);
    }

    /// The master knows.
    pub(super) fn report_taken(&mut self, key: &ReportKey) {
        if self.reports.remove(key).is_some() {
            self.forget_surplus();
        }
    }

    /// A master has taken this worker, with all that it has listed: what of that has ended follows.
    pub(super) fn report_all(&mut self, turn: &mut Turn) {
        let keys: Vec<ReportKey> = self.reports.keys().cloned().collect();
        for key in keys {
            self.reports.insert(key.clone(), Report::default());
            self.tell(&key, turn);
        }
    }

    /// Tells again what was not answered in time. A master that takes heartbeats and no ends would never give anything to this
    /// worker again, nor know why.
    pub(super) fn report_again(&mut self, turn: &mut Turn) {
        let due = |report: &Report| report.again_at.is_some_and(|moment| moment <= turn.now.moment);
        let keys: Vec<_> = self.reports.iter().filter(|(_, report)| due(report)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if self.reports[&key].attempts >= self.options.max_update_attempts {
                let attempts = self.options.max_update_attempts;
                turn.warn(format!("the master did not answer that it knows of an end, though told {attempts} times"));
                return self.end(1, turn);
            }
            self.tell(&key, turn);
        }
    }

    fn tell(&mut self, key: &ReportKey, turn: &mut Turn) {
        if self.registration.leader().is_none() {
            return;
        }
        let message = match key {
            ReportKey::Executor(application_id, number) => {
                FromWorker::ExecutorChanged(self.executors[&(application_id.clone(), *number)].update())
            }
            ReportKey::Driver(submission_id) => FromWorker::DriverChanged(self.drivers[submission_id].update()),
        };
        self.tell_leader(message, turn);
        let report = self.reports.get_mut(key).expect("it is listed until it is taken");
        report.attempts += 1;
        report.again_at = Some(turn.now.moment + self.options.update_timeout);
    }

    /// Drops what has ended longest ago, once there is too much and masters know of it (SA-59).
    pub(super) fn forget_surplus(&mut self) {
        let reports = &self.reports;
        let known =
            |key: &(ApplicationId, ExecutorNumber)| !reports.contains_key(&ReportKey::Executor(key.0.clone(), key.1));
        for (application_id, number) in
            drain_surplus(&mut self.finished_executors, self.options.retained_executors, known)
        {
            if let Some(application) = self.applications.get_mut(&application_id) {
                application.forgotten_below = application.forgotten_below.max(number.saturating_add(1));
            }
            self.executors.remove(&(application_id, number));
        }
        let known = |id: &SubmissionId| !reports.contains_key(&ReportKey::Driver(id.clone()));
        for submission_id in drain_surplus(&mut self.finished_drivers, self.options.retained_drivers, known) {
            self.drivers.remove(&submission_id);
        }
    }
}

/// A tenth of what may be kept, and at least one, if there is more than that; of those only what may go.
fn drain_surplus<T>(kept: &mut std::collections::VecDeque<T>, most: usize, may_go: impl Fn(&T) -> bool) -> Vec<T> {
    if kept.len() <= most {
        return Vec::new();
    }
    let surplus = (most / 10).max(1).max(kept.len() - most);
    let (mut gone, mut rest) = (Vec::new(), std::collections::VecDeque::with_capacity(kept.len()));
    for item in kept.drain(..) {
        if gone.len() < surplus && may_go(&item) {
            gone.push(item);
        } else {
            rest.push_back(item);
        }
    }
    *kept = rest;
    gone
}
