//! Java's collections, which the program makes of its lists and dictionaries, and gets.

use std::{fmt::Write, marker::PhantomData};

use parking_lot::Mutex;

use crate::{Call, Class, Failure, Kind, Member, Object, Throwable, Value, class::MemberKind, constructor, method};

const NO_SUCH_ELEMENT: &str = "java.util.NoSuchElementException";
const OUT_OF_BOUNDS: &str = "java.lang.IndexOutOfBoundsException";

/// A list.
pub struct JavaList(Mutex<Vec<Value>>);

/// A set.
pub struct JavaSet(Mutex<Vec<Value>>);

/// A mapping, in the order in which keys were added.
pub struct JavaMap(Mutex<Vec<(Value, Value)>>);

/// A sequence of fixed length.
pub struct JavaArray(Mutex<Vec<Value>>);

/// Goes once through what a collection held when it was made.
pub struct JavaIterator(Mutex<std::vec::IntoIter<Value>>);

impl JavaList {
    /// A list of these.
    pub fn new(values: impl IntoIterator<Item = Value>) -> Self {
        Self(Mutex::new(values.into_iter().collect()))
    }

    /// What it holds.
    pub fn values(&self) -> Vec<Value> {
        self.0.lock().clone()
    }
}

impl JavaSet {
    /// A set of these, which must differ.
    pub fn new(values: impl IntoIterator<Item = Value>) -> Self {
        Self(Mutex::new(values.into_iter().collect()))
    }
}

impl JavaMap {
    /// A mapping of these, whose keys must differ.
    pub fn new(entries: impl IntoIterator<Item = (Value, Value)>) -> Self {
        Self(Mutex::new(entries.into_iter().collect()))
    }

    /// What it holds.
    pub fn entries(&self) -> Vec<(Value, Value)> {
        self.0.lock().clone()
    }

    fn get(&self, key: &Value) -> Option<Value> {
        self.0.lock().iter().find(|(own, _)| own.equals(key)).map(|(_, value)| value.clone())
    }
}

impl JavaArray {
    /// An array of these.
    pub fn new(values: impl IntoIterator<Item = Value>) -> Self {
        Self(Mutex::new(values.into_iter().collect()))
    }

    /// What it holds.
    pub fn values(&self) -> Vec<Value> {
        self.0.lock().clone()
    }

    pub(crate) fn length(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn get(&self, index: i64) -> Result<Value, Throwable> {
        let values = self.0.lock();
        let value = usize::try_from(index).ok().and_then(|index| values.get(index)).cloned();
        value.ok_or_else(|| out_of_bounds(index, values.len()))
    }

    pub(crate) fn set(&self, index: i64, value: Value) -> Result<(), Throwable> {
        let mut values = self.0.lock();
        let length = values.len();
        match usize::try_from(index).ok().and_then(|index| values.get_mut(index)) {
            Some(place) => *place = value,
            None => return Err(out_of_bounds(index, length)),
        }
        Ok(())
    }
}

impl JavaIterator {
    /// Goes through these.
    pub fn new(values: impl IntoIterator<Item = Value>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        Self(Mutex::new(values.into_iter()))
    }
}

fn out_of_bounds(index: i64, length: usize) -> Throwable {
    Throwable::new(OUT_OF_BOUNDS, format!("Index {index} out of bounds for length {length}"))
}

fn joined<'a>(values: impl Iterator<Item = &'a Value>, open: char, close: char) -> String {
    let values: Vec<String> = values.map(Value::to_java_string).collect();
    format!("{open}{}{close}", values.join(", "))
}

impl Object for JavaList {
    fn class(&self) -> &'static str {
        "java.util.ArrayList"
    }

    fn kind(&self) -> Kind {
        Kind::List
    }

    fn to_java_string(&self) -> String {
        joined(self.0.lock().iter(), '[', ']')
    }
}

impl Object for JavaSet {
    fn class(&self) -> &'static str {
        "java.util.HashSet"
    }

    fn kind(&self) -> Kind {
        Kind::Set
    }

    fn to_java_string(&self) -> String {
        joined(self.0.lock().iter(), '[', ']')
    }
}

impl Object for JavaMap {
    fn class(&self) -> &'static str {
        "java.util.HashMap"
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn to_java_string(&self) -> String {
        let mut text = String::from("{");
        for (index, (key, value)) in self.0.lock().iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}{}={}", key.to_java_string(), value.to_java_string());
        }
        text + "}"
    }
}

impl Object for JavaArray {
    fn class(&self) -> &'static str {
        "java.lang.Object[]"
    }

    fn kind(&self) -> Kind {
        Kind::Array
    }
}

impl Object for JavaIterator {
    fn class(&self) -> &'static str {
        "java.util.Iterator"
    }

    fn kind(&self) -> Kind {
        Kind::Iterator
    }
}

/// The members of the classes that every gateway has.
struct Members<S>(PhantomData<S>);

