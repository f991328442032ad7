//! Jobs to stages, stages to task sets, task sets to task launches: Spark's `DAGScheduler`, `TaskSchedulerImpl`,
//! `TaskSetManager`, `Pool`, `HealthTracker`, `OutputCommitCoordinator`, `BarrierCoordinator` and the master side of
//! `MapOutputTracker` as one state machine without I/O.
//!
//! An [`Event`] goes in, [`Command`]s come out; time is passed in, and chance comes from a seed. The same events at the same
//! times with the same seed give the same commands, so a run can be simulated, recorded and replayed.
//!
//! ```text
//! Scheduler::new(options: SchedulerOptions, seed: u64) -> Result<Scheduler, OptionsError>
//! scheduler.handle(now: Now, event: Event, blocks: &dyn BlockLocations, commands: &mut Vec<Command>)
//! scheduler.handle_all(now, events: impl IntoIterator<Item = Event>, blocks, commands)   // one offer round for all of them
//! scheduler.next_deadline() -> Option<Moment>                                            // then Event::DeadlineReached
//! scheduler.map_statuses(shuffle_id) -> Option<(u64, &[Option<Arc<MapStatus>>])>         // epoch, by map index
//! scheduler.registered_cores() -> u32
//! ```
//!
//! ```text
//!  job submitted ──► stages cut at shuffles ──► stage: Idle ──► Waiting ──► Running ──► Idle, done
//!                                                 ▲   │  parents missing     │
//!                                                 │   └──────────────────────┤ fetch failed, rolled back,
//!                                                 └── resubmitted, 200 ms ◄──┘ a barrier task failed
//!  task set: Preparing ──► Active ──► Zombie ──► gone      a zombie launches nothing and waits for its last task
//! ```
//!
//! Invariants, checked after every event in tests ([`Scheduler::assert_invariants`]): a slot is never given twice; of a
//! stage only the latest attempt launches tasks; a stage that waits has a parent that comes; each output of a job is
//! delivered once; when the last job ends, nothing but its last running tasks is left.
//!
//! What an executor says is believed only where it fits: a message about a task that is not known to run on that executor is
//! late, doubled or wrong, and is dropped. Heartbeats repair what the network lost: tasks that an executor does not name
//! run again, tasks that it should not run are killed.
//!
//! What does not belong here: clocks, sockets, threads, result bytes, cached blocks, cluster managers, Python, SQL.

#![forbid(unsafe_code)]

mod ahead;
mod barrier;
mod bit_set;
mod command;
mod event;
mod executors;
mod health;
mod interner;
mod invariants;
mod jobs;
mod lineage;
mod locations;
mod loss;
mod map_output_tracker;
mod median;
mod offers;
mod options;
mod outcome;
mod output_commit;
mod pending;
mod pool;
mod profiles;
mod random;
mod recent_losses;
mod scheduler;
mod speculation;
mod stage;
mod stages;
mod starvation;
mod task_set;
mod task_slots;

pub use command::{BarrierTaskInfo, Command, MapOutputStatistics, StageBinaryKind, StarvationReason, TaskLaunch};
pub use event::{
    BarrierMethod, BarrierSync, Event, ExecutorRegistration, JobKind, JobSubmission, LostOutputs, TaskEnded,
    TaskOutcome, TaskProgress,
};
pub use firesteel_model::{Moment, Now};
pub use lineage::{Dependency, Determinism, NarrowMapping, RddInfo, ShuffleDependency};
pub use locations::{BlockLocations, NothingCached};
pub use options::{
    AddressPart, BarrierOptions, EfficiencyOptions, ExclusionOptions, ExpectedResources, HeartbeatOptions,
    LaunchAheadOptions, LocalityOptions, MinRegisteredOptions, OptionsError, PoolOptions, ReducerLocalityOptions,
    SchedulerOptions, SchedulingMode, SpeculationOptions, StageOptions, TaskRequirements, TaskResourceAmount,
    TaskResourceRequest,
};
pub use scheduler::Scheduler;
pub use task_slots::{ExecutorSize, SlotLimit, TaskSlots, TaskSlotsError, Waste, task_slots};
