//! What every object has, what every exception has, and classes as objects.

use std::marker::PhantomData;

use crate::{Class, JavaArray, Member, Object, Throwable, Value, method};

/// What every class inherits from.
pub(crate) const OBJECT: &str = "java.lang.Object";
/// What every class of exceptions inherits from, whether it is declared or not.
pub(crate) const THROWABLE: &str = "java.lang.Throwable";

/// What classes have as objects. Whoever declares `java.lang.Class` with members of its own lets it inherit from this.
const TYPE: &str = "java.lang.reflect.Type";

/// A class as an object: `object.getClass()`.
pub(crate) struct JavaClass(pub(crate) String);

impl Object for JavaClass {
    fn class(&self) -> &'static str {
        "java.lang.Class"
    }

    fn to_java_string(&self) -> String {
        format!("class {}", self.0)
    }
}

/// Tables for whatever the functions work on.
struct Members<S>(PhantomData<S>);

/// These classes, which every gateway has.
pub(crate) fn classes<S: 'static>() -> [Class<S>; 4] {
    [
        Class { name: OBJECT, extends: &[], members: Members::OBJECT },
        Class { name: THROWABLE, extends: &[], members: Members::THROWABLE },
        Class { name: "java.lang.Class", extends: &[TYPE], members: &[] },
        Class { name: TYPE, extends: &[], members: Members::TYPE },
    ]
}

impl<S: 'static> Members<S> {
    const OBJECT: &[Member<S>] = &[
        method("toString", 0, |call| Ok(Value::text(call.this_value().to_java_string()))),
        method("hashCode", 0, |call| Ok(Value::Int(call.this_value().identity_hash_code()))),
        method("equals", 1, |call| Ok(Value::Bool(call.this_value().equals(call.argument(0))))),
        method("getClass", 0, |call| match call.this_value() {
            Value::Object(object) => Ok(Value::object(JavaClass(object.class().to_owned()))),
            _ => Ok(Value::Null),
        }),
    ];
    const THROWABLE: &[Member<S>] = &[
        method("getMessage", 0, |call| Ok(Value::text(call.this::<Throwable>()?.message()))),
        method("getLocalizedMessage", 0, |call| Ok(Value::text(call.this::<Throwable>()?.message()))),
        method("getCause", 0, |call| call.this::<Throwable>().map(|_| Value::Null)),
        // There are no frames of Java, and nothing was suppressed while one was left.
        method("getStackTrace", 0, |call| call.this::<Throwable>().map(|_| Value::object(JavaArray::new([])))),
        method("getSuppressed", 0, |call| call.this::<Throwable>().map(|_| Value::object(JavaArray::new([])))),
        method("printStackTrace", 0, |call| {
            eprint!("{}", call.this::<Throwable>()?.stack_trace());
            Ok(Value::Void)
        }),
    ];
    const TYPE: &[Member<S>] = &[
        method("getName", 0, |call| Ok(Value::text(call.this::<JavaClass>()?.0.as_str()))),
        method("getCanonicalName", 0, |call| Ok(Value::text(call.this::<JavaClass>()?.0.replace('$', ".")))),
        method("getSimpleName", 0, |call| {
            let name = &call.this::<JavaClass>()?.0;
            Ok(Value::text(name.rsplit(['.', '$']).next().unwrap_or(name)))
        }),
    ];
}
