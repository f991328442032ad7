//! Java's and Spark's own tools that PySpark reaches for.

use std::{
    env,
    ffi::OsStr,
    path::PathBuf,
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use firesteel::{Codec, SparkFiles};
use firesteel_py4j::{Class, JavaMap, Object, Throwable, Value, method, static_method};

use super::{JavaCall, JavaResult, conf::ConfHandle};
use crate::{
    application::create_directory,
    driver::Driver,
    error::{IO_EXCEPTION, SPARK_EXCEPTION},
};

const FILE: &str = "java.io.File";
const CLASS: &str = "java.lang.Class";

/// A path.
struct JavaFile(PathBuf);

impl Object for JavaFile {
    fn class(&self) -> &'static str {
        FILE
    }

    fn to_java_string(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

/// The class of a codec, the only classes that anything is done with.
pub(crate) struct CodecClass(pub(crate) Codec);

impl Object for CodecClass {
    fn class(&self) -> &'static str {
        CLASS
    }
}

pub(crate) const CLASSES: &[Class<Driver>] =
    &[
        Class {
            name: "java.lang.System",
            extends: &[],
            members: &[
                static_method("getProperty", 1, get_property),
                static_method("getProperty", 2, |call| match get_property(call)? {
                    Value::Null => Ok(call.argument(1).clone()),
                    known => Ok(known),
                }),
                static_method("setProperty", 2, set_property),
                static_method("clearProperty", 1, |call| {
                    Ok(Value::optional_text(call.state.clear_property(call.text(0)?)))
                }),
                static_method("getenv", 0, |_| {
                    let variables = env::vars_os().map(|(name, value)| (shown(&name), shown(&value)));
                    Ok(Value::object(JavaMap::new(variables)))
                }),
                static_method("getenv", 1, |call| {
                    Ok(env::var_os(call.text(0)?).map_or(Value::Null, |value| shown(&value)))
                }),
                static_method("currentTimeMillis", 0, |_| {
                    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    Ok(Value::Long(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)))
                }),
                static_method("nanoTime", 0, |_| {
                    Ok(Value::Long(i64::try_from(FIRST_LOOK.elapsed().as_nanos()).unwrap_or(i64::MAX)))
                }),
                static_method("lineSeparator", 0, |_| Ok(Value::text("\n"))),
                // What nothing refers to any more has gone already.
                static_method("gc", 0, |_| Ok(Value::Void)),
            ],
        },
        Class {
            name: CLASS,
            extends: &["java.lang.reflect.Type"],
            members: &[static_method("forName", 1, class_for_name)],
        },
        Class {
            name: FILE,
            extends: &[],
            members: &[method("getAbsolutePath", 0, |call| Ok(Value::text(call.this::<JavaFile>()?.to_java_string())))],
        },
        Class {
            name: "org.apache.spark.SparkFiles",
            extends: &[],
            members: &[static_method("getRootDirectory", 0, |_| {
                Ok(Value::text(SparkFiles::root_directory().to_string_lossy()))
            })],
        },
        Class {
            name: "org.apache.spark.util.Utils",
            extends: &[],
            members: &[
                static_method("getLocalDir", 1, get_local_dir),
                static_method("createTempDir", 2, create_temp_dir),
                static_method("exceptionString", 1, |call| Ok(Value::text(call.object::<Throwable>(0)?.stack_trace()))),
            ],
        },
    ];

/// When the clock of `nanoTime` began.
static FIRST_LOOK: LazyLock<Instant> = LazyLock::new(Instant::now);

fn shown(text: &OsStr) -> Value {
    Value::text(text.to_string_lossy())
}

fn get_property(call: &JavaCall<'_>) -> JavaResult {
    let key = call.text(0)?;
    let known = || match key {
        "java.io.tmpdir" => Some(env::temp_dir().to_string_lossy().into_owned()),
        "user.dir" => env::current_dir().ok().map(|directory| directory.to_string_lossy().into_owned()),
        "user.home" => env::var("HOME").ok(),
        // Whatever way it was started, `spark-submit` has started it.
        "SPARK_SUBMIT" => Some("true".to_owned()),
        "line.separator" => Some("\n".to_owned()),
        "file.separator" => Some("/".to_owned()),
        _ => None,
    };
    Ok(Value::optional_text(call.state.property(key).or_else(known)))
}

fn set_property(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::optional_text(call.state.set_property(call.text(0)?, call.text(1)?)))
}

fn class_for_name(call: &JavaCall<'_>) -> JavaResult {
    let name = call.text(0)?;
    let codec = name.contains('.').then(|| name.parse().ok()).flatten();
    let codec = codec.ok_or_else(|| Throwable::new("java.lang.ClassNotFoundException", name))?;
    Ok(Value::object(CodecClass(codec)))
}

/// In the directories of the running application, so that what PySpark leaves there goes with them.
fn get_local_dir(call: &JavaCall<'_>) -> JavaResult {
    call.object::<ConfHandle>(0)?;
    let application = call.state.application();
    let application = application.ok_or_else(|| Throwable::new(SPARK_EXCEPTION, "no SparkContext is running"))?;
    Ok(Value::text(application.local_directory().to_string_lossy()))
}

fn create_temp_dir(call: &JavaCall<'_>) -> JavaResult {
    let root = call.text(0)?;
    let created = create_directory(root, call.text(1)?);
    let path = created.map_err(|error| {
        Throwable::new(IO_EXCEPTION, format!("Failed to create a temp directory (under {root}): {error}"))
    })?;
    Ok(Value::object(JavaFile(path)))
}
