//! The scenarios by name.

mod barrier;
mod broadcasts;
mod caches;
mod cancel;
mod checkpoints;
mod dynamic_allocation;
mod encryption;
mod exclusion;
mod files;
mod losses;
mod pressure;
mod resource_profiles;
mod resources;
mod results;
mod retries;
mod shares;
mod shuffles;
mod speculation;
mod stores;
mod tasks;

use firesteel::SparkContext;
use firesteel_e2e::{Gates, wait_until};
use firesteel_executor::TaskContext;

/// What an application does with its context.
pub(crate) type Scenario = fn(&SparkContext, &Gates) -> anyhow::Result<()>;

/// The scenario of a name.
pub(crate) fn find(name: &str) -> Option<Scenario> {
    let all = [
        barrier::SCENARIOS,
        broadcasts::SCENARIOS,
        caches::SCENARIOS,
        cancel::SCENARIOS,
        checkpoints::SCENARIOS,
        dynamic_allocation::SCENARIOS,
        encryption::SCENARIOS,
        exclusion::SCENARIOS,
        files::SCENARIOS,
        losses::SCENARIOS,
        pressure::SCENARIOS,
        resource_profiles::SCENARIOS,
        resources::SCENARIOS,
        results::SCENARIOS,
        retries::SCENARIOS,
        shares::SCENARIOS,
        shuffles::SCENARIOS,
        speculation::SCENARIOS,
        stores::SCENARIOS,
        tasks::SCENARIOS,
    ];
    all.into_iter().flatten().copied().find(|(known, _)| *known == name).map(|(_, scenario)| scenario)
}

/// The task that runs on this thread.
fn task() -> std::sync::Arc<TaskContext> {
    TaskContext::get().expect("a task runs")
}

/// Waits until the gate is open, as code does that looks whether its task was killed.
fn wait_unless_killed(gates: &Gates, name: &str) {
    let task = task();
    wait_until(&format!("gate {name} to open"), || {
        task.end_if_killed();
        gates.is_open(name).then_some(())
    });
}

/// What a test sets for a scenario, `spark.e2e.NAME`.
fn setting<'a>(spark: &'a SparkContext, name: &str) -> anyhow::Result<&'a str> {
    let value = spark.conf().get_raw(&format!("spark.e2e.{name}"));
    value.ok_or_else(|| anyhow::anyhow!("the scenario needs spark.e2e.{name}"))
}
