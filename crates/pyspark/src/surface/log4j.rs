//! The levels of log4j, by its first interface and its second, as far as programs make Spark quieter by them.
//!
//! There is one log here, whose lines are what Spark's own packages would write. So the level of the root, of `org`, `org.apache` and
//! `org.apache.spark` is the log's own; nothing is logged under other names, whose levels are only remembered. What a program logs by a
//! logger goes to the log.

use std::collections::BTreeMap;

use firesteel_py4j::{Class, Failure, Member, Object, Value, method, static_field, static_method};
use parking_lot::Mutex;

use super::{JavaCall, JavaResult, job_control::log_level};
use crate::driver::Driver;

const LEVEL_1: &str = "org.apache.log4j.Level";
const LOGGER_1: &str = "org.apache.log4j.Logger";
const LEVEL_2: &str = "org.apache.logging.log4j.Level";
const LOGGER_2: &str = "org.apache.logging.log4j.Logger";

/// Those whose level is that of the log.
const OWN: [&str; 4] = ["", "org", "org.apache", "org.apache.spark"];

/// The levels that the program has set, by logger.
static LEVELS: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());

struct Level {
    class: &'static str,
    name: &'static str,
}

struct Logger {
    class: &'static str,
    name: String,
}

impl Object for Level {
    fn class(&self) -> &'static str {
        self.class
    }

    fn to_java_string(&self) -> String {
        self.name.to_owned()
    }
}

impl Object for Logger {
    fn class(&self) -> &'static str {
        self.class
    }
}

macro_rules! levels {
    ($class:expr) => {
        [
            static_field("ALL", |_| level($class, "ALL")),
            static_field("TRACE", |_| level($class, "TRACE")),
            static_field("DEBUG", |_| level($class, "DEBUG")),
            static_field("INFO", |_| level($class, "INFO")),
            static_field("WARN", |_| level($class, "WARN")),
            static_field("ERROR", |_| level($class, "ERROR")),
            static_field("FATAL", |_| level($class, "FATAL")),
            static_field("OFF", |_| level($class, "OFF")),
            static_method("toLevel", 1, |call| level($class, named(call.text(0)?).unwrap_or("DEBUG"))),
        ]
    };
}

const LOGGER_MEMBERS: &[Member<Driver>] = &[
    method("getName", 0, |call| Ok(Value::text(call.this::<Logger>()?.name.as_str()))),
    method("getLevel", 0, |call| {
        let logger = call.this::<Logger>()?;
        let set = LEVELS.lock().get(&logger.name).copied();
        set.map_or(Ok(Value::Null), |name| level(if logger.class == LOGGER_1 { LEVEL_1 } else { LEVEL_2 }, name))
    }),
    method("trace", 1, |call| log(call, "TRACE")),
    method("debug", 1, |call| log(call, "DEBUG")),
    method("info", 1, |call| log(call, "INFO")),
    method("warn", 1, |call| log(call, "WARN")),
    method("error", 1, |call| log(call, "ERROR")),
    method("fatal", 1, |call| log(call, "FATAL")),
];

const COMMON: &str = "org.apache.log4j.Category";

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class { name: LEVEL_1, extends: &[], members: &levels!(LEVEL_1) },
    Class { name: LEVEL_2, extends: &[], members: &levels!(LEVEL_2) },
    Class { name: COMMON, extends: &[], members: LOGGER_MEMBERS },
    Class {
        name: LOGGER_1,
        extends: &[COMMON],
        members: &[
            static_method("getLogger", 1, |call| logger(LOGGER_1, call.text(0)?)),
            static_method("getRootLogger", 0, |_| logger(LOGGER_1, "")),
            method("setLevel", 1, |call| set_level(call, &call.this::<Logger>()?.name, 0)),
        ],
    },
    Class { name: LOGGER_2, extends: &[COMMON], members: &[] },
    Class {
        name: "org.apache.log4j.LogManager",
        extends: &[],
        members: &[
            static_method("getLogger", 1, |call| logger(LOGGER_1, call.text(0)?)),
            static_method("getRootLogger", 0, |_| logger(LOGGER_1, "")),
        ],
    },
    Class {
        name: "org.apache.logging.log4j.LogManager",
        extends: &[],
        members: &[
            static_method("getLogger", 1, |call| logger(LOGGER_2, call.text(0)?)),
            static_method("getRootLogger", 0, |_| logger(LOGGER_2, "")),
        ],
    },
    Class {
        name: "org.apache.logging.log4j.core.config.Configurator",
        extends: &[],
        members: &[
            static_method("setLevel", 2, |call| set_level(call, call.text(0)?, 1)),
            static_method("setRootLevel", 1, |call| set_level(call, "", 0)),
        ],
    },
];

fn level(class: &'static str, name: &'static str) -> JavaResult {
    Ok(Value::object(Level { class, name }))
}

fn logger(class: &'static str, name: &str) -> JavaResult {
    Ok(Value::object(Logger { class, name: name.to_owned() }))
}

fn named(name: &str) -> Option<&'static str> {
    let known = ["ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"];
    known.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

fn set_level(call: &JavaCall<'_>, logger: &str, index: usize) -> JavaResult {
    let name = match call.argument(index).as_object::<Level>() {
        Some(level) => level.name,
        // By the second interface it may be a text.
        None => named(call.text(index)?).ok_or_else(|| call.wrong(index, "a level"))?,
    };
    LEVELS.lock().insert(logger.to_owned(), name);
    if OWN.contains(&logger) {
        change(call, name)?;
    }
    Ok(Value::Void)
}

/// Sets the level of the log, which begins with the application.
fn change(call: &JavaCall<'_>, name: &str) -> Result<(), Failure> {
    let Some(application) = call.state.application() else {
        return Err(Failure::NotCalled(
            "the level of the log can only be set while a SparkContext runs; set spark.log.level for before".to_owned(),
        ));
    };
    let level = log_level(name).ok_or_else(|| Failure::NotCalled(format!("the log has no level {name}")))?;
    application.context().set_log_level(level);
    Ok(())
}

/// A line of the program's own.
fn log(call: &JavaCall<'_>, level: &str) -> JavaResult {
    let (logger, message) = (&call.this::<Logger>()?.name, call.argument(0).to_java_string());
    match level {
        "TRACE" => tracing::trace!(target: "python", logger, "{message}"),
        "DEBUG" => tracing::debug!(target: "python", logger, "{message}"),
        "INFO" => tracing::info!(target: "python", logger, "{message}"),
        "WARN" => tracing::warn!(target: "python", logger, "{message}"),
        _ => tracing::error!(target: "python", logger, "{message}"),
    }
    Ok(Value::Void)
}
