//! Tasks that take custom resources.

use firesteel::SparkContext;
use firesteel_e2e::{Gates, wait_until};

use super::{Scenario, setting, task};

pub(super) const SCENARIOS: &[(&str, Scenario)] =
    &[("tasks-at-once", tasks_at_once), ("addresses-of-their-own", addresses_of_their_own)];

/// So many tasks, which end only when all of them run; each tells what it may use.
fn tasks_at_once(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    for resource in spark.resources().values() {
        println!("driver {} {:?}", resource.name, resource.addresses);
    }
    let tasks: u32 = setting(spark, "tasks")?.parse()?;
    let parts = spark.range(0, i64::from(tasks), 1, tasks).with((gates.clone(), tasks));
    let used = parts.map_partitions_with_index(|(gates, tasks), index, _| {
        gates.announce(&format!("task-{index}"));
        wait_until("all tasks to run at once", || {
            (0..*tasks).all(|index| gates.arrived(&format!("task-{index}")).is_some()).then_some(())
        });
        [format!("cpus {} {}", task().cpus(), task().resources_json())]
    });
    let mut used = used.collect()?;
    used.sort_unstable();
    for line in used {
        println!("{line}");
    }
    Ok(())
}

/// More tasks than there are GPUs. A task that finds another one at its GPU fails.
fn addresses_of_their_own(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let parts = spark.range(0, 20, 1, 20).with(gates.clone());
    let used = parts.map_partitions(|gates, records| {
        let gpu = task().resource("gpu").expect("a GPU was asked for").clone();
        let [address] = &gpu.addresses[..] else { panic!("one address: {gpu:?}") };
        let name = format!("gpu-{address}");
        assert!(gates.announce(&name), "two tasks use {name}");
        let count = records.count();
        gates.withdraw(&name);
        (0..count).map(|_| gpu.addresses[0].clone()).collect::<Vec<_>>()
    });
    let mut used = used.collect()?;
    println!("tasks {}", used.len());
    used.sort_unstable();
    used.dedup();
    println!("addresses {used:?}");
    Ok(())
}
