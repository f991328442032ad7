//! Errors as Java's exceptions, whose classes and texts programs rely on.

use firesteel::{ResourceProfileError, SparkError, TaskEndReason};
use firesteel_py4j::{Object, Throwable};

use crate::error_text;

pub(crate) const PYTHON_EXCEPTION: &str = "org.apache.spark.api.python.PythonException";
pub(crate) const SPARK_EXCEPTION: &str = "org.apache.spark.SparkException";
const INVALID_INPUT: &str = "org.apache.hadoop.mapred.InvalidInputException";
const INVALID_INPUT_OF_MAPREDUCE: &str = "org.apache.hadoop.mapreduce.lib.input.InvalidInputException";
pub(crate) const IO_EXCEPTION: &str = "java.io.IOException";
pub(crate) const ILLEGAL_ARGUMENT: &str = "java.lang.IllegalArgumentException";
const ILLEGAL_STATE: &str = "java.lang.IllegalStateException";
const FILE_ALREADY_EXISTS: &str = "org.apache.hadoop.mapred.FileAlreadyExistsException";
const UNSUPPORTED: &str = "org.apache.spark.SparkUnsupportedOperationException";

/// What the failure of a barrier stage says.
const BARRIER_FAILURE: &str = "Stage failed because barrier task";

/// What Spark would throw where it waits for a job on behalf of something else: the job's failure is the cause of another one with
/// these words.
fn caused(words: &str, error: SparkError) -> Throwable {
    let failed = matches!(error, SparkError::JobFailed { .. });
    let cause = thrown(error);
    if !failed {
        return cause;
    }
    Throwable::new(SPARK_EXCEPTION, format!("{words}\nCaused by: {}: {}", cause.class(), cause.message()))
}

/// What Spark would throw if a job that writes files fails.
pub(crate) fn thrown_by_save(error: SparkError) -> Throwable {
    caused("Job aborted.", error)
}

/// What Spark would throw if a job of an iterator fails.
pub(crate) fn thrown_by_iterator(error: SparkError) -> Throwable {
    caused("Exception thrown in awaitResult: ", error)
}

/// What Spark would throw. An exception of the user's Python code is thrown as such and not as the failure of a stage.
pub(crate) fn thrown(error: SparkError) -> Throwable {
    // A barrier stage fails as a whole, whatever was the reason.
    if let SparkError::JobFailed { cause: Some(cause), message, .. } = &error
        && !message.contains(BARRIER_FAILURE)
        && let TaskEndReason::ExceptionFailure { class_name, description, .. } = &**cause
        && class_name == PYTHON_EXCEPTION
    {
        return Throwable::new(PYTHON_EXCEPTION, description.as_str());
    }
    let known = match &error {
        // The place is one of ours; the program's own second context does not come so far.
        SparkError::ContextExists { .. } => Some(Throwable::new(
            SPARK_EXCEPTION,
            "Only one SparkContext should be running in this JVM (see SPARK-2243).The currently running SparkContext was created at:\nanother \
             program that shares this gateway; stop its context first",
        )),
        SparkError::AddFile(message) => Some(error_text::of_added_file(message)),
        SparkError::JobFailed { message, .. } => error_text::of_job(message),
        SparkError::NotSerializable { .. } => error_text::of_job(&error.to_string()),
        SparkError::Io(message) | SparkError::InvalidArgument(message) => error_text::of_path(message),
        _ => None,
    };
    if let Some(throwable) = known {
        return throwable;
    }
    let class = match &error {
        SparkError::InvalidArgument(_) | SparkError::ResourceProfile(ResourceProfileError::Conflict) => {
            ILLEGAL_ARGUMENT
        }
        SparkError::ContextStopped { .. } => ILLEGAL_STATE,
        SparkError::StorageLevelChange { .. } => UNSUPPORTED,
        SparkError::OutputExists(_) => FILE_ALREADY_EXISTS,
        SparkError::InputNotFound(_) => INVALID_INPUT,
        SparkError::Io(_) => IO_EXCEPTION,
        _ => SPARK_EXCEPTION,
    };
    let message = match error {
        // The program knows it by another name.
        SparkError::NoCheckpointDirectory => {
            "Checkpoint directory has not been set in the SparkContext\ncall sc.setCheckpointDir first".to_owned()
        }
        // Of a master that nobody claims.
        SparkError::Configuration(message) => message.replacen("'; no cluster manager", "'\nno cluster manager", 1),
        SparkError::InputNotFound(message) | SparkError::OutputExists(message) => error_text::of_files(&message),
        SparkError::ContextStopped { ref operation, .. } => {
            // A job is named by where it was called for, and everything else by its method.
            let is_job = operation.contains(" at ");
            let said = if is_job {
                "SparkContext has been shutdown"
            } else {
                "Cannot call methods on a stopped SparkContext."
            };
            format!("{said}\n{error}")
        }
        error @ SparkError::StorageLevelChange { .. } => {
            format!("Cannot change storage level of an RDD after it was already assigned a level\n{error}")
        }
        error => error.to_string(),
    };
    Throwable::new(class, with_condition(message))
}

/// The text of a cancelled job with the name and the state that programs look for.
fn with_condition(message: String) -> String {
    let is_cancelled = message.strip_prefix("Job ").is_some_and(|rest| {
        let (number, what) = rest.split_once(' ').unwrap_or_default();
        number.bytes().all(|byte| byte.is_ascii_digit()) && what.starts_with("cancelled")
    });
    if !is_cancelled {
        return message;
    }
    let message = message.replacen("part of cancelled job tag ", "part of cancelled job tags ", 1);
    format!("[SPARK_JOB_CANCELLED] {message} SQLSTATE: XXKDA")
}

/// What Spark would throw if input cannot be had, which depends on which of Hadoop's two interfaces looks for it.
pub(crate) fn thrown_for_input(error: SparkError, by_mapreduce: bool) -> Throwable {
    match error {
        SparkError::InputNotFound(message) if by_mapreduce => {
            Throwable::new(INVALID_INPUT_OF_MAPREDUCE, error_text::of_files(&message))
        }
        other => thrown(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_input_that_is_not_there_is_invalid_input() {
        let class = |error| thrown_for_input(error, false).class();
        assert_eq!(class(SparkError::InputNotFound("x".to_owned())), INVALID_INPUT);
        assert_eq!(class(SparkError::Io("x".to_owned())), IO_EXCEPTION);
        assert_eq!(class(SparkError::InvalidArgument("x".to_owned())), ILLEGAL_ARGUMENT);
        assert_eq!(
            thrown_for_input(SparkError::InputNotFound("x".to_owned()), true).class(),
            INVALID_INPUT_OF_MAPREDUCE
        );
    }

    #[test]
    fn a_cancelled_job_is_told_as_spark_tells_it() {
        let told = |message: &str| with_condition(message.to_owned());
        let cancelled = "Job 2 cancelled part of cancelled job group g";
        assert_eq!(told(cancelled), format!("[SPARK_JOB_CANCELLED] {cancelled} SQLSTATE: XXKDA"));
        for other in ["Job aborted due to stage failure", "Job 2", "a job was cancelled"] {
            assert_eq!(told(other), other);
        }
    }

    #[test]
    fn errors_name_the_members_of_python() {
        let thrown = thrown(SparkError::NoCheckpointDirectory);
        let message = thrown.message();
        assert!(message.ends_with("call sc.setCheckpointDir first"), "{message}");
    }
}
