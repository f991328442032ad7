//! Naming and cancelling jobs, by the thread of the program that starts them.

use firesteel::{InheritedLocalProperties, LogLevel, SparkContext};
use firesteel_model::property;
use firesteel_py4j::{Class, Failure, JavaSet, Object, Throwable, Value, method};

use super::{
    JavaCall, JavaResult,
    context::{application, done},
};
use crate::{call_site, driver::Driver, error::ILLEGAL_ARGUMENT, error_text};

const LOG_LEVELS: [(&str, LogLevel); 8] = [
    ("ALL", LogLevel::All),
    ("DEBUG", LogLevel::Debug),
    ("ERROR", LogLevel::Error),
    ("WARN", LogLevel::Warn),
    ("INFO", LogLevel::Info),
    ("OFF", LogLevel::Off),
    ("FATAL", LogLevel::Fatal),
    ("TRACE", LogLevel::Trace),
];

/// The level of that name, in any case.
pub(super) fn log_level(name: &str) -> Option<LogLevel> {
    LOG_LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
}

/// The properties of a thread as they were when it was asked for them. They never change, so a clone is the same.
struct Properties(InheritedLocalProperties);

impl Object for Properties {
    fn class(&self) -> &'static str {
        CLASSES[0].name
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[Class {
    name: "java.util.Properties",
    extends: &[],
    members: &[method("clone", 0, |call| {
        call.this::<Properties>()?;
        Ok(call.this_value())
    })],
}];

/// What a thread that PySpark makes inherits.
pub(super) fn get_local_properties(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(Properties(application(call)?.context().inherit_local_properties())))
}

pub(super) fn set_local_properties(call: &JavaCall<'_>) -> JavaResult {
    application(call)?;
    call.object::<Properties>(0)?.0.take_over();
    Ok(Value::Void)
}

/// The level of this process, which is that of executors too only in local mode.
pub(super) fn set_log_level(call: &JavaCall<'_>) -> JavaResult {
    let text = call.text(0)?;
    let Some(level) = log_level(text) else {
        let names: Vec<_> = LOG_LEVELS.iter().map(|(name, _)| *name).collect();
        let message = format!("requirement failed: Supplied level {text} did not match one of: {}", names.join(","));
        return Err(Throwable::new(ILLEGAL_ARGUMENT, message).into());
    };
    application(call)?.context().set_log_level(level);
    Ok(Value::Void)
}

pub(super) fn set_call_site(call: &JavaCall<'_>) -> JavaResult {
    call_site::set(application(call)?.context(), call.optional_text(0)?);
    Ok(Value::Void)
}

pub(super) fn set_local_property(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().set_local_property(call.text(0)?, call.optional_text(1)?);
    Ok(Value::Void)
}

pub(super) fn get_local_property(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::optional_text(application(call)?.context().local_property(call.text(0)?)))
}

pub(super) fn set_job_description(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().set_local_property(property::JOB_DESCRIPTION, call.optional_text(0)?);
    Ok(Value::Void)
}

pub(super) fn set_job_group(call: &JavaCall<'_>) -> JavaResult {
    let (group, description) = (call.optional_text(0)?, call.optional_text(1)?);
    set_job_group_of(application(call)?.context(), group, description, call.bool(2)?);
    Ok(Value::Void)
}

/// Python's `None` takes the property away.
pub(super) fn set_job_group_of(
    context: &SparkContext,
    group: Option<&str>,
    description: Option<&str>,
    interrupt_on_cancel: bool,
) {
    context.set_local_property(property::JOB_GROUP, group);
    context.set_local_property(property::JOB_DESCRIPTION, description);
    context.set_local_property(property::INTERRUPT_ON_CANCEL, Some(truth(interrupt_on_cancel)));
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

pub(super) fn set_interrupt_on_cancel(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().set_local_property(property::INTERRUPT_ON_CANCEL, Some(truth(call.bool(0)?)));
    Ok(Value::Void)
}

/// The first argument, which must be what a job can have.
fn tag<'a>(call: &JavaCall<'a>) -> Result<&'a str, Failure> {
    let tag = call.optional_text(0)?;
    match error_text::of_tag(tag) {
        Some(thrown) => Err(thrown.into()),
        None => Ok(tag.unwrap_or_default()),
    }
}

pub(super) fn add_job_tag(call: &JavaCall<'_>) -> JavaResult {
    done(application(call)?.context().add_job_tag(tag(call)?))
}

pub(super) fn remove_job_tag(call: &JavaCall<'_>) -> JavaResult {
    done(application(call)?.context().remove_job_tag(tag(call)?))
}

pub(super) fn clear_job_tags(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().clear_job_tags();
    Ok(Value::Void)
}

pub(super) fn get_job_tags(call: &JavaCall<'_>) -> JavaResult {
    let tags = application(call)?.context().job_tags();
    Ok(Value::object(JavaSet::new(tags.into_iter().map(Value::text))))
}

pub(super) fn cancel_job_group(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().cancel_job_group(call.text(0)?, None);
    Ok(Value::Void)
}

pub(super) fn cancel_jobs_with_tag(call: &JavaCall<'_>) -> JavaResult {
    done(application(call)?.context().cancel_jobs_with_tag(tag(call)?, None))
}

pub(super) fn cancel_all_jobs(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().cancel_all_jobs();
    Ok(Value::Void)
}
