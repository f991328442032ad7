//! Java's collections, which the program makes of its lists and dictionaries, and gets.

use std::fmt::Write;

use parking_lot::Mutex;

use crate::{Kind, Object, Throwable, Value};

const OUT_OF_BOUNDS: &str = "java.lang.IndexOutOfBoundsException";

/// A list.
pub struct JavaList(pub(crate) Mutex<Vec<Value>>);

/// A set, in the order in which its elements were added.
pub struct JavaSet(pub(crate) Mutex<Vec<Value>>);

/// A mapping, in the order in which keys were added.
pub struct JavaMap(pub(crate) Mutex<Vec<(Value, Value)>>);

/// A sequence of fixed length.
pub struct JavaArray(Mutex<Vec<Value>>);

/// Goes once through what a collection held when it was made.
pub struct JavaIterator(pub(crate) Mutex<std::vec::IntoIter<Value>>);

/// A key of a mapping with its value, as it was when it was asked for.
pub struct JavaEntry(pub Value, pub Value);

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

    /// What it holds.
    pub fn values(&self) -> Vec<Value> {
        self.0.lock().clone()
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

    pub(crate) fn get(&self, key: &Value) -> Option<Value> {
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

pub(crate) fn out_of_bounds(index: i64, length: usize) -> Throwable {
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

impl Object for JavaEntry {
    fn class(&self) -> &'static str {
        "java.util.Map$Entry"
    }

    fn to_java_string(&self) -> String {
        format!("{}={}", self.0.to_java_string(), self.1.to_java_string())
    }
}
