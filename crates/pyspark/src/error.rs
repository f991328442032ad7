//! Errors as Java's exceptions, whose classes and texts programs rely on.

use firesteel::{SparkError, TaskEndReason};
use firesteel_py4j::Throwable;

pub(crate) const PYTHON_EXCEPTION: &str = "org.apache.spark.api.python.PythonException";
pub(crate) const SPARK_EXCEPTION: &str = "org.apache.spark.SparkException";
pub(crate) const INVALID_INPUT: &str = "org.apache.hadoop.mapred.InvalidInputException";
pub(crate) const IO_EXCEPTION: &str = "java.io.IOException";
pub(crate) const ILLEGAL_ARGUMENT: &str = "java.lang.IllegalArgumentException";
const ILLEGAL_STATE: &str = "java.lang.IllegalStateException";
const FILE_ALREADY_EXISTS: &str = "org.apache.hadoop.mapred.FileAlreadyExistsException";
const UNSUPPORTED: &str = "java.lang.UnsupportedOperationException";

/// What Spark would throw. An exception of the user's Python code is thrown as such and not as the failure of a stage.
pub(crate) fn thrown(error: SparkError) -> Throwable {
    if let SparkError::JobFailed { cause: Some(cause), .. } = &error
        && let TaskEndReason::ExceptionFailure { class_name, description, .. } = &**cause
        && class_name == PYTHON_EXCEPTION
    {
        return Throwable::new(PYTHON_EXCEPTION, description.as_str());
    }
    let class = match &error {
        SparkError::InvalidArgument(_) => ILLEGAL_ARGUMENT,
        SparkError::ContextStopped { .. } => ILLEGAL_STATE,
        SparkError::StorageLevelChange { .. } => UNSUPPORTED,
        SparkError::OutputExists(_) => FILE_ALREADY_EXISTS,
        SparkError::Io(_) | SparkError::AddFile(_) => IO_EXCEPTION,
        _ => SPARK_EXCEPTION,
    };
    Throwable::new(class, error.to_string())
}

/// What Spark would throw if input cannot be had.
pub(crate) fn thrown_for_input(error: SparkError) -> Throwable {
    match error {
        SparkError::Io(message) => Throwable::new(INVALID_INPUT, message),
        other => thrown(other),
    }
}
