//! What methods take and give.

use std::{any::Any, sync::Arc};

use bytes::Bytes;

use crate::{JavaList, encoding};

/// Something that the program can refer to.
pub trait Object: Any + Send + Sync {
    /// The full name of its class, by which its members are found.
    fn class(&self) -> &'static str;

    /// How py4j shows it to the program.
    fn kind(&self) -> Kind {
        Kind::Reference
    }

    /// Java's `toString`.
    fn to_java_string(&self) -> String {
        format!("{} object", self.class())
    }
}

/// What the program's end makes of a reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An object with methods.
    Reference,
    /// A sequence of fixed length.
    Array,
    /// A sequence.
    List,
    /// A set.
    Set,
    /// A mapping.
    Map,
    /// Something to iterate over.
    Iterator,
}

impl Kind {
    /// py4j's letter.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Reference => 'r',
            Self::Array => 't',
            Self::List => 'l',
            Self::Set => 'h',
            Self::Map => 'a',
            Self::Iterator => 'g',
        }
    }
}

/// A value.
#[derive(Clone)]
pub enum Value {
    /// Java's `null`
    Null,
    /// Nothing, of a method that has no result.
    Void,
    /// A truth value.
    Bool(bool),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Bytes),
    /// An object, kept alive by this value.
    Object(Arc<dyn Object>),
}

impl Value {
    /// An object.
    pub fn object(object: impl Object) -> Self {
        Self::Object(Arc::new(object))
    }

    /// Text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Text or `null`.
    pub fn optional_text(text: Option<impl Into<Arc<str>>>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// A list of values.
    pub fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::object(JavaList::new(values))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The object, if it is one of this type.
    pub fn as_object<T: Object>(&self) -> Option<&T> {
        if let Self::Object(object) = self { downcast(object) } else { None }
    }

    /// Are the two equal to Java? Objects are if they are the same.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) | (Self::Void, Self::Void) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Long(left), Self::Long(right)) => left == right,
            (Self::Double(left), Self::Double(right)) => left.to_bits() == right.to_bits(),
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Object(left), Self::Object(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }

    /// Java's `hashCode` of objects, which are equal only if they are the same. Fits [`Self::equals`].
    pub fn identity_hash_code(&self) -> i32 {
        let Self::Object(object) = self else { return 0 };
        // Objects lie at least so many bytes apart that the lowest bits say nothing.
        let address = Arc::as_ptr(object).cast::<()>().addr() >> 4;
        (address ^ (address >> 32)) as i32
    }

    /// As people read it.
    pub fn to_java_string(&self) -> String {
        match self {
            Self::Null | Self::Void => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Long(number) => number.to_string(),
            Self::Double(number) => {
                let mut line = String::new();
                encoding::double(*number, &mut line);
                line
            }
            Self::Text(text) => text.to_string(),
            Self::Bytes(_) => "[B".to_owned(),
            Self::Object(object) => object.to_java_string(),
        }
    }
}

/// The object as what it is.
pub(crate) fn downcast<T: Object>(object: &Arc<dyn Object>) -> Option<&T> {
    let object: &dyn Any = &**object;
    object.downcast_ref()
}
