//! Stages whose tasks take what a resource profile says (SC-08).

use std::thread;

use anyhow::Context;
use firesteel::{ResourceProfile, SparkContext, TaskResourceRequests};
use firesteel_e2e::{Gates, wait_until};

use super::{Scenario, task};

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("profiles-share-cores", share_cores),
    ("profiles-share-addresses", share_addresses),
    ("profiles-meet", meet),
    ("profile-that-nobody-serves", nobody_serves),
];

/// The cores of the one executor.
const CORES: u32 = 4;

/// Takes free ones of numbered gates for the task on this thread. Fails if there are too few: more tasks run then than can.
fn take(gates: &Gates, kind: &str, wanted: u32, all: u32) -> Vec<String> {
    let names = (0..all).map(|number| format!("{kind}-{number}"));
    let taken: Vec<String> = names.filter(|name| gates.announce(name)).take(wanted as usize).collect();
    assert_eq!(taken.len(), wanted as usize, "there are too few of {kind} for the tasks that run");
    taken
}

/// Two jobs at once, of tasks that take two cores and of such that take one. Each task takes as many gates as it was given
/// cores, of as many as there are; and the first wide ones wait for each other.
fn share_cores(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let wide = ResourceProfile::new(TaskResourceRequests::new().cpus(2.0))?;
    let run = |profile: Option<&ResourceProfile>, tasks: u32| -> anyhow::Result<Vec<u32>> {
        let numbers = spark.range(0, i64::from(tasks), 1, tasks);
        let cpus = numbers.with(gates.clone()).map_partitions_with_index(|gates, index, _| {
            let cpus = task().cpus();
            let taken = take(gates, "core", cpus, CORES);
            if cpus == 2 && index < 2 {
                gates.announce(&format!("wide-{index}"));
                wait_until("two wide tasks to run at once", || {
                    (0..2).all(|index| gates.arrived(&format!("wide-{index}")).is_some()).then_some(())
                });
            }
            taken.iter().for_each(|core| gates.withdraw(core));
            [cpus]
        });
        if let Some(profile) = profile {
            cpus.with_resources(profile)?;
        }
        Ok(cpus.collect()?)
    };
    let (wide, narrow) = thread::scope(|scope| {
        let wide = scope.spawn(|| run(Some(&wide), 12));
        let narrow = scope.spawn(|| run(None, 24));
        (wide.join().expect("no panic"), narrow.join().expect("no panic"))
    });
    println!("wide {:?}", wide?);
    println!("narrow {}", narrow?.iter().filter(|&&cpus| cpus == 1).count());
    Ok(())
}

/// The same with two GPUs: tasks of half a one, and of a whole one, each at the address that it was given. A half is one of
/// two gates at the address.
fn share_addresses(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let run = |amount: f64| -> anyhow::Result<()> {
        let profile = ResourceProfile::new(TaskResourceRequests::new().resource("gpu", amount))?;
        let halves = (2.0 * amount) as u32;
        let used = spark.range(0, 20, 1, 20).with((gates.clone(), halves)).map_partitions(|(gates, halves), _| {
            let gpu = task().resource("gpu").expect("a GPU was asked for").clone();
            let [address] = &gpu.addresses[..] else { panic!("one address: {gpu:?}") };
            let taken = take(gates, &format!("gpu-{address}"), *halves, 2);
            taken.iter().for_each(|half| gates.withdraw(half));
            gpu.addresses
        });
        let mut used = used.with_resources(&profile)?.collect()?;
        used.sort_unstable();
        used.dedup();
        println!("{amount}: {used:?}");
        Ok(())
    };
    thread::scope(|scope| {
        let jobs = [0.5, 1.0].map(|amount| scope.spawn(move || run(amount)));
        jobs.into_iter().try_for_each(|job| job.join().expect("no panic"))
    })
}

/// Two profiles in one stage, and one behind a shuffle. Data sets that were made before the profile was given have it too.
fn meet(spark: &SparkContext, _: &Gates) -> anyhow::Result<()> {
    let of = |cpus: f64| ResourceProfile::new(TaskResourceRequests::new().cpus(cpus));
    let numbers = spark.range(0, 4, 1, 2);
    let cpus = numbers.map_partitions(|_| [task().cpus()]);
    let counted = numbers.map(|n| (n % 2, task().cpus())).reduce_by_key_with(|left, _| left, 1);
    let behind =
        counted.map_partitions(|records| records.map(|(_, before)| (before, task().cpus())).collect::<Vec<_>>());
    numbers.with_resources(&of(3.0)?)?;
    println!("from its parent: {:?}", cpus.collect()?);
    println!("behind a shuffle: {:?}", behind.collect()?);
    let own = numbers.get_resource_profile().context("it was given one")?;
    println!("{} and {:?}", own.task_resources()[0].amount, cpus.get_resource_profile());
    cpus.with_resources(&of(2.0)?)?;
    match cpus.collect() {
        Ok(cpus) => println!("merged: {cpus:?}"),
        Err(error) => println!("refused: {error}"),
    }
    numbers.with_resources(&of(2.0)?)?;
    cpus.with_resources(&numbers.get_resource_profile().context("it was given one")?)?;
    println!("the same: {:?}", cpus.collect()?);
    Ok(())
}

/// A job that waits for more cores than any executor has, until it is cancelled.
fn nobody_serves(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let profile = ResourceProfile::new(TaskResourceRequests::new().cpus(5.0))?;
    let job = spark.range(0, 4, 1, 2).with_resources(&profile)?.count_async();
    gates.wait("give-up");
    job.cancel();
    println!("{}", job.get().expect_err("it was cancelled"));
    Ok(())
}
