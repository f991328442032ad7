//! Who is told what happens in the application: status, event log, progress bar, the user's own listeners.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use firesteel_console::{Console, ConsoleProgress, ProgressOptions, StartFacts, show_progress, start_line};
use firesteel_driver::EventSink;
use firesteel_listener_bus::{ListenerBus, ListenerBusOptions, QueueName, StopReport};
use firesteel_model::{AccumulableInfo, AccumulatorId, AccumulatorUpdate, ListenerEvent, StageAttemptId, TaskId};
use firesteel_status::{ApplicationStatus, RetainedLimits};
use parking_lot::Mutex;
use tracing::warn;

use crate::{
    accumulator,
    end_line::{self, EndLine, EndOfRun},
    error::SparkError,
};

/// How long the queues may take to write what they hold when the application stops.
const DRAIN_TIME_OUT: Duration = Duration::from_secs(10);

/// What the status folds is what the user is told at the end, so its queue takes bursts that others may lose.
const STATUS_CAPACITY_FACTOR: usize = 8;

/// The listeners of one application.
pub(crate) struct Listeners {
    bus: Arc<ListenerBus>,
    status: Arc<Mutex<ApplicationStatus>>,
    console: Console,
    progress: Mutex<Option<ConsoleProgress>>,
    /// What the start line said, if it was printed.
    started: Mutex<Option<StartFacts>>,
    stopped: AtomicBool,
}

/// What the console shows.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleOptions {
    /// `spark.ui.showConsoleProgress`, if it is set.
    pub(crate) show_progress: Option<bool>,
    /// `spark.ui.consoleProgress.update.interval`.
    pub(crate) update_interval: Duration,
    /// The line at the start and the line at the end.
    pub(crate) lines: bool,
}

impl Listeners {
    pub(crate) fn new(console: Console, capacity: usize) -> Result<Self, SparkError> {
        let bus = Arc::new(ListenerBus::new(ListenerBusOptions {
            capacity,
            queue_capacities: vec![(QueueName::APP_STATUS, capacity.saturating_mul(STATUS_CAPACITY_FACTOR))],
        }));
        let status = Arc::new(Mutex::new(ApplicationStatus::new(RetainedLimits::default())));
        let folded = Arc::clone(&status);
        bus.add_listener(QueueName::APP_STATUS, move |event: &ListenerEvent| folded.lock().apply(event))
            .map_err(|error| SparkError::Configuration(error.to_string()))?;
        Ok(Self {
            bus,
            status,
            console,
            progress: Mutex::new(None),
            started: Mutex::new(None),
            stopped: AtomicBool::new(false),
        })
    }

    pub(crate) fn console(&self) -> &Console {
        &self.console
    }

    pub(crate) fn bus(&self) -> &Arc<ListenerBus> {
        &self.bus
    }

    /// What has happened so far, folded.
    pub(crate) fn status(&self) -> &Arc<Mutex<ApplicationStatus>> {
        &self.status
    }

    /// Starts to deliver, and to draw.
    pub(crate) fn start(&self, facts: &StartFacts, options: &ConsoleOptions) {
        self.bus.start();
        // An application may have one context after the other.
        end_line::print_held(None);
        if options.lines {
            *self.started.lock() = Some(facts.clone());
            // Nobody is told less if standard error is closed.
            let _ = self.console.print_line(&start_line(facts));
        }
        if show_progress(options.show_progress, self.console.is_terminal()) {
            let status = Arc::clone(&self.status);
            let progress_options =
                ProgressOptions { update_interval: options.update_interval, ..ProgressOptions::default() };
            match ConsoleProgress::start(&self.console, progress_options, move || status.lock().active_stages()) {
                Ok(progress) => *self.progress.lock() = Some(progress),
                Err(error) => warn!(%error, "no progress bar"),
            }
        }
    }

    /// Takes the bar off before the caller of a job prints what came out.
    pub(crate) fn job_ended(&self) {
        if let Some(progress) = &*self.progress.lock() {
            progress.job_ended();
        }
    }

    /// `spark.logConf`: the configuration, as listeners are told it. Printed whatever the log level is, as it was asked for.
    pub(crate) fn print_conf(&self, environment: &ListenerEvent) {
        let ListenerEvent::EnvironmentUpdate { spark_properties, .. } = environment else { return };
        let lines = spark_properties.iter().map(|(key, value)| format!("{key}={value}"));
        for line in ["Spark configuration:".to_owned()].into_iter().chain(lines) {
            // As above.
            let _ = self.console.print_line(&line);
        }
    }

    /// Delivers what is queued, then takes the bar off and prints what the run took. Does nothing the second time.
    pub(crate) fn stop(&self, end: EndLine) {
        self.stop_saying(end, std::thread::panicking().then_some("ended by a panic"));
    }

