//! What the functions of all classes work on.

use std::{collections::BTreeMap, sync::Arc};

use firesteel::SparkConf;
use parking_lot::Mutex;

use crate::{application::Application, program::ProgramRelease, surface::Session};

/// The state of the driver's process.
pub(crate) struct Driver {
    /// What `spark-submit` has decided.
    submitted: SparkConf,
    /// The program's PySpark.
    release: ProgramRelease,
    /// Java's system properties, as far as the program has set them.
    properties: Mutex<BTreeMap<String, String>>,
    /// The running application.
    application: Mutex<Option<Arc<Application>>>,
    /// The session that programs get if they name none.
    default_session: Mutex<Option<Session>>,
}

impl Driver {
    pub(crate) fn new(submitted: SparkConf, release: ProgramRelease) -> Self {
        Self {
            submitted,
            release,
            properties: Mutex::default(),
            application: Mutex::default(),
            default_session: Mutex::default(),
        }
    }

    /// The version of the program's PySpark, if it could be found out.
    pub(crate) fn release(&self) -> Option<String> {
        self.release.get()
    }

    /// What a new `SparkConf(true)` holds.
    pub(crate) fn default_conf(&self) -> SparkConf {
        let mut conf = self.submitted.clone();
        let properties = self.properties.lock();
        conf.set_all(properties.iter().filter(|(key, _)| key.starts_with("spark.")));
        conf
    }

    pub(crate) fn property(&self, key: &str) -> Option<String> {
        self.properties.lock().get(key).cloned()
    }

    /// Gives the value that was there.
    pub(crate) fn set_property(&self, key: &str, value: &str) -> Option<String> {
        self.properties.lock().insert(key.to_owned(), value.to_owned())
    }

    /// Gives the value that was there.
    pub(crate) fn clear_property(&self, key: &str) -> Option<String> {
        self.properties.lock().remove(key)
    }

    /// The application that runs, or ran last.
    pub(crate) fn application(&self) -> Option<Arc<Application>> {
        self.application.lock().clone()
    }

    pub(crate) fn default_session(&self) -> Option<Session> {
        self.default_session.lock().clone()
    }

    pub(crate) fn set_default_session(&self, session: Option<Session>) {
        *self.default_session.lock() = session;
    }

    pub(crate) fn started(&self, application: &Arc<Application>) {
        *self.application.lock() = Some(Arc::clone(application));
    }
}
