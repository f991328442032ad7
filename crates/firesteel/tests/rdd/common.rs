//! What all of these tests share: one context for the binary, as there may be one in a process.

use std::sync::OnceLock;

use firesteel::{Data, Rdd, SparkConf, SparkContext};

/// Two local threads. Never stopped: the process ends with it.
pub fn spark() -> &'static SparkContext {
    static SPARK: OnceLock<SparkContext> = OnceLock::new();
    SPARK.get_or_init(|| {
        let mut conf = SparkConf::new();
        conf.set("spark.master", "local[2]").set("spark.app.name", "test").set("spark.ui.showConsoleProgress", "false");
        SparkContext::new(&conf).expect("a local context starts")
    })
}

/// Records in partitions of just these contents.
pub fn partitioned<T: Data>(partitions: &[Vec<T>]) -> Rdd<T> {
    let single: Vec<Rdd<T>> = partitions.iter().map(|records| spark().parallelize(records.clone(), 1)).collect();
    spark().union(&single)
}

pub fn sorted<T: Ord>(records: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut records: Vec<T> = records.into_iter().collect();
    records.sort();
    records
}
