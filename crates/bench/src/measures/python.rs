//! What unmodified PySpark costs: the same script on both engines, and the same functions in Python alone.

use std::process::Command;

use crate::{
    data::zipf_text,
    measure::{Better, Measure, Role, Side, SparkSide, Target},
    measures::spark_pi::is_pi,
    parameters::Parameters,
    python::Python,
};

pub const PI: Measure = Measure {
    name: "python-pi",
    unit: "s",
    better: Better::Lower,
    target: Some(Target::TimesSpark(10.0)),
    timed: "spark-submit --master local[2] pi.py 2 with Spark's own pi.py, from launch to exit with everything between; limit: \
            Python with two processes that compute the same",
    rounds: 5,
    parameters: |_| Ok(Parameters::on("local[2]").with("slices", 2)),
    firesteel: Some(Side::Command(|parameters| pi(&Python::install()?, Role::Firesteel, parameters), is_pi)),
    spark: Some(SparkSide::Command(|_, parameters| pi(&Python::install()?, Role::Spark, parameters), is_pi)),
    limit: Some(Side::Command(plain_pi, is_pi)),
};

fn pi(python: &Python, engine: Role, parameters: &Parameters) -> anyhow::Result<Command> {
    let mut command = python.submit(engine, &Parameters::default())?;
    command.args(["--master", parameters.text("spark.master")?]);
    command.arg(python.pyspark().join("examples/src/main/python/pi.py")).arg(parameters.text("slices")?);
    Ok(command)
}

fn plain_pi(parameters: &Parameters) -> anyhow::Result<Command> {
    let mut command = Python::install()?.plain("pi.py");
    command.arg(parameters.text("slices")?);
    Ok(command)
}

/// So many processes does the plain side have: as many as local[2] has slots.
const PROCESSES: u64 = 2;

fn local() -> Parameters {
    Parameters::local().with("processes", PROCESSES).with("warm-up", 1)
}

/// What most of them share: rounds of one script on all sides, of which seconds are printed.
const fn script(name: &'static str, file: &'static str) -> Measure {
    Measure {
        name,
        unit: "s",
        better: Better::Lower,
        target: None,
        timed: "",
        rounds: 3,
        parameters: |_| Ok(local()),
        firesteel: Some(Side::Python(file)),
        spark: Some(SparkSide::Python(file)),
        limit: Some(Side::Python(file)),
    }
}

pub const NO_OP_TASKS: Measure = Measure {
    unit: "tasks/s",
    better: Better::Higher,
    target: Some(Target::TimesSpark(20.0)),
    timed: "one warm job of one stage of 2,000 tasks of a Python RDD that do nothing, in local[2]; limit: as many calls of the \
            function through a pool of two processes, one by one",
    parameters: |scale| Ok(local().with("tasks", scale.of(2000))),
    ..script("python-no-op-tasks", "no_op_tasks.py")
};

pub const WORD_COUNT: Measure = Measure {
    target: Some(Target::TimesSpark(2.0)),
    timed: "counting the words of the 200 MB of word-count with functions of Python: textFile, split at blanks, reduceByKey into 8 \
            partitions, count; warm, in local[2]; limit: two processes that call the same functions for each word of half of \
            the files and keep dictionaries",
    parameters: |scale| {
        let text = zipf_text(scale.of(200_000_000), 8)?;
        Ok(local().with("text", text.display()).with("reducers", 8))
    },
    ..script("python-word-count", "word_count.py")
};

pub const SORT_BY_KEY: Measure = Measure {
    timed: "making 2 million pairs of numbers with scattered keys, sortByKey into 8 partitions (which counts and samples them \
            first), and seeing that they are in order; warm, in local[2]; limit: two processes that give each other half of \
            the keys and sort the other half",
    parameters: |scale| Ok(local().with("pairs", scale.of(2_000_000)).with("partitions", 8)),
    ..script("python-sort-by-key", "sort_by_key.py")
};

pub const CACHED_ITERATIONS: Measure = Measure {
    timed: "20 passes over 1 million cached points in 8 partitions, each the gradient of a line's fit, computed in Python; the \
            points are cached before; warm, in local[2]; limit: two processes that have the points in lists",
    parameters: |scale| Ok(local().with("points", scale.of(1_000_000)).with("iterations", 20).with("partitions", 8)),
    ..script("python-cached-iterations", "cached_iterations.py")
};

pub const COLLECT: Measure = Measure {
    timed: "making 1 million tuples of two numbers in 8 partitions and collecting them into a list; warm, in local[2]; limit: a \
            pool of two processes that make them and send them back",
    parameters: |scale| Ok(local().with("tuples", scale.of(1_000_000)).with("partitions", 8)),
    ..script("python-collect", "collect.py")
};

pub const BROADCAST: Measure = Measure {
    timed: "broadcasting 200 MB that cannot be compressed to the four executors of local-cluster[4,1,1024], where a task each \
            looks at them; warm; limit: a file that is written by one process and read by four others",
    parameters: |scale| {
        let parameters = Parameters::on("local-cluster[4,1,1024]").with("spark.driver.memory", "4g").with("warm-up", 1);
        Ok(parameters.with("bytes", scale.of(200_000_000)).with("executors", 4))
    },
    ..script("python-broadcast", "broadcast.py")
};
