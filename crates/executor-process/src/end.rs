//! What the end of an executor means.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::ExitStatus,
};

use firesteel_model::ExecutorLossReason;
use rustix::process::Signal;

/// How much of an executor's stderr goes into the reason of its loss.
const LAST_LINES: usize = 5;

/// What the end of an executor means. `last` is what it has written last to its standard error. `oom_killed` tells that the kernel has
/// ended a process of the control group while this one ran.
pub fn exit_reason(status: io::Result<ExitStatus>, last: &[String], oom_killed: bool) -> ExecutorLossReason {
    let (exit_code, signal) = match status {
        Ok(status) => (status.code(), status.signal()),
        Err(_) => (None, None),
    };
    let caused_by_app = !matches!(exit_code, Some(53 | 56));
    let mut known = Vec::new();
    if oom_killed && signal == Some(Signal::KILL.as_raw()) {
        known.push("the kernel has ended processes of the control group for lack of memory while it ran".to_owned());
    }
    if last.iter().any(|line| line.contains("has overflowed its stack")) {
        known.push(
            "a task's closures recurse too deep for its stack; recurse less deep, or set spark.executorEnv.RUST_MIN_STACK to a \
             stack's bytes, which are 8 MiB by default"
                .to_owned(),
        );
    }
    if last.iter().any(|line| line.starts_with("memory allocation of ")) {
        known.push("a task's closures asked for more memory than there is in one piece".to_owned());
    }
    if !last.is_empty() {
        known.push(format!("its last words: {}", last.join(" | ")));
    }
    let detail = known.join("; ");
    ExecutorLossReason::Exited { exit_code, signal, caused_by_app, detail }
}

/// The last lines of a log, without reading more of it than they can be in.
///
/// # Errors
///
/// It cannot be read.
pub fn last_lines(path: &Path) -> io::Result<Vec<String>> {
    const TAIL: u64 = 4 << 10;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    Ok(lines[first..].iter().map(|line| (*line).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_reason_of_an_end_names_the_kernels_killer_only_for_what_it_may_have_killed() {
        let last = ["one".to_owned(), "two".to_owned()];
        let reason = |status, oom| exit_reason(Ok(ExitStatus::from_raw(status)), &last, oom).to_string();
        assert!(reason(9, true).ends_with("for lack of memory while it ran; its last words: one | two"));
        assert!(
            reason(9, false).ends_with("; its last words: one | two") && !reason(9, false).contains("the kernel has")
        );
        assert_eq!(reason(1 << 8, true), "exited with code 1; its last words: one | two");
    }

    #[test]
    fn the_last_lines_of_a_log_are_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{}\n1\n\n2\n3\n4\n5\n6\n", "x".repeat(10_000))).unwrap();
        assert_eq!(last_lines(file.path()).unwrap(), ["2", "3", "4", "5", "6"]);
    }
}
