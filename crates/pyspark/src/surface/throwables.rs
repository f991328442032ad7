//! Classes of exceptions: what they inherit from, and what Spark's own ones say of themselves.
//!
//! By what it inherits from, PySpark chooses Python's class for an exception once there is a session.

use firesteel_py4j::{Class, Failure, JavaArray, JavaMap, Throwable, Value, method, static_method};

use super::{JavaCall, JavaResult};
use crate::{
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, IO_EXCEPTION, PYTHON_EXCEPTION, SPARK_EXCEPTION},
};

const SPARK_THROWABLE: &str = "org.apache.spark.SparkThrowable";
const EXCEPTION: &str = "java.lang.Exception";
const RUNTIME: &str = "java.lang.RuntimeException";
const NO_SUCH_ELEMENT: &str = "java.util.NoSuchElementException";
const UNSUPPORTED: &str = "java.lang.UnsupportedOperationException";

/// What stands between the text that a worker's exception begins with and Python's own.
const OF_WORKER: &str = "An exception was thrown from the Python worker";

const fn exception(name: &'static str, extends: &'static [&'static str]) -> Class<Driver> {
    Class { name, extends, members: &[] }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    exception(EXCEPTION, &["java.lang.Throwable"]),
    exception(RUNTIME, &[EXCEPTION]),
    exception(IO_EXCEPTION, &[EXCEPTION]),
    exception("java.io.FileNotFoundException", &[IO_EXCEPTION]),
    exception("java.io.UnsupportedEncodingException", &[IO_EXCEPTION]),
    exception("java.nio.channels.ClosedChannelException", &[IO_EXCEPTION]),
    exception("org.apache.hadoop.fs.UnsupportedFileSystemException", &[IO_EXCEPTION]),
    exception("org.apache.hadoop.fs.FileAlreadyExistsException", &[IO_EXCEPTION]),
    exception("org.apache.hadoop.mapred.FileAlreadyExistsException", &[IO_EXCEPTION]),
    exception("org.apache.hadoop.mapred.InvalidInputException", &[IO_EXCEPTION]),
    exception("org.apache.hadoop.mapreduce.lib.input.InvalidInputException", &[IO_EXCEPTION]),
    exception("org.apache.hadoop.mapred.InvalidJobConfException", &[IO_EXCEPTION]),
    exception("java.lang.ClassNotFoundException", &[EXCEPTION]),
    exception("java.lang.OutOfMemoryError", &["java.lang.Throwable"]),
    exception(ILLEGAL_ARGUMENT, &[RUNTIME]),
    exception("java.lang.NumberFormatException", &[ILLEGAL_ARGUMENT]),
    exception("java.lang.IllegalStateException", &[RUNTIME]),
    exception("java.lang.IndexOutOfBoundsException", &[RUNTIME]),
    exception("java.lang.NullPointerException", &[RUNTIME]),
    exception("java.lang.NegativeArraySizeException", &[RUNTIME]),
    exception(NO_SUCH_ELEMENT, &[RUNTIME]),
    exception(UNSUPPORTED, &[RUNTIME]),
    exception("org.apache.spark.SparkUnsupportedOperationException", &[UNSUPPORTED, SPARK_THROWABLE]),
    exception(SPARK_EXCEPTION, &[EXCEPTION, SPARK_THROWABLE]),
    exception("org.apache.spark.scheduler.BarrierJobUnsupportedRDDChainException", &[SPARK_EXCEPTION]),
    exception("org.apache.spark.scheduler.BarrierJobSlotsNumberCheckFailed", &[SPARK_EXCEPTION]),
    exception(PYTHON_EXCEPTION, &[RUNTIME, SPARK_THROWABLE]),
    Class {
        name: SPARK_THROWABLE,
        extends: &[],
        members: &[
            method("getCondition", 0, |call| condition(call.this()?)),
            method("getErrorClass", 0, |call| condition(call.this()?)),
            method("getSqlState", 0, |call| sql_state(call.this()?)),
            method("getMessageParameters", 0, |call| message_parameters(call.this()?)),
            method("getQueryContext", 0, |call| call.this::<Throwable>().map(|_| Value::object(JavaArray::new([])))),
            method("isInternalError", 0, |call| {
                let said = Said::of(call.this::<Throwable>()?.message());
                Ok(Value::Bool(said.is_some_and(|said| said.condition.starts_with("INTERNAL_ERROR"))))
            }),
        ],
    },
    Class {
        // What PySpark 4.1 and later ask instead of the exception.
        name: "org.apache.spark.api.python.PythonErrorUtils",
        extends: &[],
        members: &[
            static_method("getCondition", 1, |call| condition(argument(call)?)),
            static_method("getErrorClass", 1, |call| condition(argument(call)?)),
            static_method("getSqlState", 1, |call| sql_state(argument(call)?)),
            static_method("getMessageParameters", 1, |call| message_parameters(argument(call)?)),
            static_method("getQueryContext", 1, |call| argument(call).map(|_| Value::object(JavaArray::new([])))),
        ],
    },
];

/// What the text of an exception begins and ends with, if that is one of Spark's conditions.
#[derive(PartialEq, Eq, Debug)]
struct Said<'a> {
    condition: &'a str,
    text: &'a str,
    sql_state: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn of(message: &'a str) -> Option<Self> {
        let (condition, rest) = message.strip_prefix('[')?.split_once("] ")?;
        let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        if !condition.bytes().all(is_name) {
            return None;
        }
        let (text, sql_state) = match rest.rsplit_once("SQLSTATE: ") {
            Some((text, state)) if state.len() == 5 => (text.trim_end_matches(' '), Some(state)),
            _ => (rest, None),
        };
        Some(Self { condition, text, sql_state })
    }

    /// Of a worker's exception: what has happened, and Python's own text.
    fn of_worker(&self) -> Option<(&'a str, &'a str)> {
        let traceback = self.text.strip_prefix(OF_WORKER)?.strip_prefix(": ")?;
        Some((&self.text[..OF_WORKER.len()], traceback))
    }
}

