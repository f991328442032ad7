//! Stops the application when its program leaves by `std::process::exit`: Spark's shutdown hook.
//!
//! Then no destructor runs and no `main` returns, so the event log would stay unfinished and the scratch directories would
//! stay. The C library calls what was registered with `atexit` on the thread that leaves, whose thread-local values are gone
//! by then. The context is therefore stopped on a thread of its own, and waited for with what needs no such values.
//!
//! Its own module because it is the only place that needs unsafe code.

#![expect(
    unsafe_code,
    reason = "no safe call registers what is to be done when the process ends, nor ends it without that"
)]

use std::{
    process,
    sync::{
        Arc, Condvar, Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tracing::warn;

use crate::{context, end_line, launch};

/// A process that is told to end must end. Listeners have 10 s to write what they hold, and executors end at once.
const STOP_TIME_OUT: Duration = Duration::from_secs(30);

/// Nothing is to be stopped any more.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Has the context stopped when this process ends. Further calls do nothing.
pub(crate) fn stop_at_exit() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the handler is a function without arguments of the C calling convention. It does not unwind: what it calls
        // locks and waits, and the context is stopped on another thread, whose panics stay there.
        if unsafe { libc::atexit(at_exit) } != 0 {
            warn!("the context will not be stopped if the program calls std::process::exit");
        }
    });
}

/// Ends this process, whose context has been stopped, or did not start in time and is not waited for once more.
pub(crate) fn after_stop(code: i32) -> ! {
    STOPPED.store(true, Ordering::Relaxed);
    process::exit(code);
}

/// Ends this process, whatever it is at. It may be in [`process::exit`] already, which lets one thread through and has others wait
/// for ever.
pub(crate) fn at_once(code: i32) -> ! {
    // SAFETY: it takes a number and does not return. No destructor and no handler runs, on which nothing here relies for its safety.
    unsafe { libc::_exit(code) }
}

extern "C" fn at_exit() {
    if STOPPED.load(Ordering::Relaxed) || !(context::is_active() || end_line::is_held()) {
        return;
    }
    let stopped = Arc::new((Mutex::new(false), Condvar::new()));
    let tell = Tell(Arc::clone(&stopped));
    let stopping = thread::Builder::new().name("shutdown-hook".to_owned()).spawn(move || {
        let _tell = tell;
        // The code that the process ends with is not known here.
        context::stop_active("the exit of the process", None);
        end_line::print_held(None);
        launch::remove_fetched_executable();
    });
    // Without a thread everything is left as it is.
    if stopping.is_ok() {
        let lock = stopped.0.lock().unwrap_or_else(PoisonError::into_inner);
        // In time or not, the process ends.
        drop(stopped.1.wait_timeout_while(lock, STOP_TIME_OUT, |stopped| !*stopped));
    }
}

/// Ends the wait when it is dropped, also when stopping panics.
struct Tell(Arc<(Mutex<bool>, Condvar)>);

impl Drop for Tell {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        process::{Command, Stdio},
    };

    use super::*;

    /// Set in the process that is to end.
    const ENDING: &str = "FIRESTEEL_TEST_ENDING";

    static EXITING: AtomicBool = AtomicBool::new(false);

    extern "C" fn exit_slowly() {
        EXITING.store(true, Ordering::Release);
        // SAFETY: it takes a number. So long does the test last if it fails.
        unsafe { libc::sleep(60) };
    }

    #[test]
    fn at_once_ends_a_process_that_is_ending_already() {
        if env::var_os(ENDING).is_some() {
            // SAFETY: the handler is a function without arguments of the C calling convention, and does not unwind.
            assert_eq!(unsafe { libc::atexit(exit_slowly) }, 0);
            thread::spawn(|| process::exit(7));
            while !EXITING.load(Ordering::Acquire) {
                thread::yield_now();
            }
            at_once(9);
        }
        let this = "exit::tests::at_once_ends_a_process_that_is_ending_already";
        let mut again = Command::new(env::current_exe().unwrap());
        let ended = again.args(["--exact", this]).env(ENDING, "1").stdout(Stdio::null()).status().unwrap();
        assert_eq!(ended.code(), Some(9));
    }
}
