//! What masters order.

use super::{Turn, Worker};
use crate::{
    Term,
    protocol::ToWorker,
    worker::{records::KillCause, reports::ReportKey},
};

impl Worker {
    pub(super) fn ordered(&mut self, master: usize, message: ToWorker, turn: &mut Turn) {
        match message {
            ToWorker::Registered { leader } => self.registered(master, leader, turn),
            ToWorker::RegistrationFailed { message } => self.registration_failed(master, &message, turn),
            ToWorker::Reregister => self.reregister(master, turn),
            ToWorker::LaunchExecutor(launch) => {
                if self.obeys(launch.term, "to start an executor", turn) {
                    self.launch_executor(*launch, turn);
                }
            }
            ToWorker::KillExecutor { term, application_id, executor } => {
                if self.obeys(term, "to end an executor", turn) {
                    turn.info(format!("asked to kill executor {application_id}/{executor}"));
                    self.terminate_executor(&(application_id, executor), KillCause::Ordered, turn);
                }
            }
            ToWorker::ExecutorUpdateTaken { application_id, executor } => {
                self.report_taken(&ReportKey::Executor(application_id, executor));
            }
            ToWorker::DriverUpdateTaken { submission_id } => {
                self.report_taken(&ReportKey::Driver(submission_id));
            }
            ToWorker::ApplicationFinished { term, application_id } => {
                if self.obeys(term, "to remove an application", turn) {
                    self.application_finished(application_id, turn);
                }
            }
            ToWorker::LaunchDriver(launch) => {
                if self.obeys(launch.term, "to start a driver", turn) {
                    self.launch_driver(*launch, turn);
                }
            }
            ToWorker::KillDriver { term, submission_id } => {
                if self.obeys(term, "to end a driver", turn) {
                    turn.info(format!("asked to kill driver {submission_id}"));
                    self.kill_driver(&submission_id, turn);
                }
            }
            ToWorker::Decommission { term } => {
                if self.obeys(term, "to leave", turn) {
                    self.decommission(turn);
                }
            }
        }
    }

    /// Is it an order of the master that leads, as far as is known here? A deposed one may not know yet that it is.
    fn obeys(&mut self, term: Term, what: &str, turn: &mut Turn) -> bool {
        if term < self.term {
            let highest = self.term;
            turn.warn(format!("a master of term {term} orders {what}; it is ignored, as term {highest} was heard of"));
            return false;
        }
        self.term = term;
        true
    }
}