    fn stop_saying(&self, end: EndLine, remark: Option<&'static str>) {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut remarks: Vec<String> = remark.map(str::to_owned).into_iter().collect();
        // The bus itself tells of queues that were not drained in time.
        match self.bus.stop(DRAIN_TIME_OUT) {
            Ok(report) => remarks.extend(uncounted(&report)),
            Err(error) => warn!(%error, "the listener bus was not stopped"),
        }
        if let Some(progress) = self.progress.lock().take() {
            progress.stop();
        }
        if let Some(facts) = self.started.lock().take() {
            let mut summary = self.status.lock().summary().clone();
            summary.app_name.get_or_insert(facts.app_name);
            summary.app_id.get_or_insert(facts.app_id);
            end_line::ended(EndOfRun { console: self.console.clone(), summary, remarks }, end);
        }
    }
}

/// What the numbers at the end of a run lack, if anything: the queue that they come from is bounded.
fn uncounted(report: &StopReport) -> Option<String> {
    let status = report.queues.iter().find(|queue| queue.name == QueueName::APP_STATUS)?;
    match status.dropped_events {
        0 if report.timed_out.contains(&QueueName::APP_STATUS) => {
            Some("or more: not all events were counted in time".to_owned())
        }
        0 => None,
        1 => Some("or more: 1 listener event was dropped and is not counted".to_owned()),
        dropped => Some(format!("or more: {dropped} listener events were dropped and are not counted")),
    }
}

impl Drop for Listeners {
    /// If the application's start has failed: listeners close what they have opened, threads end, and whoever has seen the start
    /// line sees an end line too.
    fn drop(&mut self) {
        if self.started.lock().is_some() {
            let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
            self.bus.post(ListenerEvent::ApplicationEnd { time_ms, exit_code: None });
        }
        self.stop_saying(EndLine::WithExitCode, Some("could not be started"));
    }
}

/// Fills in what the scheduler does not know (the values of accumulators) and posts to the bus.
pub(crate) struct BusSink {
    bus: Arc<ListenerBus>,
    accumulables: Mutex<Accumulables>,
}

#[derive(Default)]
struct Accumulables {
    /// What the last merged task has added: its end is posted next.
    of_task: HashMap<TaskId, Vec<AccumulableInfo>>,
    /// The values after the last merge for each stage attempt that is under way.
    of_stage: HashMap<StageAttemptId, BTreeMap<AccumulatorId, AccumulableInfo>>,
}

impl BusSink {
    pub(crate) fn new(bus: &Arc<ListenerBus>) -> Self {
        Self { bus: Arc::clone(bus), accumulables: Mutex::default() }
    }
}

impl EventSink for BusSink {
    fn post(&self, mut event: ListenerEvent) {
        match &mut event {
            ListenerEvent::TaskEnd { task, .. } => {
                if let Some(accumulables) = self.accumulables.lock().of_task.remove(&task.task_id) {
                    task.accumulables = accumulables;
                }
            }
            ListenerEvent::StageCompleted { stage } => {
                if let Some(accumulables) = self.accumulables.lock().of_stage.remove(&stage.id) {
                    Arc::make_mut(stage).accumulables = accumulables;
                }
            }
            _ => {}
        }
        self.bus.post(event);
    }

    fn merge_accumulators(&self, task_id: TaskId, stage: StageAttemptId, updates: &[AccumulatorUpdate]) {
        if updates.is_empty() {
            return;
        }
        let infos: Vec<AccumulableInfo> = updates
            .iter()
            .map(|update| AccumulableInfo {
                id: update.id,
                name: update.name.clone(),
                update: Some(update.value.clone()),
                value: accumulator::merge(update),
            })
            .collect();
        let mut accumulables = self.accumulables.lock();
        let of_stage = accumulables.of_stage.entry(stage).or_default();
        of_stage.extend(infos.iter().map(|info| (info.id, AccumulableInfo { update: None, ..info.clone() })));
        accumulables.of_task.insert(task_id, infos);
    }
}

#[cfg(test)]
mod tests {
    use firesteel_listener_bus::QueueMetrics;

    use super::*;

    #[test]
    fn the_end_line_says_what_was_not_counted() {
        let told = |name: QueueName, dropped_events: u64, timed_out: &[QueueName]| {
            let queue = QueueMetrics { name, size: 0, capacity: 10, processed_events: 100, dropped_events };
            uncounted(&StopReport { queues: vec![queue], timed_out: timed_out.to_vec() }).unwrap_or_default()
        };
        assert_eq!(told(QueueName::APP_STATUS, 0, &[]), "");
        assert_eq!(told(QueueName::EVENT_LOG, 7, &[QueueName::EVENT_LOG]), "", "the numbers do not come from there");
        let dropped = "or more: 7 listener events were dropped and are not counted";
        assert_eq!(told(QueueName::APP_STATUS, 7, &[QueueName::APP_STATUS]), dropped);
        assert!(told(QueueName::APP_STATUS, 1, &[]).contains("1 listener event was dropped"));
        assert!(
            told(QueueName::APP_STATUS, 0, &[QueueName::APP_STATUS]).contains("not all events were counted in time")
        );
    }
}
