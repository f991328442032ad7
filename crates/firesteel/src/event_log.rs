//! Starts the event log: from `spark.eventLog.*` to a listener (UI-30, UI-31).
//!
//! Nothing of it is touched unless `spark.eventLog.enabled` says so. What cannot work (a directory that does not exist, a
//! codec that is not there) ends the start of the application: a log that is missed a day later cannot be written again.

use std::{env, error::Error};

use firesteel_conf::{CompressionCodec as ConfCodec, SparkConf, keys};
use firesteel_event_log::{
    CompressionCodec, EventLogListener, EventLogOptions, RollingOptions, SPARK_VERSION, log_directory,
};
use firesteel_listener_bus::{ListenerBus, QueueName};
use firesteel_model::{ApplicationId, ListenerEvent};

use crate::error::{SparkError, chain};

/// Opens the event log and adds it to the bus, if it is enabled. The bus closes it.
pub(crate) fn start(conf: &SparkConf, app_id: &ApplicationId, bus: &ListenerBus) -> Result<(), SparkError> {
    let Some(options) = options(conf, app_id)? else { return Ok(()) };
    let listener = EventLogListener::open(options).map_err(|error| refused(&error))?;
    bus.add_listener(QueueName::EVENT_LOG, listener).map_err(|error| refused(&error))
}

fn options(conf: &SparkConf, app_id: &ApplicationId) -> Result<Option<EventLogOptions>, SparkError> {
    if !conf.get(&keys::EVENT_LOG_ENABLED)? {
        return Ok(None);
    }
    let compression = match conf.get(&keys::EVENT_LOG_COMPRESS)? {
        true => Some(codec(conf.get(&keys::EVENT_LOG_COMPRESSION_CODEC)?)),
        false => None,
    };
    let rolling = match conf.get(&keys::EVENT_LOG_ROLLING_ENABLED)? {
        true => {
            let size = conf.get(&keys::EVENT_LOG_ROLLING_MAX_FILE_SIZE)?;
            Some(RollingOptions::new(size).map_err(|error| refused(&error))?)
        }
        false => None,
    };
    Ok(Some(EventLogOptions {
        directory: log_directory(&conf.get(&keys::EVENT_LOG_DIR)?).map_err(|error| refused(&error))?,
        app_id: app_id.clone(),
        app_attempt_id: conf.get(&keys::APP_ATTEMPT_ID)?,
        overwrite: conf.get(&keys::EVENT_LOG_OVERWRITE)?,
        buffer_size: conf.get(&keys::EVENT_LOG_BUFFER)?,
        compression,
        rolling,
        log_block_updates: conf.get(&keys::EVENT_LOG_BLOCK_UPDATES)?,
        log_stage_executor_metrics: conf.get(&keys::EVENT_LOG_STAGE_EXECUTOR_METRICS)?,
        include_task_metrics_accumulators: conf.get(&keys::EVENT_LOG_INCLUDE_TASK_METRICS_ACCUMULATORS)?,
        redaction: Some(conf.get(&keys::REDACTION_REGEX)?),
    }))
}

fn codec(codec: ConfCodec) -> CompressionCodec {
    match codec {
        ConfCodec::Zstd => CompressionCodec::Zstd,
        ConfCodec::Lz4 => CompressionCodec::Lz4,
        ConfCodec::Snappy => CompressionCodec::Snappy,
    }
}

/// The error with all its sources: the innermost one is what the user can act on.
fn refused(error: &dyn Error) -> SparkError {
    SparkError::Configuration(format!("the event log cannot be written: {}", chain(error)))
}

/// What the application runs with, for listeners; secrets are hidden (SE-08).
pub(crate) fn environment_update(
    conf: &SparkConf,
    app_id: &ApplicationId,
    app_name: &str,
    master: &str,
) -> Result<ListenerEvent, SparkError> {
    let redactor = conf.redactor()?;
    let mut complete = conf.clone();
    complete.set("spark.app.id", app_id.as_str()).set("spark.app.name", app_name).set("spark.master", master);
    let redacted = |(key, value): (&str, &str)| (key.to_owned(), redactor.redact(key, value).to_owned());
    let mut spark_properties: Vec<_> =
        complete.get_all().filter(|(key, _)| key.starts_with("spark.")).map(redacted).collect();
    spark_properties.sort();
    let runtime = [("Firesteel Version", env!("CARGO_PKG_VERSION")), ("Spark Version", SPARK_VERSION)];
    let directory = env::current_dir().unwrap_or_default();
    let system =
        [("os.name", env::consts::OS), ("os.arch", env::consts::ARCH), ("user.dir", &*directory.to_string_lossy())];
    Ok(ListenerEvent::EnvironmentUpdate {
        runtime: runtime.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        spark_properties,
        system_properties: system.map(redacted).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(settings: &[(&str, &str)]) -> SparkConf {
        settings.iter().copied().collect()
    }

    fn app() -> ApplicationId {
        ApplicationId::new("app-1")
    }

    #[test]
    fn nothing_is_read_unless_it_is_enabled() {
        let conf = conf(&[("spark.eventLog.dir", "hdfs://namenode/logs")]);
        assert!(options(&conf, &app()).unwrap().is_none());
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_cause() {
        let missing = tempfile::tempdir().unwrap().path().join("missing");
        let bus = ListenerBus::new(firesteel_listener_bus::ListenerBusOptions::default());
        for (key, value, expected) in [
            ("spark.eventLog.dir", "hdfs://namenode/logs", "hdfs://namenode/logs"),
            ("spark.eventLog.dir", missing.to_str().unwrap(), missing.to_str().unwrap()),
        ] {
            let conf = conf(&[("spark.eventLog.enabled", "true"), (key, value)]);
            let error = start(&conf, &app(), &bus).unwrap_err().to_string();
            assert!(error.starts_with("the event log cannot be written: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_told() {
        let conf = conf(&[("spark.my.password", "hush"), ("spark.executor.memory", "2g"), ("other", "x")]);
        let event = environment_update(&conf, &app(), "name", "local[2]").unwrap();
        let ListenerEvent::EnvironmentUpdate { spark_properties, .. } = event else { panic!("another event") };
        let shown: Vec<_> = spark_properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let expected = [
            ("spark.app.id", "app-1"),
            ("spark.app.name", "name"),
            ("spark.executor.memory", "2g"),
            ("spark.master", "local[2]"),
            ("spark.my.password", "*********(redacted)"),
        ];
        assert_eq!(shown, expected);
    }
}
