//! `SparkSession`, as far as it is the way to a `SparkContext`.
//!
//! Many programs that only use data sets begin with a session. It has its context, its version and its configuration; everything
//! that is SQL is refused, and the error says so.

use std::{cell::RefCell, sync::Arc};

use firesteel::SparkConf;
use firesteel_conf::keys;
use firesteel_py4j::{
    Class, Failure, JavaMap, Object, Throwable, Value, constructor, method, static_field, static_method,
};
use parking_lot::Mutex;

use super::{
    JavaCall, JavaResult, NO_SQL,
    context::{ContextHandle, spark_context},
    scala::ScalaOption,
};
use crate::{application::Application, driver::Driver};

pub(super) const PACKAGE: &str = "org.apache.spark.sql.";

const SESSION: &str = "org.apache.spark.sql.classic.SparkSession";
const MODULE: &str = "org.apache.spark.sql.classic.SparkSession$";
const RUNTIME_CONFIG: &str = "org.apache.spark.sql.classic.RuntimeConfig";
const SQL_CONTEXT: &str = "org.apache.spark.sql.classic.SQLContext";
const SQL_CONF: &str = "org.apache.spark.sql.internal.SQLConf";
const NO_SUCH_ELEMENT: &str = "org.apache.spark.SparkNoSuchElementException";
const ANALYSIS: &str = "org.apache.spark.sql.AnalysisException";

/// PySpark asks it whether errors show frames of Java. There are none.
const SHOW_JAVA: &str = "spark.sql.pyspark.jvmStacktrace.enabled";

thread_local! {
    /// The active session of a thread of the program.
    static ACTIVE: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// A session: what it was given beside the context's own configuration.
#[derive(Clone)]
pub(crate) struct Session {
    application: Arc<Application>,
    settings: Arc<Mutex<SparkConf>>,
}

/// The session's configuration.
struct RuntimeConfig(Session);

/// Scala's object beside the class.
struct Module;

struct SqlContext;

struct SqlConf;

impl Session {
    fn new(application: &Arc<Application>, options: &JavaMap) -> Self {
        let session = Self { application: Arc::clone(application), settings: Mutex::new(SparkConf::new()).into() };
        session.apply(options);
        session
    }

    fn apply(&self, options: &JavaMap) {
        let mut settings = self.settings.lock();
        for (key, value) in options.entries() {
            settings.set(key.to_java_string(), value.to_java_string());
        }
    }

    fn get(&self, key: &str) -> Option<String> {
        let own = self.settings.lock().get_raw(key).map(str::to_owned);
        own.or_else(|| self.application.conf().get_raw(key).map(str::to_owned))
    }

    fn all(&self) -> SparkConf {
        let mut all = self.application.conf().clone();
        all.set_all(self.settings.lock().get_all());
        all
    }
}

impl Object for Session {
    fn class(&self) -> &'static str {
        SESSION
    }
}

impl Object for RuntimeConfig {
    fn class(&self) -> &'static str {
        RUNTIME_CONFIG
    }
}

impl Object for Module {
    fn class(&self) -> &'static str {
        MODULE
    }
}

impl Object for SqlContext {
    fn class(&self) -> &'static str {
        SQL_CONTEXT
    }
}

