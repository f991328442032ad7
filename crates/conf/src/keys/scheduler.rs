//! Jobs, stages, tasks; locality; pools; barrier.

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, Key, KeyPrefix, Managers, Section, Unit};
use crate::{SchedulingMode, Timeout};

keys! { Scheduler:
    /// How often one task may fail before the job is given up. In local mode the master URL decides: 1, or F of `local[N,F]` (RT-30).
    TASK_MAX_FAILURES: u32 = "spark.task.maxFailures", since "0.8.0",
        default("4"), check(|number| *number > 0, "at least 1"),
        only_on(Managers::WITH_EXECUTORS);

    /// Cores that one task takes (SC-07).
    TASK_CPUS: u32 = "spark.task.cpus", since "0.5.0", default("1"), check(|number| *number > 0, "at least 1");

    /// Results up to this size travel with the task's status; larger ones are stored as a block and fetched (RT-33).
    TASK_MAX_DIRECT_RESULT_SIZE: ByteCount = "spark.task.maxDirectResultSize", since "2.0.0",
        default("1m"), unit(Unit::Bytes),
        only_on(Managers::WITH_EXECUTORS);

    /// Watch killed tasks until they have ended, and log those that go on (RT-38).
    TASK_REAPER_ENABLED: bool = "spark.task.reaper.enabled", since "2.0.3", default("false");

    /// How often the reaper looks at a killed task and logs what it does.
    TASK_REAPER_POLLING_INTERVAL: Duration = "spark.task.reaper.pollingInterval", since "2.0.3",
        default("10s"), unit(Unit::Milliseconds), check(|time| !time.is_zero(), "more than 0");

    /// How long a killed task may go on before its executor ends, with exit code 50; -1 for ever. In local mode the executor is the driver too, so the log says that the task goes on, and nothing more is done.
    TASK_REAPER_KILL_TIMEOUT: Timeout = "spark.task.reaper.killTimeout", since "2.0.3",
        default("-1"), unit(Unit::Milliseconds);

    /// Log what the thread of a killed task that goes on does: whether it runs or waits, in which system call and function of the kernel, and the processor time that it has used. There are no stacks in it.
    TASK_REAPER_THREAD_DUMP: bool = "spark.task.reaper.threadDump", since "2.0.3", default("true");

    /// `FIFO`: the jobs of the application in order. `FAIR`: by pools (SC-01).
    SCHEDULER_MODE: SchedulingMode = "spark.scheduler.mode", since "0.8.0", default("FIFO");

    /// The file that declares the pools: a path, or a URL of a file system or of HTTP. Read if `spark.scheduler.mode` is `FAIR`, else it gets a warning; then a missing file is an error if it was named here (SC-04).
    SCHEDULER_ALLOCATION_FILE: Option<String> = "spark.scheduler.allocation.file", since "0.8.1",
        computed("`fairscheduler.xml` in the configuration directory, if it is there");

    /// Data sets of one stage may have different resource profiles: its tasks then take the most of each resource that one of them asks for. Without this, such a job fails (SC-08).
    SCHEDULER_RESOURCE_PROFILE_MERGE_CONFLICTS: bool = "spark.scheduler.resource.profileMergeConflicts", since "3.1.0",
        default("false"), only_on(Managers::WITH_EXECUTORS);

    /// The share of the expected executors or cores that must have registered before the first task starts (RT-14).
    SCHEDULER_MIN_REGISTERED_RESOURCES_RATIO: Option<f64> = "spark.scheduler.minRegisteredResourcesRatio",
        since "1.1.1", computed("0.8 on YARN and Kubernetes, else 0.0"),
        check(|ratio| ratio.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)), "from 0 to 1"),
        only_on(Managers::WITH_EXECUTORS);

    /// How long to wait for that share.
    SCHEDULER_MAX_REGISTERED_RESOURCES_WAITING_TIME: Duration = "spark.scheduler.maxRegisteredResourcesWaitingTime",
        since "1.1.1", default("30s"), unit(Unit::Milliseconds),
        only_on(Managers::WITH_EXECUTORS);

    /// How long a task set may launch nothing before the log says so, and how often it is looked whether there is another reason by then, which is said too (RT-15).
    STARVATION_TIMEOUT: Duration = "spark.starvation.timeout", since "0.8.0",
        default("15s"), unit(Unit::Milliseconds), check(|time| !time.is_zero(), "more than 0");

    /// How many listener events may wait in each queue before events are dropped.
    LISTENER_BUS_EVENT_QUEUE_CAPACITY: u32 = "spark.scheduler.listenerbus.eventqueue.capacity", since "2.3.0",
        default("10000"), check(|number| *number > 0, "at least 1");

    /// How long a task set goes without a launch at one locality level before it takes the next; 0 does not wait (RT-21).
    LOCALITY_WAIT: Duration = "spark.locality.wait", since "0.5.0", default("3s"), unit(Unit::Milliseconds);

    /// The wait at level PROCESS_LOCAL.
    LOCALITY_WAIT_PROCESS: Duration = "spark.locality.wait.process", since "0.8.0",
        falls_back_to(&LOCALITY_WAIT), unit(Unit::Milliseconds);

    /// The wait at level NODE_LOCAL.
    LOCALITY_WAIT_NODE: Duration = "spark.locality.wait.node", since "0.8.0",
        falls_back_to(&LOCALITY_WAIT), unit(Unit::Milliseconds);

    /// The wait at level RACK_LOCAL.
    LOCALITY_WAIT_RACK: Duration = "spark.locality.wait.rack", since "0.8.0",
        falls_back_to(&LOCALITY_WAIT), unit(Unit::Milliseconds);

    /// Any launch resets the locality wait, as before Spark 3.1 (RT-22).
    LOCALITY_WAIT_LEGACY_RESET: bool = "spark.locality.wait.legacyResetOnTaskLaunch", since "3.1.0", default("false");

    /// Reducers prefer hosts that hold much of their map output (RT-10).
    SHUFFLE_REDUCE_LOCALITY_ENABLED: bool = "spark.shuffle.reduceLocality.enabled", since "1.5.0", default("true");

    /// How many attempts in a row of one stage may end in a fetch failure before the job is given up (RT-35).
    STAGE_MAX_CONSECUTIVE_ATTEMPTS: u32 = "spark.stage.maxConsecutiveAttempts", since "2.2.0",
        default("4"), check(|number| *number > 0, "at least 1");

    /// How many attempts one stage may have in all.
    STAGE_MAX_ATTEMPTS: Option<u32> = "spark.stage.maxAttempts", since "3.5.0",
        computed("no limit"), check(|number| *number != Some(0), "at least 1");

    /// A fetch failure drops the map outputs of the whole host; meant for external shuffle services (RT-35).
    FETCH_FAILURE_UNREGISTER_OUTPUT_ON_HOST: bool = "spark.files.fetchFailure.unRegisterOutputOnHost", since "2.3.0",
        default("false");

    /// How many short tasks an executor is sent beyond those that its slots run, for each slot: it starts the next without
    /// asking. Only stages whose tasks take a few milliseconds; 0 never does.
    LAUNCH_AHEAD_MAX_TASKS_PER_SLOT: u32 = "spark.scheduler.launchAhead.maxTasksPerSlot", since "Firesteel 0.1.0",
        default("32"), check(|number| *number <= 1000, "at most 1000");

    /// The driver lets one attempt of a partition commit its output and refuses the others (RT-37).
    OUTPUT_COMMIT_COORDINATION_ENABLED: bool = "spark.hadoop.outputCommitCoordination.enabled", since "1.2.0",
        default("true");

    /// By how much `take` and its like widen their search when a job found too little (RT-06).
    RDD_LIMIT_SCALE_UP_FACTOR: u32 = "spark.rdd.limit.scaleUpFactor", since "2.1.0",
        default("4"), check(|number| *number >= 2, "at least 2");

    /// How many partitions the first job of `take` looks at.
    RDD_LIMIT_INITIAL_NUM_PARTITIONS: u32 = "spark.rdd.limit.initialNumPartitions", since "3.4.0",
        default("1"), check(|number| *number > 0, "at least 1");

    /// How long the tasks of a barrier stage wait for one another (RT-48).
    BARRIER_SYNC_TIMEOUT: Duration = "spark.barrier.sync.timeout", since "2.4.0",
        default("365d"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0");

    /// How often to look whether there are slots for all tasks of a barrier stage (RT-48).
    BARRIER_MAX_CONCURRENT_TASKS_CHECK_INTERVAL: Duration =
        "spark.scheduler.barrier.maxConcurrentTasksCheck.interval", since "2.4.0",
        default("15s"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0");

    /// How many looks may fail before the job does (RT-48).
    BARRIER_MAX_CONCURRENT_TASKS_CHECK_MAX_FAILURES: u32 =
        "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", since "2.4.0",
        default("40"), check(|number| *number > 0, "at least 1");
}

prefixes! { Scheduler:
    /// `spark.task.resource.R.amount`: how many addresses of the custom resource R one task takes, or a fraction of at most 0.5: then 1 / amount tasks, rounded down, share an address. Needs `spark.executor.resource.R.amount`; not for local mode (SC-07).
    TASK_RESOURCE = "spark.task.resource.", since "3.0.0", on Managers::ALL;
}
