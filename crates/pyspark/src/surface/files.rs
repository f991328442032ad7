//! Files: as data sets, and those that are shipped to executors.

use bytes::Bytes;
use firesteel::{Rdd, SparkContext, SparkError};
use firesteel_py4j::Value;

use super::{
    JavaCall, JavaResult,
    context::{application, done},
    rdd::{JAVA_PAIR_RDD, JAVA_RDD, RddHandle},
};
use crate::{
    call_site::{self, NATIVE, by_default},
    error::{thrown, thrown_for_input},
    error_text::of_added_archive,
    rdd::{Later, join_elements},
};

/// A source that is looked at when it is needed.
pub(super) fn later(
    call: &JavaCall<'_>,
    member: &str,
    name: Option<&str>,
    are_pairs: bool,
    make: impl Fn(&SparkContext) -> Result<Rdd<Bytes>, SparkError> + Send + Sync + 'static,
) -> JavaResult {
    let application = application(call)?;
    let context = application.context().clone();
    let place = call_site::or_default(&format!("{member} at {NATIVE}"));
    let by_mapreduce = !matches!(member, "textFile" | "objectFile");
    let later = {
        let place = place.clone();
        move || by_default(&context, &place, || make(&context)).map_err(|error| thrown_for_input(error, by_mapreduce))
    };
    let elements =
        by_default(application.context(), &place, || Later::elements(application.context(), are_pairs, later));
    if let Some(name) = name {
        elements.set_name(Some(name));
    }
    Ok(RddHandle::value(application, if are_pairs { JAVA_PAIR_RDD } else { JAVA_RDD }, elements))
}

/// `JavaSparkContext.checkpointFile`
pub(super) fn checkpoint_file(call: &JavaCall<'_>) -> JavaResult {
    let path = call.text(0)?.to_owned();
    later(call, "checkpointFile", None, false, move |context| context.checkpoint_file::<Bytes>(&path))
}

pub(super) fn text_file(call: &JavaCall<'_>) -> JavaResult {
    let (path, partitions) = (call.text(0)?.to_owned(), call.count(1)?);
    later(call, "textFile", Some(call.text(0)?), false, move |context| {
        let lines = context.text_file_with(&path, partitions)?;
        Ok(lines.map(|line| Bytes::from(line.into_bytes())))
    })
}

pub(super) fn whole_text_files(call: &JavaCall<'_>) -> JavaResult {
    let (path, partitions) = (call.text(0)?.to_owned(), call.count(1)?);
    later(call, "wholeTextFiles", Some(call.text(0)?), true, move |context| {
        let files = context.whole_text_files_with(&path, partitions)?;
        Ok(files.map(|(name, text)| join_elements(&(false, false), (name.into(), text.into()))))
    })
}

pub(super) fn binary_files(call: &JavaCall<'_>) -> JavaResult {
    let (path, partitions) = (call.text(0)?.to_owned(), call.count(1)?);
    later(call, "binaryFiles", Some(call.text(0)?), true, move |context| {
        let files = context.binary_files_with(&path, partitions)?;
        Ok(files.map(|(name, content)| join_elements(&(false, false), (name.into(), content))))
    })
}

pub(super) fn binary_records(call: &JavaCall<'_>) -> JavaResult {
    let (path, length) = (call.text(0)?.to_owned(), call.count(1)?);
    later(call, "binaryRecords", None, false, move |context| context.binary_records(&path, length))
}

pub(super) fn add_file(call: &JavaCall<'_>) -> JavaResult {
    let (context, path) = (application(call)?.context(), call.text(0)?);
    done(if call.bool(1)? { context.add_file_recursive(path) } else { context.add_file(path) })
}

pub(super) fn add_archive(call: &JavaCall<'_>) -> JavaResult {
    let added = application(call)?.context().add_archive(call.text(0)?);
    added.map_err(|error| of_added_archive(thrown(error)))?;
    Ok(Value::Void)
}

pub(super) fn list_files(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::list(application(call)?.context().list_files().into_iter().map(Value::text)))
}

pub(super) fn list_archives(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::list(application(call)?.context().list_archives().into_iter().map(Value::text)))
}
