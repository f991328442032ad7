//! The scenarios by name.

mod losses;
mod results;
mod shuffles;
mod tasks;

use firesteel::SparkContext;
use firesteel_e2e::Gates;

/// What an application does with its context.
pub(crate) type Scenario = fn(&SparkContext, &Gates) -> anyhow::Result<()>;

/// The scenario of a name.
pub(crate) fn find(name: &str) -> Option<Scenario> {
    let all = [losses::SCENARIOS, results::SCENARIOS, shuffles::SCENARIOS, tasks::SCENARIOS].into_iter().flatten();
    all.copied().find(|(known, _)| *known == name).map(|(_, scenario)| scenario)
}
