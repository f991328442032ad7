//! Files in formats of Hadoop's: the members of `PythonRDD` that read and write them, and object files.

use std::str::FromStr;

use bytes::Bytes;
use firesteel::{Codec, HadoopInput, HadoopOutput, InputFormat, OutputFormat, Rdd, Writable, WritableClass};
use firesteel_py4j::{Failure, JavaMap, Member, Throwable, Value, method, static_method};

use super::{
    JavaCall, JavaResult,
    context::ContextHandle,
    files::later,
    rdd::{JAVA_RDD, RddHandle, written},
};
use crate::{
    call_site::by_default,
    driver::Driver,
    error::{IO_EXCEPTION, thrown, thrown_for_input},
    hadoop::{Api, BatchSize, Job, JobError, frames, output, pickled, records, unpickled},
    rdd::Elements,
};

const INVALID_JOB: &str = "org.apache.hadoop.mapred.InvalidJobConfException";
const RUNTIME_EXCEPTION: &str = "java.lang.RuntimeException";
const CLASS_NOT_FOUND: &str = "java.lang.ClassNotFoundException";
const EMPTY: &str = "org.apache.spark.SparkUnsupportedOperationException";

/// Where Spark's own sources pickle pairs, and where they look at the first one.
const PICKLED: &str = "mapPartitions at SerDeUtil.scala:184";
const FIRST_PAIR: &str = "first at PythonRDD.scala:598";

type Pairs = Rdd<(Writable, Writable)>;

/// What `PythonRDD` has of this.
pub(super) const PYTHON_RDD_MEMBERS: &[Member<Driver>] = &[
    static_method("sequenceFile", 8, sequence_file),
    static_method("hadoopFile", 9, |call| hadoop_file(call, Api::Old)),
    static_method("newAPIHadoopFile", 9, |call| hadoop_file(call, Api::New)),
    static_method("hadoopRDD", 8, |call| hadoop_rdd(call, Api::Old)),
    static_method("newAPIHadoopRDD", 8, |call| hadoop_rdd(call, Api::New)),
    static_method("saveAsSequenceFile", 4, save_as_sequence_file),
    static_method("saveAsHadoopFile", 10, |call| save_as_hadoop_file(call, Api::Old)),
    static_method("saveAsNewAPIHadoopFile", 9, |call| save_as_hadoop_file(call, Api::New)),
    static_method("saveAsHadoopDataset", 6, save_as_hadoop_dataset),
];

/// What data sets of Java's have of it.
pub(super) const JAVA_RDD_MEMBERS: &[Member<Driver>] = &[method("saveAsObjectFile", 1, save_as_object_file)];

/// `JavaSparkContext.objectFile`
pub(super) fn object_file(call: &JavaCall<'_>) -> JavaResult {
    let (path, partitions) = (call.text(0)?.to_owned(), call.count(1)?);
    later(call, "objectFile", None, false, move |context| {
        let records = context.sequence_file_with(&path, partitions)?;
        Ok(records.flat_map(frames))
    })
}

fn save_as_object_file(call: &JavaCall<'_>) -> JavaResult {
    let handle = call.this::<RddHandle>()?;
    let output = HadoopOutput {
        format: OutputFormat::SequenceFile,
        path: call.text(0)?.to_owned(),
        key_class: WritableClass::Null,
        value_class: WritableClass::Bytes,
        file_prefix: "part-".to_owned(),
        settings: Vec::new(),
    };
    let records = frames_of(handle)?.with(()).map_partitions(records);
    written(&handle.application, || records.save_as_hadoop_file(&output))
}

/// The frames of a data set whose elements are one each.
fn frames_of(handle: &RddHandle) -> Result<&Rdd<Bytes>, Failure> {
    if handle.elements.are_several() {
        return Err(Failure::NotCalled("only a data set of pickled elements can be saved so".to_owned()));
    }
    handle.rdd()
}

fn refused(error: JobError) -> Failure {
    match error {
        JobError::Format(_) | JobError::Class(_) => Failure::NotCalled(format!("py4j.Py4JException: {error}")),
        JobError::OtherApi { .. } => Throwable::new(RUNTIME_EXCEPTION, error.to_string()).into(),
        JobError::NoInput => Throwable::new(IO_EXCEPTION, error.to_string()).into(),
        JobError::NoOutput => Throwable::new(INVALID_JOB, error.to_string()).into(),
    }
}

