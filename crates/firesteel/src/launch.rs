//! The entry of an application's binary.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs,
    panic::{self, AssertUnwindSafe},
    process::{self, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use firesteel_conf::{FETCHED_VARIABLE, MAIN_CLASS_VARIABLE};
use firesteel_console::say;
use firesteel_executor::ThreadDump;
use firesteel_executor_backend::is_executor;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ},
    iterator::Signals,
};

use crate::{context, end_line, error::chain, executor_process, exit, writing};

/// An application: takes the arguments, less the program's own name. Bytes that are not UTF-8 arrive as U+FFFD, as in Spark;
/// `std::env::args_os` has them as they are.
pub type Application = fn(Vec<String>) -> Result<(), Box<dyn Error>>;

/// The signal that this process was told to end by; 0 if none.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Is SIGINT somebody else's to heed?
static INTERRUPTS_LEFT: AtomicBool = AtomicBool::new(false);

/// Spark's exit code for a main class that cannot be loaded (SS-102).
const NO_SUCH_CLASS: u8 = 101;

/// What the `main` of a binary calls that holds one or more applications.
///
/// `spark-submit --class NAME` picks one by its name; without that, the only one, or the first, runs. The same binary is
/// what executors run: in a process that was started as an executor this function does not return before its end.
///
/// An application that returns an error or panics makes the exit code 1 (RT-82), and its context is stopped; SIGINT,
/// SIGTERM and SIGHUP stop the context too and make it 128 plus the signal's number (SS-107), except for those that were
/// ignored when the process was started, as `nohup` has it. One that calls `std::process::exit` ends with its own code once
/// its context has stopped. SIGQUIT prints what each thread of the process does, and the application goes on.
///
/// ```no_run
/// use std::{error::Error, process::ExitCode};
///
/// use firesteel::{SparkConf, SparkContext};
///
/// fn count_to_ten(_arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
///     let spark = SparkContext::new(&SparkConf::from_launcher()?)?;
///     println!("{}", spark.range(0, 10, 1, 2).count()?);
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     firesteel::main(&[("com.example.CountToTen", count_to_ten)])
/// }
/// ```
pub fn main(applications: &[(&str, Application)]) -> ExitCode {
    show_threads_on_quit();
    // A file larger than `ulimit -f` allows is an error of whoever writes it, as in Java, and no reason to end without a word. What
    // this process starts gets the signal as ever. Fails only for signals that cannot be handled.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    if is_executor() {
        return exit_code(executor_process::run());
    }
    let wanted = env::var(MAIN_CLASS_VARIABLE).ok().filter(|name| !name.is_empty());
    let chosen = match &wanted {
        Some(wanted) => applications.iter().find(|(name, _)| name == wanted),
        None => applications.first(),
    };
    let Some((_, application)) = chosen else {
        let names: Vec<&str> = applications.iter().map(|(name, _)| *name).collect();
        say(format_args!(
            "Error: this program has no application named {}; it has {}",
            wanted.as_deref().unwrap_or("at all"),
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ));
        return ExitCode::from(NO_SUCH_CLASS);
    };
    stop_on_signals();
    end_line::application_begins();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| application(arguments())));
    let code = match outcome {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            say(format_args!("Error: {}", chain(&*error)));
            1
        }
        // The panic hook has printed it.
        Err(_) => 1,
    };
    // What a signal broke off is its end, not the application's failure.
    let code = match SIGNAL.load(Ordering::Relaxed) {
        0 => code,
        signal => 128 + signal,
    };
    // Applications are not asked to stop their context: the end of main does (RT-04).
    context::stop_active("the end of the application's main", Some(code));
    end_line::application_ended(code);
    remove_fetched_executable();
    // A signal that came while the context stopped is its end too.
    match SIGNAL.load(Ordering::Relaxed) {
        0 => exit_code(code),
        signal => exit_code(128 + signal),
    }
}

