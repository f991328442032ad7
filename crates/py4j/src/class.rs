//! Classes as tables.

use std::{fmt, sync::Arc};

use crate::{Failure, Object, Throwable, Value, object::downcast};

/// A class of Java as far as it is known here. `S` is what all functions work on.
#[derive(Debug)]
pub struct Class<S: 'static> {
    /// Its full name.
    pub name: &'static str,
    /// The full names of the classes and interfaces that it inherits members from.
    pub extends: &'static [&'static str],
    /// What it has of its own.
    pub members: &'static [Member<S>],
}

/// A member of a class. Several may have one name and differ in the number of arguments.
#[derive(Debug)]
pub struct Member<S> {
    pub(crate) kind: MemberKind,
    pub(crate) name: &'static str,
    pub(crate) arity: usize,
    pub(crate) function: fn(&Call<'_, S>) -> Result<Value, Failure>,
}

/// As a line of a list: `name/number of arguments`.
impl<S> fmt::Display for Member<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, arity, .. } = self;
        match self.kind {
            MemberKind::Constructor => write!(f, "new/{arity}"),
            MemberKind::Static => write!(f, "static {name}/{arity}"),
            MemberKind::StaticField => write!(f, "static {name}"),
            MemberKind::Method => write!(f, "{name}/{arity}"),
        }
    }
}

/// How a member is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MemberKind {
    Constructor,
    Static,
    StaticField,
    Method,
}

/// A constructor with so many arguments.
pub const fn constructor<S>(arity: usize, function: fn(&Call<'_, S>) -> Result<Value, Failure>) -> Member<S> {
    Member { kind: MemberKind::Constructor, name: "<init>", arity, function }
}

/// A static method.
pub const fn static_method<S>(
    name: &'static str,
    arity: usize,
    function: fn(&Call<'_, S>) -> Result<Value, Failure>,
) -> Member<S> {
    Member { kind: MemberKind::Static, name, arity, function }
}

/// A static field, which is read only.
pub const fn static_field<S>(name: &'static str, function: fn(&Call<'_, S>) -> Result<Value, Failure>) -> Member<S> {
    Member { kind: MemberKind::StaticField, name, arity: 0, function }
}

/// A method of an object.
pub const fn method<S>(
    name: &'static str,
    arity: usize,
    function: fn(&Call<'_, S>) -> Result<Value, Failure>,
) -> Member<S> {
    Member { kind: MemberKind::Method, name, arity, function }
}

/// One call: what a member's function gets.
pub struct Call<'a, S> {
    /// What all functions work on.
    pub state: &'a S,
    pub(crate) this: Option<&'a Arc<dyn Object>>,
    pub(crate) arguments: &'a [Value],
    /// For errors: which member this is.
    pub(crate) member: &'a str,
}

impl<'a, S> Call<'a, S> {
    /// The object that the method was called on.
    pub fn this<T: Object>(&self) -> Result<&'a T, Failure> {
        let this = self.this.and_then(downcast);
        this.ok_or_else(|| Failure::NotCalled(format!("{} was called on something else", self.member)))
    }

    /// The same, to be given back: many methods return their object.
    pub fn this_value(&self) -> Value {
        self.this.map_or(Value::Null, |this| Value::Object(Arc::clone(this)))
    }

    /// An argument.
    pub fn argument(&self, index: usize) -> &'a Value {
        self.arguments.get(index).unwrap_or(&Value::Null)
    }

    /// An argument that is an object of a type.
    pub fn object<T: Object>(&self, index: usize) -> Result<&'a T, Failure> {
        self.argument(index).as_object().ok_or_else(|| self.wrong(index, std::any::type_name::<T>()))
    }

    /// An argument that is text.
    pub fn text(&self, index: usize) -> Result<&'a str, Failure> {
        self.argument(index).as_text().ok_or_else(|| self.wrong(index, "text"))
    }

    /// An argument that is text or `null`.
    pub fn optional_text(&self, index: usize) -> Result<Option<&'a str>, Failure> {
        match self.argument(index) {
            Value::Null => Ok(None),
            _ => self.text(index).map(Some),
        }
    }

    /// An argument that is a whole number. Python sends what fits as 32 bits, whatever the method expects.
    pub fn long(&self, index: usize) -> Result<i64, Failure> {
        match self.argument(index) {
            Value::Int(number) => Ok(i64::from(*number)),
            Value::Long(number) => Ok(*number),
            _ => Err(self.wrong(index, "a whole number")),
        }
    }

    /// An argument that is a count. A number that is none is what Java's method would throw for.
    pub fn count(&self, index: usize) -> Result<u32, Failure> {
        let number = self.long(index)?;
        u32::try_from(number).map_err(|_| {
            let (place, member) = (index + 1, self.member);
            let message =
                format!("argument {place} of {member} must be a number from 0 that fits into 32 bits, and is {number}");
            Throwable::new("java.lang.IllegalArgumentException", message).into()
        })
    }

    /// An argument that is a truth value.
    pub fn bool(&self, index: usize) -> Result<bool, Failure> {
        if let Value::Bool(value) = self.argument(index) { Ok(*value) } else { Err(self.wrong(index, "a truth value")) }
    }

    /// An argument that is bytes.
    pub fn bytes(&self, index: usize) -> Result<bytes::Bytes, Failure> {
        match self.argument(index) {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            _ => Err(self.wrong(index, "bytes")),
        }
    }

    /// The error that an argument is not what it should be.
    pub fn wrong(&self, index: usize, expected: &str) -> Failure {
        Failure::NotCalled(format!("argument {} of {} must be {expected}", index + 1, self.member))
    }
}
