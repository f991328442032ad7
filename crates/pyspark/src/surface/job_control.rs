//! Naming and cancelling jobs, by the thread of the program that starts them.

use firesteel::InheritedLocalProperties;
use firesteel_model::property;
use firesteel_py4j::{Class, JavaSet, Object, Value, method};

use super::{
    JavaCall, JavaResult,
    context::{application, done},
};
use crate::driver::Driver;

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

/// From which level on the driver logs.
pub(super) fn set_log_level(call: &JavaCall<'_>) -> JavaResult {
    done(application(call)?.context().set_log_level(call.text(0)?))
}

pub(super) fn set_call_site(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().set_call_site(call.optional_text(0)?);
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
    application(call)?.context().set_job_group(call.text(0)?, call.text(1)?, call.bool(2)?);
    Ok(Value::Void)
}

pub(super) fn set_interrupt_on_cancel(call: &JavaCall<'_>) -> JavaResult {
    let value = if call.bool(0)? { "true" } else { "false" };
    application(call)?.context().set_local_property(property::INTERRUPT_ON_CANCEL, Some(value));
    Ok(Value::Void)
}

pub(super) fn add_job_tag(call: &JavaCall<'_>) -> JavaResult {
    done(application(call)?.context().add_job_tag(call.text(0)?))
}

pub(super) fn remove_job_tag(call: &JavaCall<'_>) -> JavaResult {
    done(application(call)?.context().remove_job_tag(call.text(0)?))
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
    done(application(call)?.context().cancel_jobs_with_tag(call.text(0)?, None))
}

pub(super) fn cancel_all_jobs(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.context().cancel_all_jobs();
    Ok(Value::Void)
}