impl Object for SqlConf {
    fn class(&self) -> &'static str {
        SQL_CONF
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: SESSION,
        extends: &[],
        members: &[
            constructor(2, |call| {
                let application = &call.object::<ContextHandle>(0)?.application;
                Ok(Value::object(Session::new(application, call.object(1)?)))
            }),
            static_method("getDefaultSession", 0, |call| option(call.state.default_session())),
            static_method("getActiveSession", 0, |_| option(ACTIVE.with_borrow(Clone::clone))),
            static_method("setDefaultSession", 1, |call| {
                call.state.set_default_session(Some(call.object::<Session>(0)?.clone()));
                Ok(Value::Void)
            }),
            static_method("setActiveSession", 1, |call| {
                ACTIVE.set(Some(call.object::<Session>(0)?.clone()));
                Ok(Value::Void)
            }),
            static_method("clearDefaultSession", 0, |call| {
                call.state.set_default_session(None);
                Ok(Value::Void)
            }),
            static_method("clearActiveSession", 0, |_| {
                ACTIVE.set(None);
                Ok(Value::Void)
            }),
            method("sparkContext", 0, |call| Ok(spark_context(&call.this::<Session>()?.application))),
            method("version", 0, |_| Ok(Value::text(super::context::VERSION))),
            method("conf", 0, |call| Ok(Value::object(RuntimeConfig(call.this::<Session>()?.clone())))),
            method("sqlContext", 0, |_| Ok(Value::object(SqlContext))),
            method("newSession", 0, |call| {
                let application = Arc::clone(&call.this::<Session>()?.application);
                Ok(Value::object(Session { application, settings: Mutex::new(SparkConf::new()).into() }))
            }),
        ],
    },
    Class {
        name: MODULE,
        extends: &[],
        members: &[
            static_field("MODULE$", |_| Ok(Value::object(Module))),
            method("applyModifiableSettings", 2, |call| {
                call.object::<Session>(0)?.apply(call.object(1)?);
                Ok(Value::Void)
            }),
        ],
    },
    Class {
        name: RUNTIME_CONFIG,
        extends: &[],
        members: &[
            method("get", 1, get),
            method("get", 2, |call| {
                let value = session(call)?.get(call.text(0)?).map(Value::text);
                Ok(value.unwrap_or_else(|| call.argument(1).clone()))
            }),
            method("set", 2, set),
            method("unset", 1, |call| {
                check_modifiable(call.text(0)?)?;
                session(call)?.settings.lock().remove(call.text(0)?);
                Ok(Value::Void)
            }),
            method("isModifiable", 1, |call| Ok(Value::Bool(call.text(0)?.starts_with(SQL)))),
            method("getAllAsJava", 0, |call| {
                let all = session(call)?.all();
                Ok(Value::object(JavaMap::new(
                    all.get_all().map(|(key, value)| (Value::text(key), Value::text(value))),
                )))
            }),
        ],
    },
    Class { name: SQL_CONTEXT, extends: &[], members: &[] },
    // PySpark imports it, so its short name must be known for its members to be refused by their names.
    Class { name: "org.apache.spark.sql.functions", extends: &[], members: &[] },
    Class {
        name: SQL_CONF,
        extends: &[],
        members: &[
            static_method("get", 0, |_| Ok(Value::object(SqlConf))),
            method("pysparkJVMStacktraceEnabled", 0, |call| {
                let session = ACTIVE.with_borrow(Clone::clone).or_else(|| call.state.default_session());
                let value = session.and_then(|session| session.get(SHOW_JAVA));
                Ok(Value::Bool(value.as_deref() == Some("true")))
            }),
        ],
    },
];

fn option(session: Option<Session>) -> JavaResult {
    Ok(Value::object(ScalaOption(session.map(Value::object))))
}

fn session<'a>(call: &JavaCall<'a>) -> Result<&'a Session, Failure> {
    Ok(&call.this::<RuntimeConfig>()?.0)
}

fn get(call: &JavaCall<'_>) -> JavaResult {
    let key = call.text(0)?;
    if let Some(value) = session(call)?.get(key) {
        return Ok(Value::text(value));
    }
    if key.starts_with("spark.sql.") {
        let why = format!("{key} is not set, and has no value of its own in Firesteel: {NO_SQL}");
        return Err(Failure::NotCalled(why));
    }
    let message = format!(
        "[SQL_CONF_NOT_FOUND] The SQL config \"{key}\" cannot be found. Please verify that the config exists. SQLSTATE: 42K0I"
    );
    Err(Throwable::new(NO_SUCH_ELEMENT, message).into())
}

fn set(call: &JavaCall<'_>) -> JavaResult {
    let (key, value) = (call.text(0)?, call.argument(1));
    check_modifiable(key)?;
    session(call)?.settings.lock().set(key, value.to_java_string());
    Ok(Value::Void)
}

/// How the keys begin that SQL declares. Of all others Spark says that they cannot be modified, and lets the user's own be set.
const SQL: &str = "spark.sql.";

/// What the running application has read already is fixed.
fn check_modifiable(key: &str) -> Result<(), Failure> {
    if keys::find(key).is_none() {
        return Ok(());
    }
    let message = format!(
        "[CANNOT_MODIFY_CONFIG] Cannot modify the value of the Spark config: \"{key}\". See also \
         'https://spark.apache.org/docs/latest/sql-migration-guide.html#ddl-statements'. SQLSTATE: 46110"
    );
    Err(Throwable::new(ANALYSIS, message).into())
}
