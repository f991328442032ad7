//! `SparkConf`.

use firesteel::SparkConf;
use firesteel_py4j::{Class, JavaArray, Object, Throwable, Value, constructor, method};
use parking_lot::Mutex;

use super::{JavaCall, JavaResult, scala::Tuple2};
use crate::driver::Driver;

const NO_SUCH_ELEMENT: &str = "java.util.NoSuchElementException";

/// A configuration that the program fills.
pub(crate) struct ConfHandle(Mutex<SparkConf>);

impl ConfHandle {
    pub(crate) fn new(conf: SparkConf) -> Self {
        Self(Mutex::new(conf))
    }

    pub(crate) fn conf(&self) -> SparkConf {
        self.0.lock().clone()
    }
}

impl Object for ConfHandle {
    fn class(&self) -> &'static str {
        CLASSES[0].name
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[Class {
    name: "org.apache.spark.SparkConf",
    extends: &[],
    members: &[
        constructor(0, |call| Ok(Value::object(ConfHandle::new(call.state.default_conf())))),
        constructor(1, |call| {
            let conf = if call.bool(0)? { call.state.default_conf() } else { SparkConf::new() };
            Ok(Value::object(ConfHandle::new(conf)))
        }),
        method("contains", 1, |call| Ok(Value::Bool(call.this::<ConfHandle>()?.0.lock().contains(call.text(0)?)))),
        method("get", 1, get),
        method("get", 2, get_or_default),
        method("getAll", 0, get_all),
        method("set", 2, set),
        method("setAppName", 1, |call| set_key(call, "spark.app.name")),
        method("setMaster", 1, |call| set_key(call, "spark.master")),
        method("setExecutorEnv", 2, set_executor_env),
        method("remove", 1, remove),
        method("toDebugString", 0, to_debug_string),
    ],
}];

fn get(call: &JavaCall<'_>) -> JavaResult {
    let key = call.text(0)?;
    let value = call.this::<ConfHandle>()?.0.lock().get_raw(key).map(Value::text);
    value.ok_or_else(|| Throwable::new(NO_SUCH_ELEMENT, key).into())
}

fn get_or_default(call: &JavaCall<'_>) -> JavaResult {
    let value = call.this::<ConfHandle>()?.0.lock().get_raw(call.text(0)?).map(Value::text);
    Ok(value.unwrap_or_else(|| call.argument(1).clone()))
}

fn get_all(call: &JavaCall<'_>) -> JavaResult {
    let conf = call.this::<ConfHandle>()?.0.lock();
    let pairs = conf.get_all().map(|(key, value)| Value::object(Tuple2(Value::text(key), Value::text(value))));
    Ok(Value::object(JavaArray::new(pairs)))
}

fn set(call: &JavaCall<'_>) -> JavaResult {
    call.this::<ConfHandle>()?.0.lock().set(call.text(0)?, call.text(1)?);
    Ok(call.this_value())
}

fn set_key(call: &JavaCall<'_>, key: &str) -> JavaResult {
    call.this::<ConfHandle>()?.0.lock().set(key, call.text(0)?);
    Ok(call.this_value())
}

fn set_executor_env(call: &JavaCall<'_>) -> JavaResult {
    let key = format!("spark.executorEnv.{}", call.text(0)?);
    call.this::<ConfHandle>()?.0.lock().set(key, call.text(1)?);
    Ok(call.this_value())
}

fn remove(call: &JavaCall<'_>) -> JavaResult {
    call.this::<ConfHandle>()?.0.lock().remove(call.text(0)?);
    Ok(call.this_value())
}

/// Without secrets, as in Spark.
fn to_debug_string(call: &JavaCall<'_>) -> JavaResult {
    let conf = call.this::<ConfHandle>()?.0.lock();
    let redactor = conf.redactor().unwrap_or_else(|_| firesteel_conf::Redactor::standard());
    let lines: Vec<_> = conf.get_all().map(|(key, value)| format!("{key}={}", redactor.redact(key, value))).collect();
    Ok(Value::text(lines.join("\n")))
}
