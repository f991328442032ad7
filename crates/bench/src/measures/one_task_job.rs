//! How long the smallest job takes in an application that is warm: what an interactive user feels.

use std::thread;

use crossbeam_channel::bounded;
use firesteel::SparkContext;

use crate::{
    measure::{Better, Measure, Side, SparkSide, Target},
    parameters::{Parameters, Scale},
    rounds::{Rounds, Sample},
};

pub const LOCAL: Measure = Measure {
    name: "one-task-job",
    unit: "ms",
    better: Better::Lower,
    target: Some(Target::Number(1.0)),
    timed: "from action to result of a job with one task, the mean of 300 one after the other, in a warm local[2]; limit: a \
            question to another thread and its answer",
    rounds: 5,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.OneTaskJob")),
    limit: Some(Side::Session(limit)),
};

pub const LOCAL_CLUSTER: Measure = Measure {
    name: "one-task-job-cluster",
    target: Some(Target::Number(3.0)),
    timed: "as one-task-job, in local-cluster[1,1,1024]: the executor is another process; the limit is the same, in one process",
    parameters: |scale| Ok(parameters(scale)?.with("spark.master", "local-cluster[1,1,1024]")),
    ..LOCAL
};

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    Ok(Parameters::local().with("jobs", scale.of(300)).with("warm-up", 2))
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let sc = SparkContext::new(&parameters.spark_conf())?;
    serve(parameters, rounds, || Ok(sc.range(0, 10, 1, 1).count()?))?;
    sc.stop();
    Ok(())
}

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let (ask, asked) = bounded::<std::ops::Range<u64>>(1);
    let (answer, answered) = bounded::<u64>(1);
    thread::scope(|scope| {
        scope.spawn(move || asked.iter().try_for_each(|range| answer.send(range.count() as u64)));
        serve(parameters, rounds, || {
            ask.send(0..10)?;
            Ok(answered.recv()?)
        })?;
        drop(ask);
        Ok(())
    })
}

/// Rounds of so many jobs, whose results are added up.
fn serve(parameters: &Parameters, rounds: &Rounds, job: impl Fn() -> anyhow::Result<u64>) -> anyhow::Result<()> {
    let jobs = parameters.number("jobs")?;
    rounds.serve(|| {
        let all = || (0..jobs).try_fold(0, |sum, _| Ok::<u64, anyhow::Error>(sum + job()?));
        Sample::timed(all, |elapsed| elapsed.as_secs_f64() * 1000.0 / jobs as f64)
    })
}
