//! What applications leave on a worker (SA-45, SA-46).

use firesteel_model::ApplicationId;

use super::{Turn, Worker, WorkerCommand, records::DriverPhase};

/// So many applications may have directories here without an executor. Beyond that the one that is idle longest loses them, as
/// its end may never be told: the worker may have had no master then. Should it come back, they are made anew.
const IDLE_APPLICATIONS: usize = 100;

impl Worker {
    pub(super) fn application_finished(&mut self, application_id: ApplicationId, turn: &mut Turn) {
        // One that never had an executor here has left nothing.
        let Some(application) = self.applications.get_mut(&application_id) else { return };
        application.finished = true;
        if application.idle_since.is_some() {
            self.remove_application(application_id, turn);
        }
    }

    /// One of its executors has ended, perhaps the last.
    pub(super) fn application_idle(&mut self, application_id: &ApplicationId, turn: &mut Turn) {
        let of_it = |executor: &&super::ExecutorRecord| {
            executor.application_id == *application_id && !executor.state.is_final()
        };
        if self.executors.values().any(|executor| of_it(&executor)) {
            return;
        }
        let Some(application) = self.applications.get_mut(application_id) else { return };
        if application.finished {
            return self.remove_application(application_id.clone(), turn);
        }
        self.idle_count += 1;
        application.idle_since = Some(self.idle_count);
        let idle = self.applications.iter().filter_map(|(id, idle)| Some((idle.idle_since?, id)));
        if idle.clone().count() > IDLE_APPLICATIONS {
            let longest = idle.min().map(|(_, id)| id.clone()).expect("there are more than none");
            self.remove_application(longest, turn);
        }
    }

    fn remove_application(&mut self, application_id: ApplicationId, turn: &mut Turn) {
        self.applications.remove(&application_id);
        turn.info(format!("Cleaning up local directories for application {application_id}"));
        turn.commands.push(WorkerCommand::RemoveApplication { application_id });
    }

    pub(super) fn clean_up(&mut self, turn: &mut Turn) {
        let Some(options) = &self.options.cleanup else { return };
        if self.cleaned_at.is_none_or(|moment| moment <= turn.now.moment) {
            if self.cleaned_at.is_some() {
                let running = self.applications.iter().filter(|(_, application)| application.idle_since.is_none());
                let running = running.map(|(id, _)| id.clone()).collect();
                let running_drivers = self.drivers.values().filter(|driver| driver.phase != DriverPhase::Ended);
                let running_drivers = running_drivers.map(|driver| driver.id.clone()).collect();
                let data_ttl = options.data_ttl;
                turn.commands.push(WorkerCommand::CleanUp { data_ttl, running, running_drivers });
            }
            self.cleaned_at = Some(turn.now.moment + options.interval);
        }
    }
}
