//! Actions that give an estimate: of objects that Java has unpickled, which here are the numbers that PySpark sends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use firesteel::{BoundedDouble, PartialResult, Rdd};
use firesteel_executor::TaskFailure;
use firesteel_py4j::{Class, Failure, Object, Throwable, Value, method, static_method};

use super::{JavaCall, JavaResult, rdd::RddHandle};
use crate::{
    application::Application,
    call_site::native,
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, thrown},
    rdd::{Number, read_numbers},
};

const OBJECTS: &str = "org.apache.spark.api.java.JavaRDD$OfObjects";
const DOUBLES: &str = "org.apache.spark.api.java.JavaDoubleRDD";
const PARTIAL_RESULT: &str = "org.apache.spark.partial.PartialResult";
const BOUNDED_DOUBLE: &str = "org.apache.spark.partial.BoundedDouble";

/// What a sketch needs for less would not fit beside a task.
const SMALLEST_DEVIATION: f64 = 0.000_26;

/// Pickled batches, on their way to be numbers.
struct Objects {
    application: Arc<Application>,
    batches: Rdd<Bytes>,
}

struct Doubles {
    application: Arc<Application>,
    rdd: Rdd<f64>,
}

struct PartialDouble(PartialResult<BoundedDouble>);

struct Bounded(BoundedDouble);

impl Object for Objects {
    fn class(&self) -> &'static str {
        OBJECTS
    }
}

impl Object for Doubles {
    fn class(&self) -> &'static str {
        DOUBLES
    }
}

impl Object for PartialDouble {
    fn class(&self) -> &'static str {
        PARTIAL_RESULT
    }
}

impl Object for Bounded {
    fn class(&self) -> &'static str {
        BOUNDED_DOUBLE
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: "org.apache.spark.api.python.SerDeUtil",
        extends: &[],
        members: &[static_method("pythonToJava", 2, python_to_java)],
    },
    Class {
        name: OBJECTS,
        extends: &[],
        members: &[
            method("rdd", 0, |call| Ok(call.this_value())),
            method("countApproxDistinct", 1, count_approx_distinct),
        ],
    },
    Class {
        name: DOUBLES,
        extends: &[],
        members: &[
            static_method("fromRDD", 1, from_rdd),
            method("sumApprox", 2, |call| approximate(call, "sumApprox", Rdd::sum_approx)),
            method("meanApprox", 2, |call| approximate(call, "meanApprox", Rdd::mean_approx)),
        ],
    },
    Class {
        name: PARTIAL_RESULT,
        extends: &[],
        members: &[
            method("initialValue", 0, |call| {
                Ok(Value::object(Bounded(*call.this::<PartialDouble>()?.0.initial_value())))
            }),
            method("isInitialValueFinal", 0, |call| {
                Ok(Value::Bool(call.this::<PartialDouble>()?.0.is_initial_value_final()))
            }),
            method("getFinalValue", 0, |call| {
                let last = call.this::<PartialDouble>()?.0.final_value().map_err(thrown)?;
                Ok(Value::object(Bounded(last)))
            }),
        ],
    },
    Class {
        name: BOUNDED_DOUBLE,
        extends: &[],
        members: &[
            method("mean", 0, |call| Ok(Value::Double(call.this::<Bounded>()?.0.mean))),
            method("confidence", 0, |call| Ok(Value::Double(call.this::<Bounded>()?.0.confidence))),
            method("low", 0, |call| Ok(Value::Double(call.this::<Bounded>()?.0.low))),
            method("high", 0, |call| Ok(Value::Double(call.this::<Bounded>()?.0.high))),
        ],
    },
];

fn python_to_java(call: &JavaCall<'_>) -> JavaResult {
    let handle = call.object::<RddHandle>(0)?;
    if !call.bool(1)? {
        return Err(Failure::NotCalled("only batches of objects can be unpickled".to_owned()));
    }
    let (application, batches) = (Arc::clone(&handle.application), handle.rdd()?.clone());
    Ok(Value::object(Objects { application, batches }))
}

fn numbers(batch: Bytes) -> Vec<Number> {
    read_numbers(&batch).unwrap_or_else(|error| TaskFailure::from_final_error(&error).throw())
}

fn count_approx_distinct(call: &JavaCall<'_>) -> JavaResult {
    let objects = call.this::<Objects>()?;
    let deviation = double(call, 0)?;
    if deviation.is_nan() || deviation < SMALLEST_DEVIATION {
        let message = format!("requirement failed: accuracy ({deviation}) must be at least {SMALLEST_DEVIATION}");
        return Err(Throwable::new(ILLEGAL_ARGUMENT, message).into());
    }
    let identities = objects.batches.flat_map(|batch| numbers(batch).into_iter().map(Number::identity));
    let count = native(objects.application.context(), "countApproxDistinct", || {
        objects.application.run(|| identities.count_approx_distinct(deviation))
    });
    let count = count.map_err(thrown)?;
    Ok(Value::Long(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn from_rdd(call: &JavaCall<'_>) -> JavaResult {
    let objects = call.object::<Objects>(0)?;
    let rdd = objects.batches.flat_map(|batch| numbers(batch).into_iter().map(Number::as_f64));
    Ok(Value::object(Doubles { application: Arc::clone(&objects.application), rdd }))
}

type Action = fn(&Rdd<f64>, Duration, f64) -> Result<PartialResult<BoundedDouble>, firesteel::SparkError>;

fn approximate(call: &JavaCall<'_>, member: &str, action: Action) -> JavaResult {
    let doubles = call.this::<Doubles>()?;
    let time_out = u64::try_from(call.long(0)?).map_err(|_| call.wrong(0, "a time of 0 or more milliseconds"))?;
    let confidence = double(call, 1)?;
    // The job goes on when the time is up: what it adds to accumulators then comes with the next job's.
    let result = native(doubles.application.context(), member, || {
        doubles.application.run(|| action(&doubles.rdd, Duration::from_millis(time_out), confidence))
    });
    Ok(Value::object(PartialDouble(result.map_err(thrown)?)))
}

/// Python sends a whole number as one.
fn double(call: &JavaCall<'_>, index: usize) -> Result<f64, Failure> {
    match call.argument(index) {
        Value::Double(number) => Ok(*number),
        Value::Int(number) => Ok(f64::from(*number)),
        _ => Err(call.wrong(index, "a number")),
    }
}
