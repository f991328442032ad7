//! What a job came to, for the program.

use std::{
    io::{self, Read, Write},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use firesteel_py4j::{Call, Class, Failure, JavaArray, Object, Throwable, Value, method};
use firesteel_python_worker::Channel;
use parking_lot::Mutex;

use super::{Address, Sockets, accept::Listener};
use crate::{driver::Driver, error::SPARK_EXCEPTION};

/// Serves one connection.
pub(crate) struct ResultServer {
    address: Address,
    server: Mutex<Option<JoinHandle<Result<(), Throwable>>>>,
}

impl ResultServer {
    /// Sends these pieces to the connection, which hold whole elements; they go when they are sent, or nobody came.
    pub(crate) fn send(sockets: &Sockets, pieces: Vec<Bytes>) -> Result<Self, Throwable> {
        // One after another, so that what was sent can go.
        Self::start(sockets, |mut stream| {
            pieces.into_iter().try_for_each(|piece| stream.write_all(&piece)).map_err(|error| not_sent(&error))
        })
    }

    /// Sends partition after partition, as long as the connection asks for them: 1 asks for the next, 0 for none. What comes is 1
    /// and a partition with a mark at its end; 0 if there is none; -1 if it could not be computed.
    pub(crate) fn send_when_asked(
        sockets: &Sockets,
        partitions: impl Iterator<Item = Result<Bytes, Throwable>> + Send + 'static,
    ) -> Result<Self, Throwable> {
        Self::start(sockets, |stream| send_when_asked(stream, partitions))
    }

    fn start(
        sockets: &Sockets,
        serve: impl FnOnce(Channel) -> Result<(), Throwable> + Send + 'static,
    ) -> Result<Self, Throwable> {
        Self::try_start(sockets, serve).map_err(|error| {
            Throwable::new(SPARK_EXCEPTION, format!("could not open a socket for the result of a job: {error}"))
        })
    }

    fn try_start(
        sockets: &Sockets,
        serve: impl FnOnce(Channel) -> Result<(), Throwable> + Send + 'static,
    ) -> io::Result<Self> {
        let listener = Listener::bind(sockets)?;
        let address = listener.address().clone();
        let accept_and_serve = move || {
            let stream = listener.accept().map_err(|error| not_sent(&error))?;
            drop(listener);
            serve(stream)
        };
        let server = thread::Builder::new().name("python-results".to_owned()).spawn(accept_and_serve)?;
        Ok(Self { address, server: Mutex::new(Some(server)) })
    }

    /// What the program gets: port or path, secret, and this.
    pub(crate) fn into_value(self) -> Value {
        let (place, secret) = (self.address.place(), self.address.secret());
        Value::object(JavaArray::new([place, secret, Value::object(self)]))
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
    let server = call.this::<ResultServer>()?.server.lock().take();
    match server.map(JoinHandle::join) {
        Some(Ok(Err(throwable))) => Err(throwable.into()),
        _ => Ok(Value::Void),
    }
}

fn not_sent(error: &io::Error) -> Throwable {
    Throwable::new(SPARK_EXCEPTION, format!("the result of a job could not be handed to the Python program: {error}"))
}

const NEXT: i32 = 1;
const END_OF_PARTITION: i32 = -1;
const NO_MORE: i32 = 0;
const FAILED: i32 = -1;

fn send_when_asked(
    mut stream: Channel,
    mut partitions: impl Iterator<Item = Result<Bytes, Throwable>>,
) -> Result<(), Throwable> {
    let send = |stream: &mut Channel, bytes: &[u8]| stream.write_all(bytes).map_err(|error| not_sent(&error));
    loop {
        let mut request = [0; 4];
        // Whoever has closed the connection wants no more.
        if stream.read_exact(&mut request).is_err() || i32::from_be_bytes(request) != NEXT {
            return Ok(());
        }
        match partitions.next() {
            Some(Ok(piece)) => {
                send(&mut stream, &NEXT.to_be_bytes())?;
                send(&mut stream, &piece)?;
                send(&mut stream, &END_OF_PARTITION.to_be_bytes())?;
            }
            Some(Err(throwable)) => {
                send(&mut stream, &FAILED.to_be_bytes())?;
                return Err(throwable);
            }
            None => return send(&mut stream, &NO_MORE.to_be_bytes()),
        }
    }
}
