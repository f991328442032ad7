//! Where log lines go.

use std::io;

use firesteel_conf::{ConfError, LogLevel, SparkConf, keys};
use firesteel_console::Console;
use tracing::Level;

/// Sends log lines to the console, past the progress bar, or to standard error if there is none; from the level that
/// `spark.log.level` says, else from `WARN`. A program that has set up logging by itself keeps its own.
pub(crate) fn start(conf: &SparkConf, console: Option<Console>) -> Result<(), ConfError> {
    let level = match conf.get(&keys::LOG_LEVEL)? {
        None | Some(LogLevel::Warn) => Some(Level::WARN),
        Some(LogLevel::All | LogLevel::Trace) => Some(Level::TRACE),
        Some(LogLevel::Debug) => Some(Level::DEBUG),
        Some(LogLevel::Info) => Some(Level::INFO),
        Some(LogLevel::Error | LogLevel::Fatal) => Some(Level::ERROR),
        Some(LogLevel::Off) => None,
    };
    let Some(level) = level else { return Ok(()) };
    // A line that cannot be written is lost, and no more: the subscriber would report it by `eprintln!`, which panics.
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_target(true).with_ansi(false).log_internal_errors(false);
    // An error means that the program has set up its own.
    let _ = match console {
        Some(console) => builder.with_writer(move || console.line_writer()).try_init(),
        None => builder.with_writer(io::stderr).try_init(),
    };
    Ok(())
}
