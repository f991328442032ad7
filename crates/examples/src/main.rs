//! The binary `firesteel-examples`: what `run-example SparkPi` and `spark-submit --class org.apache.spark.examples.SparkPi`
//! run. Each application has the class name and the arguments that it has in Spark, and prints what it prints there.

#![forbid(unsafe_code)]

/// Prints a line, if it can be printed: as in Java, a standard output that is full or closed does not end the application.
macro_rules! say {
    ($($line:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($line)*)));
    }};
}

mod arguments;
mod broadcast_test;
mod group_by_test;
mod hdfs_test;
mod skewed_group_by_test;
mod spark_page_rank;
mod spark_pi;
mod spark_tc;
mod word_count;

use std::{error::Error, process::ExitCode};

use firesteel::{SparkConf, SparkContext};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    firesteel::main(&[
        ("org.apache.spark.examples.SparkPi", spark_pi::run),
        ("org.apache.spark.examples.WordCount", word_count::run),
        ("org.apache.spark.examples.JavaWordCount", word_count::run),
        ("org.apache.spark.examples.GroupByTest", group_by_test::run),
        ("org.apache.spark.examples.SimpleSkewedGroupByTest", skewed_group_by_test::run),
        ("org.apache.spark.examples.SparkTC", spark_tc::run),
        ("org.apache.spark.examples.SparkPageRank", spark_page_rank::run),
        ("org.apache.spark.examples.HdfsTest", hdfs_test::run),
        ("org.apache.spark.examples.BroadcastTest", broadcast_test::run),
    ])
}

/// The context of an application that has this name unless the user gave it another.
fn context(name: &str) -> Result<SparkContext, Box<dyn Error>> {
    let mut conf = SparkConf::from_launcher()?;
    conf.set_if_missing("spark.app.name", name);
    Ok(SparkContext::new(&conf)?)
}
