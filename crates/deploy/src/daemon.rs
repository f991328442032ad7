//! What all daemons have in common: logs, a runtime, and an end.

use std::{future::Future, io};

use firesteel_conf::{LogLevel, SparkConf, keys};
use firesteel_console::say;
use firesteel_model::error_chain;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};
use tracing::level_filters::LevelFilter;

use crate::refusal::Refusal;

/// How many threads a daemon's connections share; it has others only for what blocks.
const THREADS: usize = 2;

/// Runs a command to its exit code: what is wrong is said, with the usage if it was the command line.
pub(crate) fn report(result: Result<u8, Refusal>, usage: &str) -> u8 {
    match result {
        Ok(code) => code,
        Err(refusal) => {
            say(format_args!("Error: {}", error_chain(&refusal)));
            if let Refusal::Usage(_) = refusal {
                say(usage);
            }
            1
        }
    }
}

/// Log lines go to standard error, from `INFO` on unless `spark.log.level` says something else: a daemon's log is all that it has
/// to say.
pub(crate) fn start_logging(conf: &SparkConf) -> Result<(), Refusal> {
    let filter = match conf.get(&keys::LOG_LEVEL)?.unwrap_or(LogLevel::Info) {
        LogLevel::All | LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    };
    tracing_subscriber::fmt()
        .with_max_level(filter)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(io::stderr)
        .init();
    Ok(())
}

/// Runs a daemon in a runtime of its own.
pub(crate) fn run<T>(daemon: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let runtime = runtime.map_err(|error| Refusal::Start(format!("no threads can be had: {error}")))?;
    let result = runtime.block_on(daemon);
    runtime.shutdown_background();
    result
}

/// Waits until somebody wants the process to end; the exit code that it then has, as a shell would see it.
pub(crate) async fn told_to_end() -> Result<u8, Refusal> {
    let failed = |error: io::Error| Refusal::Start(format!("signals cannot be heard: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (name, code) = tokio::select! {
        _ = terminate.recv() => ("SIGTERM", 143),
        _ = interrupt.recv() => ("SIGINT", 130),
    };
    tracing::info!("{name}: the daemon ends");
    Ok(code)
}

/// Runs a command that asks something in this thread alone.
pub(crate) fn run_alone<T>(command: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Refusal::Start(format!("no runtime can be had: {error}")))?;
    runtime.block_on(command)
}
