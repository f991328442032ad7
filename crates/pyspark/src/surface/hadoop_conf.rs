//! Hadoop's `Configuration`.

use firesteel::HadoopConfiguration;
use firesteel_filesystem::HadoopConf;
use firesteel_py4j::{Class, Failure, JavaEntry, JavaIterator, Object, Throwable, Value, constructor, method};

use super::{JavaCall, JavaResult, context::application};
use crate::{
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, IO_EXCEPTION, thrown},
};

const CONFIGURATION: &str = "org.apache.hadoop.conf.Configuration";
const NUMBER_FORMAT: &str = "java.lang.NumberFormatException";

/// What Hadoop says of its own where nobody has set it, as far as it means anything here.
const DEFAULTS: [(&str, &str); 1] = [("fs.defaultFS", "file:///")];

/// The application's, or one of the program's own.
pub(super) struct ConfigurationHandle(pub(super) HadoopConfiguration);

impl Object for ConfigurationHandle {
    fn class(&self) -> &'static str {
        CONFIGURATION
    }

    fn to_java_string(&self) -> String {
        "Configuration: core-site.xml, hdfs-site.xml".to_owned()
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[Class {
    name: CONFIGURATION,
    extends: &[],
    members: &[
        constructor(0, |_| {
            let conf = HadoopConf::default().with_environment();
            let conf = conf.map_err(|error| Throwable::new(IO_EXCEPTION, firesteel_model::error_chain(&error)))?;
            Ok(Value::object(ConfigurationHandle(conf.into())))
        }),
        constructor(1, |call| {
            let other = call.object::<ConfigurationHandle>(0)?.0.to_conf();
            Ok(Value::object(ConfigurationHandle(other.into())))
        }),
        method("get", 1, |call| Ok(Value::optional_text(get(call, call.text(0)?)?))),
        method("get", 2, |call| Ok(get(call, call.text(0)?)?.map_or_else(|| call.argument(1).clone(), Value::text))),
        method("getInt", 2, |call| number(call, |number| i32::try_from(number).ok().map(Value::Int))),
        method("getLong", 2, |call| number(call, |number| Some(Value::Long(number)))),
        method("getBoolean", 2, get_boolean),
        method("set", 2, |call| set(call, call.optional_text(1)?)),
        method("setInt", 2, |call| set(call, Some(&call.long(1)?.to_string()))),
        method("setLong", 2, |call| set(call, Some(&call.long(1)?.to_string()))),
        method("setDouble", 2, |call| set(call, Some(&call.argument(1).to_java_string()))),
        method("setBoolean", 2, |call| set(call, Some(if call.bool(1)? { "true" } else { "false" }))),
        method("setIfUnset", 2, |call| match get(call, call.text(0)?)? {
            Some(_) => Ok(Value::Void),
            None => set(call, call.optional_text(1)?),
        }),
        method("unset", 1, |call| {
            this(call)?.unset(call.text(0)?);
            Ok(Value::Void)
        }),
        method("size", 0, |call| Ok(Value::Int(i32::try_from(all(call)?.len()).unwrap_or(i32::MAX)))),
        method("iterator", 0, |call| {
            let entries = all(call)?
                .into_iter()
                .map(|(key, value)| Value::object(JavaEntry(Value::text(key), Value::text(value))));
            Ok(Value::object(JavaIterator::new(entries)))
        }),
    ],
}];

/// `hadoopConfiguration` of both classes of contexts: what is set in it counts for all that reads or writes from then on.
pub(super) fn hadoop_configuration(call: &JavaCall<'_>) -> JavaResult {
    let configuration = application(call)?.context().hadoop_configuration().map_err(thrown)?;
    Ok(Value::object(ConfigurationHandle(configuration)))
}

fn this<'a>(call: &JavaCall<'a>) -> Result<&'a HadoopConfiguration, Failure> {
    Ok(&call.this::<ConfigurationHandle>()?.0)
}

fn get(call: &JavaCall<'_>, key: &str) -> Result<Option<String>, Failure> {
    let default = || DEFAULTS.iter().find(|(own, _)| *own == key).map(|(_, value)| (*value).to_owned());
    Ok(this(call)?.get(key).or_else(default))
}

fn set(call: &JavaCall<'_>, value: Option<&str>) -> JavaResult {
    let key = call.text(0)?;
    let missing = || Throwable::new(ILLEGAL_ARGUMENT, format!("The value of property {key} must not be null"));
    this(call)?.set(key, value.ok_or_else(missing)?);
    Ok(Value::Void)
}

fn number(call: &JavaCall<'_>, fits: impl Fn(i64) -> Option<Value>) -> JavaResult {
    let Some(text) = get(call, call.text(0)?)? else { return Ok(call.argument(1).clone()) };
    let number = text.parse().ok().and_then(fits);
    number.ok_or_else(|| Throwable::new(NUMBER_FORMAT, format!("For input string: \"{text}\"")).into())
}

/// What is neither true nor false is as if it were not set, as in Hadoop.
fn get_boolean(call: &JavaCall<'_>) -> JavaResult {
    let value = get(call, call.text(0)?)?.map(|value| value.to_ascii_lowercase());
    Ok(match value.as_deref() {
        Some("true") => Value::Bool(true),
        Some("false") => Value::Bool(false),
        _ => call.argument(1).clone(),
    })
}

fn all(call: &JavaCall<'_>) -> Result<Vec<(String, String)>, Failure> {
    let conf = this(call)?.to_conf();
    let defaults = DEFAULTS.iter().filter(|(key, _)| conf.get(key).is_none()).copied();
    Ok(defaults.chain(conf.iter()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}
