//! Broadcast values: `PythonBroadcast`, which is a file of the program's, and `Broadcast`.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use firesteel::BroadcastError;
use firesteel_io_encryption::IoEncryption;
use firesteel_py4j::{Class, Failure, JavaArray, Object, Throwable, Value, method};
use parking_lot::Mutex;

use super::{JavaCall, JavaResult, context::application, python::no_context};
use crate::{
    application::Application,
    channel::{Address, DecryptionServer, EncryptionServer, Sockets},
    driver::Driver,
    error::{IO_EXCEPTION, thrown},
    error_text::destroyed_broadcast,
    rdd::{BroadcastFile, PythonBroadcast},
};

const PYTHON_BROADCAST: &str = "org.apache.spark.api.python.PythonBroadcast";
const BROADCAST: &str = "org.apache.spark.broadcast.Broadcast";

/// A file with a pickled value: written by the program itself, or, where local files are encrypted, by this process from what the
/// program sends.
struct PickledFile {
    path: PathBuf,
    encryption_server: Mutex<Option<EncryptionServer>>,
    decryption_server: Mutex<Option<DecryptionServer>>,
}

impl Object for PickledFile {
    fn class(&self) -> &'static str {
        PYTHON_BROADCAST
    }
}

impl Object for PythonBroadcast {
    fn class(&self) -> &'static str {
        BROADCAST
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: PYTHON_BROADCAST,
        extends: &[],
        members: &[
            method("setupEncryptionServer", 0, |call| {
                set_up(call, PickledFile::encryption_server, EncryptionServer::start, EncryptionServer::address)
            }),
            method("waitTillDataReceived", 0, |call| {
                wait(call, PickledFile::encryption_server, "setupEncryptionServer", EncryptionServer::finish)
            }),
            method("setupDecryptionServer", 0, |call| {
                set_up(call, PickledFile::decryption_server, DecryptionServer::start, DecryptionServer::address)
            }),
            method("waitTillBroadcastDataSent", 0, |call| {
                wait(call, PickledFile::decryption_server, "setupDecryptionServer", DecryptionServer::wait)
            }),
        ],
    },
    Class {
        name: BROADCAST,
        extends: &[],
        members: &[
            method("id", 0, |call| Ok(Value::Long(call.this::<PythonBroadcast>()?.id()))),
            method("unpersist", 1, |call| {
                live_broadcast(call)?.unpersist(call.bool(0)?);
                Ok(Value::Void)
            }),
            method("destroy", 1, |call| {
                live_broadcast(call)?.destroy();
                Ok(Value::Void)
            }),
        ],
    },
];

fn live_broadcast<'a>(call: &JavaCall<'a>) -> Result<&'a PythonBroadcast, Failure> {
    let broadcast: &PythonBroadcast = call.this()?;
    // By a handle of its own, as one that the value was read through keeps it.
    match broadcast.0.clone().try_value() {
        Err(BroadcastError::Destroyed { .. }) => Err(destroyed_broadcast(broadcast.id()).into()),
        _ => Ok(broadcast),
    }
}

/// `PythonRDD.setupBroadcast`: the value comes into the file later.
pub(super) fn set_up_broadcast(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(PickledFile {
        path: call.text(0)?.into(),
        encryption_server: Mutex::default(),
        decryption_server: Mutex::default(),
    }))
}

/// `JavaSparkContext.broadcast`, which is only ever called with a file of Python.
pub(super) fn broadcast(call: &JavaCall<'_>) -> JavaResult {
    let file = call.object::<PickledFile>(0)?;
    let application = application(call)?;
    let value = file.read(application).map_err(|error| file.failed(&error))?;
    let broadcast = application.context().broadcast(BroadcastFile::new(value.into())).map_err(thrown)?;
    Ok(Value::object(PythonBroadcast(broadcast)))
}

impl PickledFile {
    fn encryption_server(&self) -> &Mutex<Option<EncryptionServer>> {
        &self.encryption_server
    }

    fn decryption_server(&self) -> &Mutex<Option<DecryptionServer>> {
        &self.decryption_server
    }

    fn read(&self, application: &Application) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let mut value = Vec::new();
        match application.context().io_encryption() {
            Some(encryption) => encryption.reader(file).read_to_end(&mut value)?,
            None => file.read_to_end(&mut value)?,
        };
        Ok(value)
    }

    fn failed(&self, error: &io::Error) -> Throwable {
        Throwable::new(IO_EXCEPTION, format!("{}: {error}", self.path.display()))
    }
}

/// Starts a server of the file's, and says where it is: port or path, and secret.
fn set_up<S>(
    call: &JavaCall<'_>,
    slot: impl Fn(&PickledFile) -> &Mutex<Option<S>>,
    start: impl Fn(&Sockets, &Path, &IoEncryption) -> io::Result<S>,
    address: impl Fn(&S) -> &Address,
) -> JavaResult {
    let file = call.this::<PickledFile>()?;
    let application: Arc<Application> = call.state.application().ok_or_else(no_context)?;
    let encryption = application.context().io_encryption().ok_or_else(|| {
        Throwable::new(
            "java.lang.IllegalStateException",
            "local files are not encrypted (spark.io.encryption.enabled), so the program reads and writes them itself",
        )
    })?;
    let server = start(application.sockets(), &file.path, encryption).map_err(|error| file.failed(&error))?;
    let (place, secret) = (address(&server).place(), address(&server).secret());
    *slot(file).lock() = Some(server);
    Ok(Value::object(JavaArray::new([place, secret])))
}

/// Waits for what such a server has to do, once. `set_up_by` is the call that starts it.
fn wait<S>(
    call: &JavaCall<'_>,
    slot: impl Fn(&PickledFile) -> &Mutex<Option<S>>,
    set_up_by: &str,
    finish: impl Fn(S) -> io::Result<()>,
) -> JavaResult {
    let file = call.this::<PickledFile>()?;
    let server = slot(file).lock().take();
    let server = server.ok_or_else(|| {
        Failure::NotCalled(format!("nobody has called {set_up_by} before, or its end was waited for already"))
    })?;
    finish(server).map_err(|error| file.failed(&error))?;
    Ok(Value::Void)
}
