//! Java's exceptions, as the program sees them.

use std::{fmt, sync::Arc};

use crate::Object;

/// An exception of a class that Spark would throw. In Python a `Py4JJavaError`, whose text is [`Throwable::stack_trace`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Throwable {
    class: &'static str,
    message: String,
}

impl Throwable {
    /// An exception. Its class is part of what programs rely on.
    pub fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// As Java prints it. There are no frames of Java to show.
    pub fn stack_trace(&self) -> String {
        format!("{self}\n")
    }
}

impl fmt::Display for Throwable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl Object for Throwable {
    fn class(&self) -> &'static str {
        self.class
    }

    fn to_java_string(&self) -> String {
        self.to_string()
    }
}

/// Why a call has no result.
#[derive(Clone, Debug)]
pub enum Failure {
    /// What was called has thrown.
    Thrown(Arc<Throwable>),
    /// It could not be called: in Python a plain `Py4JError` with this text.
    NotCalled(String),
}

impl From<Throwable> for Failure {
    fn from(throwable: Throwable) -> Self {
        Self::Thrown(Arc::new(throwable))
    }
}
