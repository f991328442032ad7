//! Scala's pairs and options.

use firesteel_py4j::{Class, Object, Throwable, Value, method, static_method};

use crate::driver::Driver;

const TUPLE2: &str = "scala.Tuple2";
const OPTION: &str = "scala.Option";

/// A pair.
pub(crate) struct Tuple2(pub(crate) Value, pub(crate) Value);

/// A value or none.
pub(crate) struct ScalaOption(pub(crate) Option<Value>);

impl Object for Tuple2 {
    fn class(&self) -> &'static str {
        TUPLE2
    }

    fn to_java_string(&self) -> String {
        format!("({},{})", self.0.to_java_string(), self.1.to_java_string())
    }
}

impl Object for ScalaOption {
    fn class(&self) -> &'static str {
        OPTION
    }

    fn to_java_string(&self) -> String {
        self.0.as_ref().map_or_else(|| "None".to_owned(), |value| format!("Some({})", value.to_java_string()))
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        // Scala's sequences are lists here already.
        name: "scala.jdk.javaapi.CollectionConverters",
        extends: &[],
        members: &[static_method("asJava", 1, |call| Ok(call.argument(0).clone()))],
    },
    Class {
        // The same for PySpark 3.5.
        name: "scala.collection.JavaConverters",
        extends: &[],
        members: &[static_method("seqAsJavaList", 1, |call| Ok(call.argument(0).clone()))],
    },
    Class {
        name: TUPLE2,
        extends: &[],
        members: &[
            method("_1", 0, |call| Ok(call.this::<Tuple2>()?.0.clone())),
            method("_2", 0, |call| Ok(call.this::<Tuple2>()?.1.clone())),
        ],
    },
    Class {
        name: OPTION,
        extends: &[],
        members: &[
            method("isEmpty", 0, |call| Ok(Value::Bool(call.this::<ScalaOption>()?.0.is_none()))),
            method("isDefined", 0, |call| Ok(Value::Bool(call.this::<ScalaOption>()?.0.is_some()))),
            method("nonEmpty", 0, |call| Ok(Value::Bool(call.this::<ScalaOption>()?.0.is_some()))),
            method("get", 0, |call| {
                let value = call.this::<ScalaOption>()?.0.clone();
                value.ok_or_else(|| Throwable::new("java.util.NoSuchElementException", "None.get").into())
            }),
        ],
    },
];
