//! Where log lines go, and from which level on.

use std::{io, sync::OnceLock};

use firesteel_conf::{ConfError, LogLevel, SparkConf, keys};
use firesteel_console::Console;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Registry,
    fmt::{self, writer::BoxMakeWriter},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::context::SparkContext;

/// By which the level of what was set up here is changed. None if nothing was.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Sends log lines to the console, past the progress bar, or to standard error if there is none; from the level that
/// `spark.log.level` says, else from `WARN`. A program that has set up logging by itself keeps its own.
pub(crate) fn start(conf: &SparkConf, console: Option<Console>) -> Result<(), ConfError> {
    let level = conf.get(&keys::LOG_LEVEL)?;
    if LEVEL.get().is_some() {
        // A context before this one has set it up.
        if let Some(level) = level {
            change_level(level);
        }
        return Ok(());
    }
    let (filter, handle) = reload::Layer::new(filter(level.unwrap_or(LogLevel::Warn)));
    let writer = match console {
        Some(console) => BoxMakeWriter::new(move || console.line_writer()),
        None => BoxMakeWriter::new(io::stderr),
    };
    // A line that cannot be written is lost, and no more: the subscriber would report it by `eprintln!`, which panics.
    let lines = fmt::layer().with_target(true).with_ansi(false).log_internal_errors(false).with_writer(writer);
    // An error means that the program has set up its own.
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = LEVEL.set(handle);
    }
    Ok(())
}

impl SparkContext {
    /// Has this process log from a level on. Executors that are processes of their own keep theirs, as in Spark. False if the program
    /// has set up logging by itself, which is left alone.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::LogLevel;
    ///
    /// assert!(spark.set_log_level(LogLevel::Error));
    /// ```
    pub fn set_log_level(&self, level: LogLevel) -> bool {
        change_level(level)
    }
}

fn change_level(level: LogLevel) -> bool {
    LEVEL.get().is_some_and(|handle| handle.reload(filter(level)).is_ok())
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::All | LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    }
}
