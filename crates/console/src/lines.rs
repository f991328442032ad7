//! The line at the start of a run and the line at its end.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf, time::Duration};

use firesteel_model::{ApplicationId, ByteCount};
use firesteel_status::ApplicationSummary;

/// What a user wants to know when a run starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFacts {
    /// `spark.app.name`.
    pub app_name: String,
    /// The id its cluster manager gave it.
    pub app_id: ApplicationId,
    /// `spark.master`.
    pub master: String,
    /// How many cores it has, or asked for; none where the cluster decides.
    pub cores: Option<u32>,
    /// The memory of one executor, or of this process in local mode.
    pub memory: ByteCount,
    /// Where scratch files go.
    pub local_dirs: Vec<PathBuf>,
    /// Our version.
    pub version: String,
    /// The address of its pages; none if there are none.
    pub ui: Option<String>,
}

/// One line with the facts of the start.
pub fn start_line(facts: &StartFacts) -> String {
    let cores = match facts.cores {
        Some(1) => "1 core".to_owned(),
        Some(cores) => format!("{cores} cores"),
        None => "all cores it is given".to_owned(),
    };
    let local_dirs: Vec<_> = facts.local_dirs.iter().map(|path| path.display().to_string()).collect();
    format!(
        "Firesteel {}: application {:?} ({}) on {}, {cores}, {} memory, local dir {}, UI {}",
        facts.version,
        facts.app_name,
        facts.app_id,
        facts.master,
        facts.memory,
        if local_dirs.is_empty() { "none".to_owned() } else { local_dirs.join(",") },
        facts.ui.as_deref().unwrap_or("none"),
    )
}

/// One line with what the run took. Parts that are zero and say nothing by that are left out.
pub fn end_line(summary: &ApplicationSummary, now_ms: i64) -> String {
    let mut line = String::new();
    if let Some(name) = &summary.app_name {
        let _ = write!(line, "application {name:?}");
    } else {
        line.push_str("application");
    }
    if let Some(id) = &summary.app_id {
        let _ = write!(line, " ({id})");
    }
    let duration_ms = u64::try_from(summary.duration_ms(now_ms)).unwrap_or(0);
    let _ = write!(line, " took {}", format_duration(Duration::from_millis(duration_ms)));
    if let Some(code) = summary.exit_code.filter(|code| *code != 0) {
        let _ = write!(line, ", exit code {code}");
    }
    let _ = write!(line, ": {}", counted(summary.jobs, "job", &[(summary.failed_jobs, "failed")]));
    let stages = [(summary.failed_stages, "failed"), (summary.skipped_stages, "skipped")];
    let _ = write!(line, ", {}", counted(summary.stages, "stage", &stages));
    let tasks = [(summary.failed_tasks, "failed"), (summary.killed_tasks, "killed")];
    let _ = write!(line, ", {}", counted(summary.tasks, "task", &tasks));
    let totals = &summary.totals;
    let sizes = [
        ("input", totals.input.bytes_read),
        ("output", totals.output.bytes_written),
        ("shuffle written", totals.shuffle_write.bytes_written),
        ("shuffle read", totals.shuffle_read.remote_bytes_read + totals.shuffle_read.local_bytes_read),
        ("spilled to disk", totals.disk_bytes_spilled),
    ];
    for (name, bytes) in sizes.into_iter().filter(|(_, bytes)| *bytes > 0) {
        let _ = write!(line, ", {name} {}", ByteCount(bytes));
    }
    line.push_str(&removals(summary));
    line
}

/// `3 stages (1 failed, 1 skipped)`.
fn counted(count: u64, noun: &str, parts: &[(u64, &str)]) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{count} {noun}{plural}{parts}")
}

/// `, 3 executors removed (2× exited with code 52, connection to the executor closed)`.
fn removals(summary: &ApplicationSummary) -> String {
    if summary.removed_executors == 0 {
        return String::new();
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for removal in &summary.removals {
        *reasons.entry(removal.reason.lines().next().unwrap_or_default()).or_default() += 1;
    }
    let mut parts: Vec<_> = reasons
        .into_iter()
        .map(|(reason, count)| if count == 1 { reason.to_owned() } else { format!("{count}× {reason}") })
        .collect();
    let untold = summary.removed_executors - summary.removals.len() as u64;
    if untold > 0 {
        parts.push(format!("{untold} more"));
    }
    let plural = if summary.removed_executors == 1 { "" } else { "s" };
    format!(", {} executor{plural} removed ({})", summary.removed_executors, parts.join("; "))
}

/// A duration as people say it: `850 ms`, `12.3 s`, `2 min 5 s`, `3 h 2 min`.
pub fn format_duration(duration: Duration) -> String {
    let (ms, seconds) = (duration.as_millis(), duration.as_secs());
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}
