//! Scala's pairs and options.

use firesteel_py4j::{Class, JavaIterator, JavaMap, Object, Throwable, Value, method, static_method};

use super::{JavaCall, JavaResult};
use crate::driver::Driver;

const TUPLE2: &str = "scala.Tuple2";
const OPTION: &str = "scala.Option";
const NO_SUCH_ELEMENT: &str = "java.util.NoSuchElementException";
const MAP: &str = "scala.collection.immutable.Map";
const ITERABLE: &str = "scala.collection.Iterable";

/// A pair.
pub(crate) struct Tuple2(pub(crate) Value, pub(crate) Value);

/// A value or none.
pub(crate) struct ScalaOption(pub(crate) Option<Value>);

/// A mapping, in the order of its keys.
pub(crate) struct ScalaMap(pub(crate) Vec<(Value, Value)>);

impl Object for ScalaMap {
    fn class(&self) -> &'static str {
        MAP
    }

    fn to_java_string(&self) -> String {
        let entries =
            self.0.iter().map(|(key, value)| format!("{} -> {}", key.to_java_string(), value.to_java_string()));
        format!("Map({})", entries.collect::<Vec<_>>().join(", "))
    }
}

impl ScalaMap {
    fn find(&self, key: &Value) -> Option<Value> {
        self.0.iter().find(|(own, _)| own.equals(key)).map(|(_, value)| value.clone())
    }
}

/// A collection that Scala made of a map, whose elements can be counted and gone through.
struct ScalaIterable(Vec<Value>);

impl Object for ScalaIterable {
    fn class(&self) -> &'static str {
        ITERABLE
    }

    fn to_java_string(&self) -> String {
        format!("Set({})", self.0.iter().map(Value::to_java_string).collect::<Vec<_>>().join(", "))
    }
}

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
        members: &[static_method("asJava", 1, as_java)],
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
        name: MAP,
        extends: &[],
        members: &[
            method("size", 0, |call| size(call.this::<ScalaMap>()?.0.len())),
            method("isEmpty", 0, |call| Ok(Value::Bool(call.this::<ScalaMap>()?.0.is_empty()))),
            method("contains", 1, |call| Ok(Value::Bool(call.this::<ScalaMap>()?.find(call.argument(0)).is_some()))),
            method("get", 1, |call| Ok(Value::object(ScalaOption(call.this::<ScalaMap>()?.find(call.argument(0)))))),
            method("apply", 1, |call| {
                let key = call.argument(0);
                let missing = || Throwable::new(NO_SUCH_ELEMENT, format!("key not found: {}", key.to_java_string()));
                Ok(call.this::<ScalaMap>()?.find(key).ok_or_else(missing)?)
            }),
            method("keySet", 0, |call| Ok(iterable(call.this::<ScalaMap>()?.0.iter().map(|(key, _)| key.clone())))),
            method("keys", 0, |call| Ok(iterable(call.this::<ScalaMap>()?.0.iter().map(|(key, _)| key.clone())))),
            method("values", 0, |call| Ok(iterable(call.this::<ScalaMap>()?.0.iter().map(|(_, value)| value.clone())))),
        ],
    },
    Class {
        name: ITERABLE,
        extends: &[],
        members: &[
            method("size", 0, |call| size(call.this::<ScalaIterable>()?.0.len())),
            method("isEmpty", 0, |call| Ok(Value::Bool(call.this::<ScalaIterable>()?.0.is_empty()))),
            method("iterator", 0, |call| Ok(Value::object(JavaIterator::new(call.this::<ScalaIterable>()?.0.clone())))),
            method("mkString", 1, |call| {
                let texts: Vec<_> = call.this::<ScalaIterable>()?.0.iter().map(Value::to_java_string).collect();
                Ok(Value::text(texts.join(call.text(0)?)))
            }),
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
                value.ok_or_else(|| Throwable::new(NO_SUCH_ELEMENT, "None.get").into())
            }),
        ],
    },
];

fn size(length: usize) -> JavaResult {
    Ok(Value::Int(i32::try_from(length).unwrap_or(i32::MAX)))
}

fn iterable(values: impl Iterator<Item = Value>) -> Value {
    Value::object(ScalaIterable(values.collect()))
}

/// Java's counterpart of what Scala gave: sequences are lists here already.
fn as_java(call: &JavaCall<'_>) -> JavaResult {
    let argument = call.argument(0);
    if let Some(map) = argument.as_object::<ScalaMap>() {
        return Ok(Value::object(JavaMap::new(map.0.clone())));
    }
    Ok(argument
        .as_object::<ScalaIterable>()
        .map_or_else(|| argument.clone(), |iterable| Value::list(iterable.0.clone())))
}
