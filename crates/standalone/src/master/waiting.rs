//! Why an application waits (AS-01, SA-20).

use firesteel_model::ApplicationId;

use super::{ApplicationRecord, Master, Turn};
use crate::{RecoveryState, protocol::ToApplication};

impl Master {
    /// Tells each application whose reason has changed.
    pub(super) fn tell_why_they_wait(&mut self, turn: &mut Turn) {
        let changed: Vec<(ApplicationId, Option<String>)> = self
            .applications
            .values()
            .map(|application| (application, self.why_it_waits(application)))
            .filter(|(application, reason)| application.waits != *reason)
            .map(|(application, reason)| (application.id.clone(), reason))
            .collect();
        for (id, reason) in changed {
            if let Some(reason) = &reason {
                turn.warn(format!("{id} waits: {reason}"));
            }
            self.tell_application(&id, ToApplication::Waits { reason: reason.clone() }, turn);
            if let Some(application) = self.applications.get_mut(&id) {
                application.waits = reason;
            }
        }
    }

    /// None if the application has what it has asked for; one that asks for all that there is has it with one executor.
    fn why_it_waits(&self, application: &ApplicationRecord) -> Option<String> {
        let wants = &application.description.executor;
        let step = wants.cores.unwrap_or(1).max(1);
        let cores_left = application.cores_left(self.options.default_cores);
        let unlimited = application.description.max_cores.is_none() && self.options.default_cores == u32::MAX;
        if application.executors_left() == 0
            || cores_left < step && !application.executors.is_empty()
            || unlimited && application.requested.is_none() && !application.executors.is_empty()
        {
            return None;
        }
        if self.state != RecoveryState::Alive {
            return Some(format!("the master is {}", self.state));
        }
        if cores_left < step {
            let most = cores_left;
            return Some(format!(
                "each executor takes {step} cores (spark.executor.cores), and the application may have {most} (spark.cores.max)"
            ));
        }
        let alive: Vec<_> = self.alive_workers().collect();
        if alive.is_empty() {
            return Some("no worker has registered with the master, or none is alive".to_owned());
        }
        if !alive.iter().any(|worker| worker.whole_room(&wants.resources).fits(wants)) {
            return Some(self.what_no_worker_has(application));
        }
        let free = alive.iter().filter(|worker| worker.takes_orders());
        let (cores, memory) = free.fold((0, firesteel_model::ByteCount::ZERO), |(cores, memory), worker| {
            (cores + worker.free_cores(), memory.max(worker.free_memory()))
        });
        let others = self.applications.len() - 1;
        Some(format!(
            "it has {} executors with {} cores and could use more, but no worker has {step} cores and {} free at once: {cores} cores \
             are free in all, and {memory} on one worker at most; {others} other applications and {} drivers are there",
            application.executors.len(),
            application.cores_granted(),
            wants.memory,
            self.drivers.len() - self.waiting_drivers.len(),
        ))
    }

    /// SA-20: it would wait for ever.
    fn what_no_worker_has(&self, application: &ApplicationRecord) -> String {
        let wants = &application.description.executor;
        let rooms: Vec<_> = self.alive_workers().map(|worker| worker.whole_room(&wants.resources)).collect();
        let cores = rooms.iter().map(|room| room.cores).max().unwrap_or_default();
        let memory = rooms.iter().map(|room| room.memory).max().unwrap_or_default();
        let mut lacks = Vec::new();
        if wants.memory > memory {
            lacks.push(format!(
                "{} of memory (spark.executor.memory and what comes on top), and the largest worker has {memory}",
                wants.memory
            ));
        }
        let wanted_cores = wants.cores.unwrap_or(1);
        if wanted_cores > cores {
            lacks.push(format!("{wanted_cores} cores (spark.executor.cores), and the largest worker has {cores}"));
        }
        for (index, wanted) in wants.resources.iter().enumerate() {
            let most = rooms.iter().filter_map(|room| room.resources.get(index)).max().copied().unwrap_or_default();
            if wanted.amount > most {
                let (name, amount) = (&wanted.name, wanted.amount);
                lacks.push(format!(
                    "{amount} of {name} (spark.executor.resource.{name}.amount), and no worker has more than {most}"
                ));
            }
        }
        if lacks.is_empty() {
            return "each executor requires more resources than any worker has together".to_owned();
        }
        format!(
            "App {} requires more resource than any of Workers could have: each executor takes {}",
            application.id,
            lacks.join("; ")
        )
    }
}
