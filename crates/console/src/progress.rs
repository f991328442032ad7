//! The thread that looks at the running stages and draws the bar.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use firesteel_status::StageProgress;
use parking_lot::{Condvar, Mutex};
use tracing::debug;

use crate::{BarState, Console, Draw, ProgressOptions};

/// The progress bar of one application. Stops when it is dropped.
pub struct ConsoleProgress {
    console: Console,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    progress: Mutex<Progress>,
    stopped: Condvar,
}

#[derive(Default)]
struct Progress {
    bar: BarState,
    is_stopped: bool,
}

/// The progress bar could not be started.
#[derive(Debug, thiserror::Error)]
#[error("could not start the thread of the progress bar")]
pub struct StartProgressError(#[from] io::Error);

impl ConsoleProgress {
    /// Draws the stages that `stages` returns, until [`Self::stop`].
    pub fn start(
        console: &Console,
        options: ProgressOptions,
        stages: impl FnMut() -> Vec<StageProgress> + Send + 'static,
    ) -> Result<Self, StartProgressError> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("console-progress".to_owned()).spawn({
            let (console, shared) = (console.clone(), Arc::clone(&shared));
            move || run(&console, options, stages, &shared)
        })?;
        Ok(Self { console: console.clone(), shared, thread: Mutex::new(Some(thread)) })
    }

    /// Takes the bar off the screen because a job has ended, before its caller prints anything.
    pub fn job_ended(&self) {
        let mut progress = self.shared.progress.lock();
        if progress.bar.job_ended(now_ms()) == Draw::Erase {
            // The thread, too, ends without a word if the terminal is gone.
            let _ = self.console.set_bar("");
        }
    }

    /// Takes the bar off the screen for good. A second call does nothing.
    pub fn stop(&self) {
        self.shared.progress.lock().is_stopped = true;
        self.shared.stopped.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // The thread panics only if `stages` does, and that was reported by the panic hook.
            let _ = thread.join();
            let _ = self.console.set_bar("");
        }
    }
}

impl Drop for ConsoleProgress {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(console: &Console, options: ProgressOptions, mut stages: impl FnMut() -> Vec<StageProgress>, shared: &Shared) {
    let mut progress = shared.progress.lock();
    while !progress.is_stopped {
        let next = Instant::now() + options.update_interval;
        let width = options.width.unwrap_or_else(|| console.width());
        let drawn = match progress.bar.tick(now_ms(), &stages(), width, options.first_delay) {
            Draw::Nothing => Ok(()),
            Draw::Erase => console.set_bar(""),
            Draw::Line(line) => console.set_bar(&line),
        };
        if let Err(error) = drawn {
            debug!(%error, "the terminal is gone: the progress bar ends");
            return;
        }
        while !progress.is_stopped && !shared.stopped.wait_until(&mut progress, next).timed_out() {}
    }
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
