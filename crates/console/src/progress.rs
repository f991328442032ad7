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
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let thread = thread::Builder::new().name("console-progress".to_owned()).spawn({
            let (console, stop) = (console.clone(), Arc::clone(&stop));
            move || run(&console, options, stages, &stop)
        })?;
        Ok(Self { console: console.clone(), stop, thread: Mutex::new(Some(thread)) })
    }

    /// Takes the bar off the screen for good. A second call does nothing.
    pub fn stop(&self) {
        let (stopped, wake) = &*self.stop;
        *stopped.lock() = true;
        wake.notify_all();
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

fn run(
    console: &Console,
    options: ProgressOptions,
    mut stages: impl FnMut() -> Vec<StageProgress>,
    (stopped, wake): &(Mutex<bool>, Condvar),
) {
    let mut state = BarState::default();
    let mut stopped = stopped.lock();
    while !*stopped {
        let next = Instant::now() + options.update_interval;
        let width = options.width.unwrap_or_else(|| console.width());
        let drawn = match state.tick(now_ms(), &stages(), width, options.first_delay) {
            Draw::Nothing => Ok(()),
            Draw::Erase => console.set_bar(""),
            Draw::Line(line) => console.set_bar(&line),
        };
        if let Err(error) = drawn {
            debug!(%error, "the terminal is gone: the progress bar ends");
            return;
        }
        while !*stopped && !wake.wait_until(&mut stopped, next).timed_out() {}
    }
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
