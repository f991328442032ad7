//! How fast reducers read an all-to-all shuffle:
//! `cargo run --release -p firesteel --example bench_shuffle [MiB] [KEY=VALUE]...`.
//!
//! The map outputs are written once; then each round reads all of them, so that half of the bytes come from the other of two
//! executors. Compare `spark.shuffle.readHostLocalDisk=false`, `spark.network.crypto.enabled=true`, and neither. Nothing is
//! compressed unless that is set, as otherwise the codec would be what is measured.

use std::{error::Error, process::ExitCode, time::Instant};

use firesteel::{SparkConf, SparkContext};

const RECORD: u64 = 1 << 10;
const PARTITIONS: u32 = 8;
const ROUNDS: u32 = 5;

fn main() -> ExitCode {
    firesteel::main(&[("bench_shuffle", |arguments| run(&arguments))])
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let (settings, sizes): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|word| word.contains('='));
    let mib: u64 = sizes.first().map_or(Ok(512), |size| size.parse())?;
    let mut conf = SparkConf::new();
    conf.set("spark.app.name", "bench_shuffle")
        .set("spark.master", "local-cluster[2,1,1024]")
        .set("spark.shuffle.compress", "false")
        .set("spark.ui.showConsoleProgress", "false");
    for (key, value) in settings.iter().filter_map(|setting| setting.split_once('=')) {
        conf.set(key, value);
    }
    let spark = SparkContext::new(&conf)?;
    let records = mib * (1 << 20) / RECORD;
    let text = spark.range(0, i64::try_from(records)?, 1, PARTITIONS).map(|n| {
        let key = n.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
        (key, format!("{key:0>width$}", width = RECORD as usize))
    });
    let scattered = text.partition_by(PARTITIONS);
    let started = Instant::now();
    assert_eq!(scattered.count()?, records);
    println!("written and read {mib} MiB in {:.2} s", started.elapsed().as_secs_f64());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        assert_eq!(scattered.count()?, records);
        let seconds = started.elapsed().as_secs_f64();
        println!("read {mib} MiB in {seconds:.3} s: {:.0} MiB/s", mib as f64 / seconds);
    }
    Ok(())
}
