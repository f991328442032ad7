//! Who gets what: drivers first, then executors, application by application (SA-20…27).

use firesteel_model::{ApplicationId, WorkerId};

use super::{ExecutorRecord, Master, Turn};
use crate::{
    ApplicationState, Demand, DriverState, ExecutorState, place_executors,
    protocol::{LaunchDriver, LaunchExecutor, ToWorker},
};

impl Master {
    pub(super) fn schedule(&mut self, turn: &mut Turn) {
        self.place_drivers(turn);
        for application_id in self.order.clone() {
            self.place_executors_of(&application_id, turn);
        }
        self.tell_why_they_wait(turn);
    }

    /// SA-25: in the order of their submission, each to the next worker that has room, beginning anywhere.
    fn place_drivers(&mut self, turn: &mut Turn) {
        if self.waiting_drivers.is_empty() {
            return;
        }
        let mut workers: Vec<WorkerId> =
            self.workers.values().filter(|worker| worker.takes_orders()).map(|worker| worker.id.clone()).collect();
        self.random.shuffle(&mut workers);
        let mut next = 0;
        for submission_id in std::mem::take(&mut self.waiting_drivers) {
            let Some(driver) = self.drivers.get_mut(&submission_id) else { continue };
            let wanted = &driver.description;
            let chosen = (0..workers.len()).map(|step| (next + step) % workers.len()).find(|&index| {
                let room = self.workers[&workers[index]].room(&wanted.resources);
                let resources = wanted.resources.iter().zip(&room.resources);
                room.cores >= wanted.cores
                    && room.memory >= wanted.memory
                    && resources.into_iter().all(|(wanted, free)| *free >= wanted.amount)
            });
            let Some(index) = chosen else {
                self.waiting_drivers.push_back(submission_id);
                continue;
            };
            next = index + 1;
            let worker = self.workers.get_mut(&workers[index]).expect("it was listed");
            driver.resources = worker.acquire(wanted.cores, wanted.memory, &wanted.resources);
            worker.drivers.insert(submission_id.clone());
            driver.state = DriverState::Running;
            driver.worker_id = Some(worker.id.clone());
            driver.worker_host_port = format!("{}:{}", worker.description.host, worker.description.port);
            turn.info(format!("Launching driver {submission_id} on worker {}", worker.id));
            let worker_id = worker.id.clone();
            let launch = LaunchDriver {
                term: self.leader.as_ref().map(|leader| leader.term).unwrap_or_default(),
                submission_id,
                description: driver.description.clone(),
                resources: driver.resources.clone(),
            };
            Self::store_driver(driver, turn);
            self.tell_worker(&worker_id, ToWorker::LaunchDriver(Box::new(launch)), turn);
        }
    }

    fn place_executors_of(&mut self, application_id: &ApplicationId, turn: &mut Turn) {
        let Some(application) = self.applications.get(application_id).filter(|known| known.peer.is_some()) else {
            return;
        };
        let demand = application.description.executor.clone();
        let (cores_left, executors_left) =
            (application.cores_left(self.options.default_cores), application.executors_left());
        if cores_left < demand.cores.unwrap_or(1).max(1) || executors_left == 0 {
            return;
        }
        let mut rooms: Vec<_> = self
            .workers
            .values()
            .filter(|worker| worker.takes_orders())
            .map(|worker| (worker.room(&demand.resources), &worker.id))
            .filter(|(room, _)| room.fits(&demand))
            .collect();
        rooms.sort_by_key(|(room, _)| std::cmp::Reverse(room.cores));
        let (rooms, ids): (Vec<_>, Vec<WorkerId>) = rooms.into_iter().map(|(room, id)| (room, id.clone())).unzip();
        let dealt =
            place_executors(Demand { executor: &demand, cores_left, executors_left }, &rooms, self.options.spread_out);
        let more: u32 = dealt.iter().map(|given| given.executors).sum();
        if more > 0 {
            // The next leader does not use their numbers, whatever it hears of them.
            Self::store_application(&self.applications[application_id], more, turn);
        }
        for (worker_id, given) in ids.into_iter().zip(dealt) {
            for _ in 0..given.executors {
                self.launch_executor(application_id, &worker_id, given.cores / given.executors, turn);
            }
        }
    }

    fn launch_executor(&mut self, application_id: &ApplicationId, worker_id: &WorkerId, cores: u32, turn: &mut Turn) {
        let term = self.term();
        let application = self.applications.get_mut(application_id).expect("it is being given something");
        let worker = self.workers.get_mut(worker_id).expect("it has room");
        let demand = &application.description.executor;
        let number = application.next_executor;
        application.next_executor += 1;
        let resources = worker.acquire(cores, demand.memory, &demand.resources);
        worker.executors.insert((application_id.clone(), number));
        turn.info(format!("Launching executor {application_id}/{number} on worker {worker_id}"));
        let launch = LaunchExecutor {
            term,
            application_id: application_id.clone(),
            application_name: application.description.name.clone(),
            user: application.description.user.clone(),
            executor: number,
            cores,
            memory: demand.memory,
            resources: resources.clone(),
            web_ui_url: application.description.web_ui_url.clone(),
            launch: application.description.launch.clone(),
        };
        let executor = ExecutorRecord {
            number,
            worker_id: worker_id.clone(),
            cores,
            memory: demand.memory,
            resources,
            state: ExecutorState::Launching,
            reason: None,
            ready: false,
        };
        application.executors.insert(number, executor.clone());
        application.state = ApplicationState::Running;
        // The driver hears of it first, as the executor will come to it.
        self.tell_executor_added(application_id, &executor, turn);
        self.tell_worker(worker_id, ToWorker::LaunchExecutor(Box::new(launch)), turn);
    }
}