fn argument<'a>(call: &JavaCall<'a>) -> Result<&'a Throwable, Failure> {
    call.object(0)
}

fn condition(throwable: &Throwable) -> JavaResult {
    Ok(Value::optional_text(Said::of(throwable.message()).map(|said| said.condition)))
}

fn sql_state(throwable: &Throwable) -> JavaResult {
    Ok(Value::optional_text(Said::of(throwable.message()).and_then(|said| said.sql_state)))
}

/// Those of a worker's exception, which PySpark puts together anew. Others are said in the text only.
fn message_parameters(throwable: &Throwable) -> JavaResult {
    let said = Said::of(throwable.message());
    let of_worker = said.and_then(|said| said.of_worker()).into_iter();
    let entries = of_worker.flat_map(|(message, traceback)| [("msg", message), ("traceback", traceback)]);
    Ok(Value::object(JavaMap::new(entries.map(|(name, text)| (Value::text(name), Value::text(text))))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_what_the_text_begins_with() {
        let said = |message| Said::of(message).map(|said| (said.condition, said.text, said.sql_state));
        assert_eq!(
            said("[PYTHON_EXCEPTION] An exception was thrown: x\n SQLSTATE: 38000"),
            Some(("PYTHON_EXCEPTION", "An exception was thrown: x\n", Some("38000")))
        );
        assert_eq!(said("[A.B_2] text"), Some(("A.B_2", "text", None)));
        assert_eq!(said("[A] SQLSTATE: nonsense"), Some(("A", "SQLSTATE: nonsense", None)));
        for other in ["text", "[1, 2] are two", "[no] condition", "[A]"] {
            assert_eq!(said(other), None);
        }
    }

    #[test]
    fn a_worker_s_exception_has_two_parts() {
        let message =
            "[PYTHON_EXCEPTION] An exception was thrown from the Python worker: Traceback\nx: y\n SQLSTATE: 38000";
        let said = Said::of(message).unwrap();
        assert_eq!(said.of_worker(), Some((OF_WORKER, "Traceback\nx: y\n")));
        assert_eq!(Said::of("[A] other").unwrap().of_worker(), None);
    }
}
