//! What the driver remembers of a very large stage.

use firesteel::SparkContext;

use crate::{
    measure::{Better, Measure, Side, SparkSide, Target},
    measures::no_op_tasks::run_no_op_tasks,
    parameters::{Parameters, Scale},
    resident::peak_of_this_process,
    rounds::{Rounds, Sample},
};

pub const MEASURE: Measure = Measure {
    name: "many-tasks-memory",
    unit: "MB",
    better: Better::Lower,
    target: Some(Target::Number(300.0)),
    timed: "peak resident memory of the process after one stage of 1,000,000 tasks that do nothing, in local[2] (driver and \
            executor in one); limit: two threads that run as many boxed closures",
    rounds: 1,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.ManyTasksMemory")),
    limit: Some(Side::Session(limit)),
};

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    Ok(Parameters::local().with("tasks", scale.of(1_000_000)))
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let tasks = parameters.partitions("tasks")?;
    let sc = SparkContext::new(&parameters.spark_conf())?;
    rounds.serve(|| {
        sc.range(0, i64::from(tasks), 1, tasks).foreach_partition(|_| ())?;
        Ok(Sample { value: peak_of_this_process()?, answer: String::new() })
    })?;
    sc.stop();
    Ok(())
}

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let tasks = parameters.number("tasks")?;
    rounds.serve(|| {
        run_no_op_tasks(tasks);
        Ok(Sample { value: peak_of_this_process()?, answer: String::new() })
    })
}
