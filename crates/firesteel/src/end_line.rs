//! When the line at the end of a run is printed, and what it says of how the application ended.
//!
//! A context mostly ends with the function that made it, as its last handle is dropped; with which exit code the application
//! ends is known later, to [`main`](crate::main). The line of such a context is held until then, as it is to say whether the
//! application failed.

use std::time::{SystemTime, UNIX_EPOCH};

use firesteel_console::{Console, end_line};
use firesteel_status::ApplicationSummary;
use parking_lot::Mutex;

/// When the line is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndLine {
    /// When the context has stopped.
    Now,
    /// When the exit code is known, if somebody will know it.
    WithExitCode,
}

/// A line to be printed, and where.
pub(crate) struct EndOfRun {
    pub(crate) console: Console,
    pub(crate) summary: ApplicationSummary,
    /// What the numbers do not tell.
    pub(crate) remarks: Vec<String>,
}

struct State {
    /// An application runs below `main`, which will say how it ended.
    below_main: bool,
    held: Option<EndOfRun>,
}

static STATE: Mutex<State> = Mutex::new(State { below_main: false, held: None });

/// Whoever calls this calls [`application_ended`] too.
pub(crate) fn application_begins() {
    STATE.lock().below_main = true;
}

/// The application has ended; prints the line that was held for that.
pub(crate) fn application_ended(exit_code: i32) {
    STATE.lock().below_main = false;
    print_held(Some(exit_code));
}

/// Is there a line that is still to be printed?
pub(crate) fn is_held() -> bool {
    STATE.lock().held.is_some()
}

/// Prints the line that is held, if there is one.
pub(crate) fn print_held(exit_code: Option<i32>) {
    let held = STATE.lock().held.take();
    if let Some(mut run) = held {
        run.summary.exit_code = run.summary.exit_code.or(exit_code);
        run.print();
    }
}

/// The run has ended: prints its line, or holds it.
pub(crate) fn ended(run: EndOfRun, when: EndLine) {
    let mut state = STATE.lock();
    if when == EndLine::WithExitCode && state.below_main && run.summary.exit_code.is_none() {
        state.held = Some(run);
    } else {
        drop(state);
        run.print();
    }
}

impl EndOfRun {
    fn print(&self) {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        let mut line = end_line(&self.summary, now_ms);
        for remark in &self.remarks {
            line.push_str(", ");
            line.push_str(remark);
        }
        // Nobody is told less if standard error is closed.
        let _ = self.console.print_line(&line);
    }
}
