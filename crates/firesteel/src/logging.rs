//! Where log lines go, and from which level on.

use std::{io, sync::OnceLock};

use firesteel_conf::{ConfError, LogLevel, SparkConf, keys};
use firesteel_console::Console;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format},
};

use crate::{context::SparkContext, error::SparkError};

/// Changes the level from which on this process logs, if that is ours to say.
static CHANGE: OnceLock<Box<dyn Fn(LevelFilter) + Send + Sync>> = OnceLock::new();

/// Sends log lines to the console, past the progress bar, or to standard error if there is none; from the level that
/// `spark.log.level` says, else from `WARN`. A program that has set up logging by itself keeps its own.
pub(crate) fn start(conf: &SparkConf, console: Option<Console>) -> Result<(), ConfError> {
    let level = level_filter(conf.get(&keys::LOG_LEVEL)?.unwrap_or(LogLevel::Warn));
    match (CHANGE.get(), console) {
        // Another context of this process has set it up.
        (Some(change), _) => change(level),
        (None, Some(console)) => start_to(level, move || console.line_writer()),
        (None, None) => start_to(level, io::stderr),
    }
    Ok(())
}

fn start_to<W>(level: LevelFilter, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A line that cannot be written is lost, and no more: the subscriber would report it by `eprintln!`, which panics.
    let builder = tracing_subscriber::fmt()
        .with_target(true)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(writer)
        .with_env_filter(filter(level))
        .with_filter_reloading();
    let handle: tracing_subscriber::reload::Handle<
        EnvFilter,
        tracing_subscriber::fmt::Formatter<_, format::Format, W>,
    > = builder.reload_handle();
    // An error means that the program has set up its own.
    if builder.try_init().is_ok() {
        // That fails only when the subscriber is gone, which is the process's.
        let _ = CHANGE.set(Box::new(move |level| drop(handle.reload(filter(level)))));
    }
}

fn filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::default().add_directive(level.into())
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::All | LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    }
}

impl SparkContext {
    /// Sets from which level on the driver logs, whatever `spark.log.level` says: `ALL`, `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR`,
    /// `FATAL` or `OFF`, in any case. Executors that are processes keep theirs, as in Spark. False if the program has set up
    /// logging by itself, which then stays as it is.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if there is no such level.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(spark.set_log_level("error")?);
    /// assert!(spark.set_log_level("LOUD").is_err());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn set_log_level(&self, level: &str) -> Result<bool, SparkError> {
        const LEVELS: [(&str, LogLevel); 8] = [
            ("ALL", LogLevel::All),
            ("TRACE", LogLevel::Trace),
            ("DEBUG", LogLevel::Debug),
            ("INFO", LogLevel::Info),
            ("WARN", LogLevel::Warn),
            ("ERROR", LogLevel::Error),
            ("FATAL", LogLevel::Fatal),
            ("OFF", LogLevel::Off),
        ];
        let upper = level.to_uppercase();
        let known = LEVELS.iter().find(|(name, _)| *name == upper).map(|(_, level)| *level);
        let level = known.ok_or_else(|| {
            let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
            SparkError::InvalidArgument(format!("Supplied level {upper} did not match one of: {}", names.join(",")))
        })?;
        let change = CHANGE.get();
        change.inspect(|change| change(level_filter(level)));
        Ok(change.is_some())
    }
}
