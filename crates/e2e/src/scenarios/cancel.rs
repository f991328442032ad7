//! Jobs that are cancelled while others run.

use std::thread::{self, JoinHandle};

use anyhow::bail;
use firesteel::{SparkContext, SparkError};
use firesteel_e2e::{Gates, wait_until};

use super::{Scenario, setting, wait_unless_killed};
use crate::ended_tasks::EndedTasks;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[("cancel", cancel)];

/// A job of one task in a group and with a tag, which announces itself and waits at the gate `NAME`.
fn job(
    spark: &SparkContext,
    gates: &Gates,
    name: &'static str,
    tag: &'static str,
    interrupt: bool,
) -> JoinHandle<Result<u64, SparkError>> {
    let (spark, gates) = (spark.clone(), gates.clone());
    thread::spawn(move || {
        spark.set_job_group(name, "a job", interrupt);
        spark.add_job_tag(tag)?;
        let waiting =
            spark.range(0, 10, 1, 1).with((gates, name.to_owned())).map_partitions(|(gates, name), records| {
                gates.announce(name);
                wait_unless_killed(gates, name);
                records
            });
        waiting.count()
    })
}

fn outcome(job: JoinHandle<Result<u64, SparkError>>) -> String {
    match job.join().expect("the thread does not panic") {
        Ok(count) => format!("count {count}"),
        Err(error) => format!("failed: {error}"),
    }
}

/// Of two jobs, one is cancelled, in the way that the test has set; then a job follows in its group.
fn cancel(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let ended = EndedTasks::listen(spark)?;
    let interrupt = setting(spark, "interrupt")? == "true";
    let endless = job(spark, gates, "endless", "night", interrupt);
    wait_until("the job to run", || gates.arrived("endless"));
    let other = job(spark, gates, "other", "day", false);
    let tracker = spark.status_tracker();
    let job_id = wait_until("both jobs to run", || {
        let job_id = *tracker.job_ids_for_group(Some("endless")).first()?;
        gates.arrived("endless").and(gates.arrived("other")).map(|_| job_id)
    });
    let reason = Some("it is late");
    match setting(spark, "way")? {
        "job" => spark.cancel_job(job_id, reason),
        "stage" => {
            let stages = wait_until("the job's stage", || tracker.job_info(job_id)).stage_ids;
            spark.cancel_stage(stages[0], reason);
        }
        "tag" => spark.cancel_jobs_with_tag("night", reason)?,
        "group" => spark.cancel_job_group("endless", None),
        "group-and-future" => spark.cancel_job_group_and_future_jobs("endless", None),
        way => bail!("there is no way {way}"),
    }
    println!("endless {}", outcome(endless));
    let killed = ended.wait_for("the task to end", 1, |ended| ended.task.killed);
    println!("killed {}", killed.len());
    gates.open("other");
    println!("other {}", outcome(other));
    gates.open("endless");
    println!("later {}", outcome(job(spark, gates, "endless", "dawn", interrupt)));
    Ok(())
}