/// Has SIGINT do nothing to this process from here on. For an application that runs a program of the user's as a child: a terminal
/// sends the signal to both, and it is for the child to say what becomes of it.
///
/// ```
/// firesteel::leave_interrupts();
/// let program = std::process::Command::new("sh").args(["-c", "exit 3"]).status()?;
/// assert_eq!(program.code(), Some(3));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn leave_interrupts() {
    INTERRUPTS_LEFT.store(true, Ordering::Relaxed);
}

/// The application's own arguments, and a warning for each that is not what it was.
fn arguments() -> Vec<String> {
    let text = |(index, word): (usize, OsString)| {
        word.into_string().unwrap_or_else(|word| {
            let text = word.to_string_lossy().into_owned();
            let place = index + 1;
            say(format_args!("Warning: argument {place} is not UTF-8; the application gets {text:?}"));
            text
        })
    };
    env::args_os().skip(1).enumerate().map(text).collect()
}

/// Removes this program if `spark-submit` has fetched it for this one run (SS-81). Not before executors have ended: they are
/// processes of the same file. The variable is inherited by whatever programs the application starts, so it counts only for
/// the program that it names.
pub(crate) fn remove_fetched_executable() {
    let Some(fetched) = env::var_os(FETCHED_VARIABLE) else { return };
    if let Ok(path) = env::current_exe()
        && path.as_os_str() == fetched
    {
        // What cannot be removed is left to whoever cleans the local directories.
        let _ = fs::remove_file(&path);
        let _ = path.parent().map(fs::remove_dir);
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Signals that come so soon after the first say the same.
const ONE_WISH: Duration = Duration::from_secs(1);

/// Is the signal ignored? `nohup` starts processes so, and shells those in the background; a JVM leaves it at that.
fn is_ignored(signal: i32, process_status: &str) -> bool {
    let mask = process_status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Has SIGQUIT (`kill -3`, Ctrl-\) show what the threads of this process do, as it does of a JVM.
fn show_threads_on_quit() {
    let Ok(mut signals) = Signals::new([SIGQUIT]) else { return };
    // Without the thread, the signal does nothing.
    let _ = thread::Builder::new().name("thread-dump".to_owned()).spawn(move || {
        for _ in signals.forever() {
            say(thread_dump());
        }
    });
}

fn thread_dump() -> String {
    let mut text = format!("Full thread dump of Firesteel {}, process {}:", env!("CARGO_PKG_VERSION"), process::id());
    match ThreadDump::of_all() {
        Ok(threads) => threads.iter().for_each(|thread| text.push_str(&format!("\n{thread}"))),
        Err(error) => text.push_str(&format!("\ncould not read the threads in /proc: {error}")),
    }
    text
}

/// Ends the application in good order when it is told to end: executors stop, listeners write what they hold.
fn stop_on_signals() {
    // Where the kernel does not say, none is.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let heeded = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal, &status));
    let Ok(mut signals) = Signals::new(heeded) else { return };
    // Without the thread, signals end the process at once, and executors by their lost connection.
    let _ = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let heeded = |signal: &i32| *signal != SIGINT || !INTERRUPTS_LEFT.load(Ordering::Relaxed);
        let Some(signal) = signals.forever().find(heeded) else { return };
        SIGNAL.store(signal, Ordering::Relaxed);
        let first = Instant::now();
        // A second signal is one too many: it ends the process at once. But `timeout` and shells tell a process and then its
        // group, which are one wish.
        thread::spawn(move || {
            if let Some(signal) = signals.forever().find(|signal| heeded(signal) && first.elapsed() > ONE_WISH) {
                exit::at_once(128 + signal);
            }
        });
        context::stop_active(&format!("signal {signal}"), Some(128 + signal));
        if !writing::wait_for_jobs() {
            say("an output is still being removed; what is left of it has a directory _temporary in it");
        }
        end_line::print_held(Some(128 + signal));
        remove_fetched_executable();
        exit::after_stop(128 + signal);
    });
}