fn writable_class(call: &JavaCall<'_>, index: usize) -> Result<Option<WritableClass>, Failure> {
    let class = call.optional_text(index)?.map(WritableClass::from_str).transpose();
    class.map_err(|error| refused(error.into()))
}

/// Converters are classes of the user's, in Java.
fn no_converters(call: &JavaCall<'_>, first: usize) -> Result<(), Failure> {
    for index in [first, first + 1] {
        if let Some(class) = call.optional_text(index)? {
            let why = "converters are classes of Java, of which there is none; convert by map() in Python";
            return Err(Failure::NotCalled(format!("the converter {class} cannot be used: {why}")));
        }
    }
    Ok(())
}

fn settings(call: &JavaCall<'_>, index: usize) -> Result<Vec<(String, String)>, Failure> {
    let entries = call.object::<JavaMap>(index)?.entries();
    let text = |value: &Value| value.as_text().map(str::to_owned).ok_or_else(|| call.wrong(index, "a dict of texts"));
    entries.iter().map(|(key, value)| Ok((text(key)?, text(value)?))).collect()
}

fn batch_size(call: &JavaCall<'_>, index: usize) -> Result<BatchSize, Failure> {
    Ok(match call.count(index)? {
        0 => BatchSize::Automatic,
        count => BatchSize::Fixed(count),
    })
}

/// A data set of pickled pairs. Files are looked at now, as Spark does, which wants to see the first pair. `place` is where
/// Spark's own sources make such a one.
fn read(call: &JavaCall<'_>, api: Api, input: &HadoopInput, place: &str, batch_size: BatchSize) -> JavaResult {
    let application = &call.object::<ContextHandle>(0)?.application;
    let context = application.context();
    let pairs = by_default(context, place, || context.hadoop_file(input));
    let pairs = pairs.map_err(|error| thrown_for_input(error, matches!(api, Api::New)))?;
    // Only what was named by its paths has their name.
    if place.contains("RDD at") {
        pairs.clear_name();
    }
    let batches = by_default(context, PICKLED, || pairs.with(batch_size).map_partitions(pickled));
    Ok(RddHandle::value(application, JAVA_RDD, Elements::Frames(batches)))
}

fn sequence_file(call: &JavaCall<'_>) -> JavaResult {
    writable_class(call, 2)?;
    writable_class(call, 3)?;
    no_converters(call, 4)?;
    let input = HadoopInput {
        format: InputFormat::SequenceFile,
        paths: call.text(1)?.to_owned(),
        min_partitions: Some(call.count(6)?),
        settings: Vec::new(),
    };
    read(call, Api::Old, &input, "sequenceFile at PythonRDD.scala:395", batch_size(call, 7)?)
}

fn min_partitions(call: &JavaCall<'_>, api: Api) -> Result<Option<u32>, Failure> {
    let context = call.object::<ContextHandle>(0)?.application.context();
    Ok((api == Api::Old).then(|| context.default_min_partitions()))
}

fn hadoop_file(call: &JavaCall<'_>, api: Api) -> JavaResult {
    writable_class(call, 3)?;
    writable_class(call, 4)?;
    no_converters(call, 5)?;
    let input = HadoopInput {
        format: api.input_format(call.text(2)?).map_err(refused)?,
        paths: call.text(1)?.to_owned(),
        min_partitions: min_partitions(call, api)?,
        settings: settings(call, 7)?,
    };
    let place = match api {
        Api::Old => "hadoopFile at PythonRDD.scala:534",
        Api::New => "newAPIHadoopFile at PythonRDD.scala:465",
    };
    read(call, api, &input, place, batch_size(call, 8)?)
}

fn hadoop_rdd(call: &JavaCall<'_>, api: Api) -> JavaResult {
    let format = api.input_format(call.text(1)?).map_err(refused)?;
    writable_class(call, 2)?;
    writable_class(call, 3)?;
    no_converters(call, 4)?;
    let settings = settings(call, 6)?;
    let configuration = call.object::<ContextHandle>(0)?.application.context().hadoop_configuration();
    let paths = job(&settings, &configuration.map_err(thrown)?).input().map_err(refused)?;
    let input = HadoopInput { format, paths, min_partitions: min_partitions(call, api)?, settings };
    let place = match api {
        Api::Old => "hadoopRDD at PythonRDD.scala:536",
        Api::New => "newAPIHadoopRDD at PythonRDD.scala:467",
    };
    read(call, api, &input, place, batch_size(call, 7)?)
}

