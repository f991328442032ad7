//! Hadoop's `Path` and Java's `URI`.

use firesteel_py4j::{Class, Failure, Object, Throwable, Value, constructor, method, static_method};

use super::{JavaCall, hadoop_fs};
use crate::{
    driver::Driver,
    error::ILLEGAL_ARGUMENT,
    hadoop::{HadoopPath, Uri},
};

const PATH: &str = "org.apache.hadoop.fs.Path";
const URI: &str = "java.net.URI";

pub(super) struct PathHandle(pub(super) HadoopPath);

pub(super) struct UriHandle(pub(super) Uri);

impl Object for PathHandle {
    fn class(&self) -> &'static str {
        PATH
    }

    fn to_java_string(&self) -> String {
        self.0.to_string()
    }
}

impl Object for UriHandle {
    fn class(&self) -> &'static str {
        URI
    }

    fn to_java_string(&self) -> String {
        self.0.to_string()
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: PATH,
        extends: &[],
        members: &[
            constructor(1, |call| Ok(Value::object(PathHandle(path(call, 0)?)))),
            constructor(2, |call| Ok(Value::object(PathHandle(path(call, 0)?.join(&path(call, 1)?))))),
            method("getName", 0, |call| Ok(Value::text(this(call)?.name()))),
            method("getParent", 0, |call| {
                Ok(this(call)?.parent().map_or(Value::Null, |parent| Value::object(PathHandle(parent))))
            }),
            method("toUri", 0, |call| Ok(Value::object(UriHandle(this(call)?.0.clone())))),
            method("isAbsolute", 0, |call| Ok(Value::Bool(this(call)?.is_absolute()))),
            method("isRoot", 0, |call| Ok(Value::Bool(this(call)?.is_root()))),
            method("depth", 0, |call| Ok(Value::Int(i32::try_from(this(call)?.depth()).unwrap_or(i32::MAX)))),
            method("suffix", 1, |call| {
                let text = format!("{}{}", this(call)?, call.text(0)?);
                Ok(Value::object(PathHandle(parse(&text)?)))
            }),
            method("getFileSystem", 1, hadoop_fs::of_path),
            method("equals", 1, |call| {
                let other = call.argument(0).as_object::<PathHandle>();
                Ok(Value::Bool(other.is_some_and(|other| other.0.to_string() == call.this_value().to_java_string())))
            }),
        ],
    },
    Class {
        name: URI,
        extends: &[],
        members: &[
            constructor(1, |call| Ok(Value::object(UriHandle(Uri::parse(call.text(0)?))))),
            static_method("create", 1, |call| Ok(Value::object(UriHandle(Uri::parse(call.text(0)?))))),
            method("getScheme", 0, |call| Ok(Value::optional_text(uri(call)?.scheme.as_deref()))),
            method("getAuthority", 0, |call| Ok(Value::optional_text(uri(call)?.authority()))),
            method("getHost", 0, |call| Ok(Value::optional_text(uri(call)?.host()))),
            method("getPort", 0, |call| Ok(Value::Int(uri(call)?.port()))),
            method("getPath", 0, |call| Ok(Value::text(uri(call)?.path.as_str()))),
        ],
    },
];

fn this<'a>(call: &JavaCall<'a>) -> Result<&'a HadoopPath, Failure> {
    Ok(&call.this::<PathHandle>()?.0)
}

fn uri<'a>(call: &JavaCall<'a>) -> Result<&'a Uri, Failure> {
    Ok(&call.this::<UriHandle>()?.0)
}

fn parse(text: &str) -> Result<HadoopPath, Failure> {
    HadoopPath::parse(text).map_err(|error| Throwable::new(ILLEGAL_ARGUMENT, error.to_string()).into())
}

/// A path, an address or a text.
fn path(call: &JavaCall<'_>, index: usize) -> Result<HadoopPath, Failure> {
    let value = call.argument(index);
    if let Some(path) = value.as_object::<PathHandle>() {
        return Ok(path.0.clone());
    }
    match value.as_object::<UriHandle>() {
        Some(uri) => Ok(HadoopPath::of(uri.0.clone())),
        None => parse(call.text(index)?),
    }
}
