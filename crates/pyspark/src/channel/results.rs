//! What a job came to, for the program.

use std::{
    io::{self, Write},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use firesteel_py4j::{Call, Class, Failure, JavaArray, Object, Throwable, Value, method};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::accept::Listener;
use crate::{driver::Driver, error::SPARK_EXCEPTION};

/// Sends elements once, to one connection.
pub(crate) struct ResultServer {
    port: u16,
    secret: Zeroizing<String>,
    sender: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

impl ResultServer {
    /// Starts to wait for the connection. The pieces hold whole elements; they go when they are sent, or nobody came.
    pub(crate) fn start(pieces: Vec<Bytes>) -> Result<Self, Throwable> {
        Self::try_start(pieces).map_err(|error| {
            Throwable::new(SPARK_EXCEPTION, format!("could not open a socket for the result of a job: {error}"))
        })
    }

    fn try_start(pieces: Vec<Bytes>) -> io::Result<Self> {
        let listener = Listener::bind()?;
        let (port, secret) = (listener.port()?, listener.secret().clone());
        let send = move || {
            let mut stream = listener.accept()?;
            drop(listener);
            // One after another, so that what was sent can go.
            pieces.into_iter().try_for_each(|piece| stream.write_all(&piece))
        };
        let sender = thread::Builder::new().name("python-results".to_owned()).spawn(send)?;
        Ok(Self { port, secret, sender: Mutex::new(Some(sender)) })
    }

    /// What the program gets: port, secret, and this.
    pub(crate) fn into_value(self) -> Value {
        let (port, secret) = (Value::Int(i32::from(self.port)), Value::text(self.secret.as_str()));
        Value::object(JavaArray::new([port, secret, Value::object(self)]))
    }
}

impl Object for ResultServer {
    fn class(&self) -> &'static str {
        CLASS.name
    }
}

pub(crate) const CLASS: Class<Driver> = Class {
    name: "org.apache.spark.security.SocketFuncServer",
    extends: &[],
    members: &[method("getResult", 0, get_result)],
};

/// Waits for the end of the sending, and throws what went wrong with it.
fn get_result(call: &Call<'_, Driver>) -> Result<Value, Failure> {
    let sender = call.this::<ResultServer>()?.sender.lock().take();
    match sender.map(JoinHandle::join) {
        Some(Ok(Err(error))) => {
            let message = format!("the result of a job could not be handed to the Python program: {error}");
            Err(Throwable::new(SPARK_EXCEPTION, message).into())
        }
        _ => Ok(Value::Void),
    }
}