impl<S: 'static> Members<S> {
    const LIST: &[Member<S>] = &[
        constructor(0, |_| Ok(Value::list([]))),
        method("add", 1, |call| {
            call.this::<JavaList>()?.0.lock().push(call.argument(0).clone());
            Ok(Value::Bool(true))
        }),
        method("get", 1, |call| {
            let values = call.this::<JavaList>()?.0.lock();
            let index = call.long(0)?;
            let value = usize::try_from(index).ok().and_then(|index| values.get(index)).cloned();
            value.ok_or_else(|| out_of_bounds(index, values.len()).into())
        }),
        method("size", 0, |call| size(call.this::<JavaList>()?.0.lock().len())),
        method("isEmpty", 0, |call| Ok(Value::Bool(call.this::<JavaList>()?.0.lock().is_empty()))),
        method("iterator", 0, |call| iterator(call.this::<JavaList>()?.values())),
        method("contains", 1, |call| contains(&call.this::<JavaList>()?.0.lock(), call.argument(0))),
    ];
    const SET: &[Member<S>] = &[
        constructor(0, |_| Ok(Value::object(JavaSet::new([])))),
        method("add", 1, |call| {
            let mut values = call.this::<JavaSet>()?.0.lock();
            let new = !values.iter().any(|value| value.equals(call.argument(0)));
            if new {
                values.push(call.argument(0).clone());
            }
            Ok(Value::Bool(new))
        }),
        method("size", 0, |call| size(call.this::<JavaSet>()?.0.lock().len())),
        method("iterator", 0, |call| iterator(call.this::<JavaSet>()?.0.lock().clone())),
        method("contains", 1, |call| contains(&call.this::<JavaSet>()?.0.lock(), call.argument(0))),
    ];
    const MAP: &[Member<S>] = &[
        constructor(0, |_| Ok(Value::object(JavaMap::new([])))),
        method("put", 2, |call| {
            let (key, value) = (call.argument(0), call.argument(1).clone());
            let mut entries = call.this::<JavaMap>()?.0.lock();
            match entries.iter_mut().find(|(own, _)| own.equals(key)) {
                Some((_, place)) => Ok(std::mem::replace(place, value)),
                None => {
                    entries.push((key.clone(), value));
                    Ok(Value::Null)
                }
            }
        }),
        method("get", 1, |call| Ok(call.this::<JavaMap>()?.get(call.argument(0)).unwrap_or(Value::Null))),
        method("containsKey", 1, |call| Ok(Value::Bool(call.this::<JavaMap>()?.get(call.argument(0)).is_some()))),
        method("size", 0, |call| size(call.this::<JavaMap>()?.0.lock().len())),
        method("keySet", 0, |call| {
            let keys = call.this::<JavaMap>()?.entries().into_iter().map(|(key, _)| key);
            Ok(Value::object(JavaSet::new(keys)))
        }),
    ];
    const CLASS: &[Member<S>] = &[
        method("getName", 0, |call| Ok(Value::text(call.this::<JavaClass>()?.0))),
        method("getCanonicalName", 0, |call| Ok(Value::text(call.this::<JavaClass>()?.0.replace('$', ".")))),
        method("getSimpleName", 0, |call| {
            let name = call.this::<JavaClass>()?.0;
            Ok(Value::text(name.rsplit(['.', '$']).next().unwrap_or(name)))
        }),
    ];
    const ITERATOR: &[Member<S>] = &[
        method("hasNext", 0, |call| Ok(Value::Bool(!call.this::<JavaIterator>()?.0.lock().as_slice().is_empty()))),
        method("next", 0, |call| {
            let next = call.this::<JavaIterator>()?.0.lock().next();
            next.ok_or_else(|| Throwable::new(NO_SUCH_ELEMENT, "no more elements").into())
        }),
    ];
}

/// A class as an object: `object.getClass()`.
struct JavaClass(&'static str);

impl Object for JavaClass {
    fn class(&self) -> &'static str {
        "java.lang.Class"
    }

    fn to_java_string(&self) -> String {
        format!("class {}", self.0)
    }
}

/// The classes that every gateway has.
pub(crate) fn classes<S>() -> [Class<S>; 8] {
    [
        Class { name: "java.lang.Class", extends: &[], members: Members::CLASS },
        Class { name: "java.util.ArrayList", extends: &["java.util.List"], members: Members::LIST },
        Class { name: "java.util.List", extends: &["java.util.Collection"], members: &[] },
        Class { name: "java.util.Collection", extends: &[], members: &[] },
        Class { name: "java.util.HashSet", extends: &["java.util.Set"], members: Members::SET },
        Class { name: "java.util.Set", extends: &["java.util.Collection"], members: &[] },
        Class { name: "java.util.HashMap", extends: &["java.util.Map"], members: Members::MAP },
        Class { name: "java.util.Iterator", extends: &[], members: Members::ITERATOR },
    ]
}

fn size(length: usize) -> Result<Value, Failure> {
    Ok(Value::Int(i32::try_from(length).unwrap_or(i32::MAX)))
}

fn iterator(values: Vec<Value>) -> Result<Value, Failure> {
    Ok(Value::object(JavaIterator::new(values)))
}

fn contains(values: &[Value], wanted: &Value) -> Result<Value, Failure> {
    Ok(Value::Bool(values.iter().any(|value| value.equals(wanted))))
}

/// What every object has, whatever its class.
pub(crate) fn member_of_every_object<S>(
    call: &Call<'_, S>,
    kind: MemberKind,
    name: &str,
    arity: usize,
) -> Option<Value> {
    if kind != MemberKind::Method {
        return None;
    }
    Some(match (name, arity) {
        ("toString", 0) => Value::text(call.this_value().to_java_string()),
        ("getClass", 0) => {
            let Value::Object(object) = call.this_value() else { return None };
            Value::object(JavaClass(object.class()))
        }
        ("hashCode", 0) => Value::Int(call.this_value().identity_hash_code()),
        ("equals", 1) => Value::Bool(call.this_value().equals(call.argument(0))),
        _ => return None,
    })
}
