//! What an executor costs that does nothing.

use firesteel::SparkContext;

use crate::{
    measure::{Better, Measure, Side, SparkSide, Target},
    parameters::{Parameters, Scale},
    resident::mean_of_children,
    rounds::{Rounds, Sample},
};

pub const MEASURE: Measure = Measure {
    name: "executor-memory",
    unit: "MB",
    better: Better::Lower,
    target: Some(Target::Number(20.0)),
    timed: "resident memory of an executor of local-cluster[1,1,1024] after its first job, when it has nothing to do; there is \
            no limit to compare with",
    rounds: 3,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.ExecutorMemory")),
    limit: None,
};

fn parameters(_scale: Scale) -> anyhow::Result<Parameters> {
    Ok(Parameters::on("local-cluster[1,1,1024]"))
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let sc = SparkContext::new(&parameters.spark_conf())?;
    sc.range(0, 10, 1, 2).count()?;
    rounds.serve(|| Ok(Sample { value: mean_of_children()?, answer: String::new() }))?;
    sc.stop();
    Ok(())
}
