//! What a task costs that does nothing: the driver's share of every job.

use std::thread;

use crossbeam_channel::bounded;
use firesteel::SparkContext;

use crate::{
    measure::{Better, Measure, Side, SparkSide, Target},
    parameters::{Parameters, Scale},
    rounds::{Rounds, Sample},
};

pub const LOCAL: Measure = Measure {
    name: "no-op-tasks",
    unit: "tasks/s",
    better: Better::Higher,
    target: Some(Target::Number(50_000.0)),
    timed: "one warm job of one stage of 20,000 tasks that do nothing, in local[2]; limit: two threads that take boxed \
            closures from a queue and answer through another",
    rounds: 5,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.NoOpTasks")),
    limit: Some(Side::Session(limit)),
};

pub const LOCAL_CLUSTER: Measure = Measure {
    name: "no-op-tasks-cluster",
    timed: "as no-op-tasks, in local-cluster[2,1,1024]: two executors, which are processes with one core each; the limit is the \
            same, in one process",
    parameters: |scale| Ok(parameters(scale)?.with("spark.master", "local-cluster[2,1,1024]")),
    ..LOCAL
};

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    Ok(Parameters::local().with("tasks", scale.of(20_000)).with("warm-up", 2))
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let tasks = parameters.partitions("tasks")?;
    let sc = SparkContext::new(&parameters.spark_conf())?;
    rounds.serve(|| {
        let job = || {
            sc.range(0, i64::from(tasks), 1, tasks).foreach_partition(|_| ())?;
            Ok("")
        };
        Sample::timed(job, |elapsed| f64::from(tasks) / elapsed.as_secs_f64())
    })?;
    sc.stop();
    Ok(())
}

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let tasks = parameters.number("tasks")?;
    rounds.serve(|| {
        let work = || {
            run_no_op_tasks(tasks);
            Ok("")
        };
        Sample::timed(work, |elapsed| tasks as f64 / elapsed.as_secs_f64())
    })
}

/// A driver and two workers, without anything that a cluster needs.
pub fn run_no_op_tasks(tasks: u64) {
    type Task = Box<dyn FnOnce() -> u64 + Send>;
    const WAITING: usize = 1024;
    let (launch, launched) = bounded::<Task>(WAITING);
    let (finish, finished) = bounded::<u64>(WAITING);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (launched, finish) = (launched.clone(), finish.clone());
            scope.spawn(move || launched.iter().try_for_each(|task| finish.send(task())));
        }
        drop((launched, finish));
        scope.spawn(move || (0..tasks).try_for_each(|index| launch.send(Box::new(move || index))));
        assert_eq!(finished.iter().count() as u64, tasks);
    });
}