/// A job by its own settings, and else the application's.
fn job(
    settings: &[(String, String)],
    configuration: &firesteel::HadoopConfiguration,
) -> Job<impl Fn(&str) -> Option<String>> {
    Job(move |key: &str| {
        let own = settings.iter().rev().find(|(own, _)| own == key).map(|(_, value)| value.clone());
        own.or_else(|| configuration.get(key))
    })
}

/// The data set that is to be saved, as pairs. That a dictionary of pickled elements is batched, PySpark always says.
fn pairs_of(call: &JavaCall<'_>) -> Result<Pairs, Failure> {
    let handle = call.object::<RddHandle>(0)?;
    if !call.bool(1)? {
        return Err(call.wrong(1, "true: elements that are pickled one by one are not written"));
    }
    Ok(frames_of(handle)?.with(()).map_partitions(unpickled))
}

/// Both classes if both are said, else those of the first pair.
fn classes(
    call: &JavaCall<'_>,
    said: (Option<WritableClass>, Option<WritableClass>),
    pairs: &Pairs,
) -> Result<(WritableClass, WritableClass), Failure> {
    if let (Some(key), Some(value)) = said {
        return Ok((key, value));
    }
    let application = &call.object::<RddHandle>(0)?.application;
    let first = by_default(application.context(), FIRST_PAIR, || application.run(|| pairs.take(1))).map_err(thrown)?;
    let (key, value) = first.first().ok_or_else(|| Throwable::new(EMPTY, "empty collection"))?;
    Ok((key.class(), value.class()))
}

fn save(call: &JavaCall<'_>, pairs: &Pairs, output: &HadoopOutput) -> JavaResult {
    written(&call.object::<RddHandle>(0)?.application, || pairs.save_as_hadoop_file(output))
}

fn codec_settings(call: &JavaCall<'_>, index: usize) -> Result<Vec<(String, String)>, Failure> {
    let Some(class) = call.optional_text(index)? else { return Ok(Vec::new()) };
    let codec = class.contains('.').then(|| class.parse::<Codec>().ok()).flatten();
    let codec = codec.ok_or_else(|| Throwable::new(CLASS_NOT_FOUND, class))?;
    Ok(HadoopOutput::compressed_in_blocks(codec))
}

fn save_as_sequence_file(call: &JavaCall<'_>) -> JavaResult {
    let settings = codec_settings(call, 3)?;
    let pairs = pairs_of(call)?;
    let classes = classes(call, (None, None), &pairs)?;
    let format = "org.apache.hadoop.mapred.SequenceFileOutputFormat";
    save(call, &pairs, &output(Api::Old, call.text(2)?, format, classes, settings).map_err(refused)?)
}

fn save_as_hadoop_file(call: &JavaCall<'_>, api: Api) -> JavaResult {
    api.output_format(call.text(3)?).map_err(refused)?;
    let said = (writable_class(call, 4)?, writable_class(call, 5)?);
    no_converters(call, 6)?;
    let mut settings = settings(call, 8)?;
    if api == Api::Old {
        settings.extend(codec_settings(call, 9)?);
    }
    let pairs = pairs_of(call)?;
    let classes = classes(call, said, &pairs)?;
    save(call, &pairs, &output(api, call.text(2)?, call.text(3)?, classes, settings).map_err(refused)?)
}

fn save_as_hadoop_dataset(call: &JavaCall<'_>) -> JavaResult {
    no_converters(call, 3)?;
    let api = if call.bool(5)? { Api::New } else { Api::Old };
    let settings = settings(call, 2)?;
    let configuration = call.object::<RddHandle>(0)?.application.context().hadoop_configuration();
    let output = job(&settings, &configuration.map_err(thrown)?).output(api, settings.clone()).map_err(refused)?;
    save(call, &pairs_of(call)?, &output)
}
