//! The classes of `org.apache.spark.api.python`.

use std::{fs::File, sync::Arc};

use bytes::Bytes;
use firesteel::{Broadcast, Rdd};
use firesteel_py4j::{Class, Failure, JavaList, JavaMap, Object, Throwable, Value, constructor, method, static_method};
use parking_lot::Mutex;

use super::{
    JavaCall, JavaResult,
    context::ContextHandle,
    job_control::set_job_group_of,
    rdd::{JAVA_RDD, PAIRWISE_RDD, PYTHON_RDD, RDD, RddHandle, value_of_pair},
};
use crate::{
    application::Application,
    call_site::{self, by_default},
    channel::{
        AccumulatorClient, AccumulatorServer, Address, ParallelizeServer, ResultServer, elements_of_piece, read_pieces,
    },
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, IO_EXCEPTION, thrown, thrown_by_iterator},
    error_text::no_such_partition,
    rdd::{
        BUFFER_SIZE, BroadcastFile, Elements, PythonBroadcast, PythonFunction, PythonPartitioner, SimplePythonFunction,
        apply, pair_up, piece,
    },
};

/// Functions that are larger than this are broadcast (`spark.broadcast.UDFCompressionThreshold`).
const BROADCAST_THRESHOLD: i64 = 1 << 20;

/// What `PythonRDD` has for files of Hadoop's formats.
const PYTHON_HADOOP: &str = "org.apache.spark.api.python.PythonRDD$Hadoop";
const ACCUMULATOR: &str = "org.apache.spark.api.python.PythonAccumulatorV2";
const BYTES_TO_STRING: &str = "org.apache.spark.api.python.BytesToString";
const PARALLELIZE_SERVER: &str = "org.apache.spark.api.python.PythonParallelizeServer";

/// Says that frames are text.
pub(super) struct BytesToString;

/// The program's own server of accumulators.
pub(super) struct AccumulatorHandle(AccumulatorServer);

/// Takes a collection.
struct ParallelizeHandle {
    application: Arc<Application>,
    address: Address,
    server: Mutex<Option<ParallelizeServer>>,
}

impl AccumulatorHandle {
    pub(super) fn client(&self) -> AccumulatorClient {
        AccumulatorClient::new(self.0.clone())
    }
}

impl Object for BytesToString {
    fn class(&self) -> &'static str {
        BYTES_TO_STRING
    }
}

impl Object for AccumulatorHandle {
    fn class(&self) -> &'static str {
        ACCUMULATOR
    }
}

impl Object for ParallelizeHandle {
    fn class(&self) -> &'static str {
        PARALLELIZE_SERVER
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: PYTHON_RDD,
        extends: &[RDD, PYTHON_HADOOP],
        members: &[
            constructor(4, new_python_rdd),
            static_method("readRDDFromFile", 3, read_rdd_from_file),
            static_method("collectAndServe", 1, collect_and_serve),
            static_method("collectAndServeWithJobGroup", 4, collect_and_serve_with_job_group),
            static_method("runJob", 3, run_job),
            static_method("toLocalIteratorAndServe", 2, to_local_iterator_and_serve),
            static_method("valueOfPair", 1, value_of_pair),
            static_method("setupBroadcast", 1, super::broadcast::set_up_broadcast),
        ],
    },
    Class { name: PYTHON_HADOOP, extends: &[], members: super::hadoop::PYTHON_RDD_MEMBERS },
    Class {
        name: "org.apache.spark.api.python.SimplePythonFunction",
        extends: &[],
        members: &[constructor(7, new_function)],
    },
    Class {
        name: "org.apache.spark.api.python.PythonPartitioner",
        extends: &[],
        members: &[constructor(2, new_partitioner)],
    },
    Class { name: BYTES_TO_STRING, extends: &[], members: &[constructor(0, |_| Ok(Value::object(BytesToString)))] },
    Class {
        name: ACCUMULATOR,
        extends: &[],
        members: &[constructor(3, new_accumulator), constructor(1, new_accumulator_on_file)],
    },
    Class {
        name: PARALLELIZE_SERVER,
        extends: &[],
        members: &[
            constructor(2, new_parallelize_server),
            method("connInfo", 0, |call| Ok(call.this::<ParallelizeHandle>()?.address.place())),
            // As PySpark before 4.1 calls it, which knows no sockets of the file system.
            method("port", 0, |call| Ok(call.this::<ParallelizeHandle>()?.address.place())),
            method("secret", 0, |call| Ok(call.this::<ParallelizeHandle>()?.address.secret())),
            method("getResult", 0, parallelize_result),
        ],
    },
    Class {
        name: "org.apache.spark.api.python.PythonUtils",
        extends: &[],
        members: &[
            static_method("isEncryptionEnabled", 1, |call| {
                Ok(Value::Bool(context(call)?.application.context().io_encryption().is_some()))
            }),
            static_method("getPythonAuthSocketTimeout", 1, |call| {
                let time = context(call)?.application.worker_settings().time_to_connect;
                Ok(Value::Long(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)))
            }),
            static_method("getSparkBufferSize", 1, |_| Ok(Value::Int(BUFFER_SIZE))),
            static_method("getBroadcastThreshold", 1, |_| Ok(Value::Long(BROADCAST_THRESHOLD))),
        ],
    },
];

fn new_function(call: &JavaCall<'_>) -> JavaResult {
    let application = call.state.application().ok_or_else(no_context)?;
    let text = |value: &Value, index| value.as_text().map(str::to_owned).ok_or_else(|| call.wrong(index, "texts"));
    let environment = call.object::<JavaMap>(1)?.entries();
    let environment = environment.iter().map(|(name, value)| Ok((text(name, 1)?, text(value, 1)?)));
    let broadcasts = call.object::<JavaList>(5)?.values();
    let broadcasts = broadcasts.iter().map(|value| {
        let broadcast = value.as_object::<PythonBroadcast>().ok_or_else(|| call.wrong(5, "broadcast values"))?;
        Ok(broadcast.0.clone())
    });
    Ok(Value::object(SimplePythonFunction(PythonFunction {
        command: call.bytes(0)?,
        environment: environment.collect::<Result<_, Failure>>()?,
        includes: call.object::<JavaList>(2)?.values().iter().map(|value| text(value, 2)).collect::<Result<_, _>>()?,
        python: call.text(3)?.to_owned(),
        python_version: call.text(4)?.to_owned(),
        broadcasts: broadcasts.collect::<Result<Vec<Broadcast<BroadcastFile>>, Failure>>()?,
        updates: application.updates().clone(),
        workers: application.worker_settings().clone(),
        several: false,
    })))
}

pub(super) fn no_context() -> Failure {
    Throwable::new("java.lang.IllegalStateException", "no SparkContext is running").into()
}

fn new_python_rdd(call: &JavaCall<'_>) -> JavaResult {
    let parent = call.object::<RddHandle>(0)?;
    let function = call.object::<SimplePythonFunction>(1)?.0.clone();
    let (preserves_partitioning, is_barrier) = (call.bool(2)?, call.bool(3)?);
    let function = PythonFunction { several: parent.elements.are_several(), ..function };
    let rdd = parent.rdd()?;
    let frames: Rdd<Bytes> = by_default(parent.application.context(), "RDD at PythonRDD.scala:59", || {
        match (is_barrier, preserves_partitioning) {
            (false, _) => rdd.with(function).map_partitions_shown_as("PythonRDD", preserves_partitioning, apply),
            (true, _) => rdd.barrier().map_partitions_shown_as("PythonRDD", preserves_partitioning, function, apply),
        }
    });
    Ok(RddHandle::value(&parent.application, PYTHON_RDD, Elements::Frames(frames)))
}

pub(super) fn new_pairwise_rdd(call: &JavaCall<'_>) -> JavaResult {
    let parent = call.object::<RddHandle>(0)?;
    let (frames, context) = (parent.rdd()?.with(()), parent.application.context());
    let pairs = by_default(context, "RDD at PythonRDD.scala:163", || {
        frames.map_partitions_shown_as("PairwiseRDD", false, pair_up)
    });
    Ok(RddHandle::value(&parent.application, PAIRWISE_RDD, Elements::Keyed(pairs)))
}

fn new_partitioner(call: &JavaCall<'_>) -> JavaResult {
    // None is what a data set without partitions has, and fewer are none.
    let partitions =
        u32::try_from(call.long(0)?.max(0)).map_err(|_| call.wrong(0, "a number that fits into 32 bits"))?;
    Ok(Value::object(PythonPartitioner { partitions, function: call.long(1)? }))
}

fn new_accumulator(call: &JavaCall<'_>) -> JavaResult {
    let port = u16::try_from(call.long(1)?).map_err(|_| call.wrong(1, "a port"))?;
    let (host, token) = (call.text(0)?.to_owned(), zeroize::Zeroizing::new(call.text(2)?.to_owned()));
    Ok(Value::object(AccumulatorHandle(AccumulatorServer::Loopback { host, port, token })))
}

fn new_accumulator_on_file(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(AccumulatorHandle(AccumulatorServer::FileSystem(call.text(0)?.into()))))
}

fn context<'a>(call: &JavaCall<'a>) -> Result<&'a ContextHandle, Failure> {
    call.object(0)
}

fn partitions(call: &JavaCall<'_>, index: usize) -> Result<u32, Failure> {
    match call.count(index)? {
        0 => Err(Throwable::new(ILLEGAL_ARGUMENT, "Positive number of partitions required").into()),
        partitions => Ok(partitions),
    }
}

fn parallelized(application: &Arc<Application>, place: &str, pieces: Vec<Bytes>) -> Value {
    let context = application.context();
    let rdd = by_default(context, place, || context.parallelize_pieces(pieces, elements_of_piece));
    RddHandle::value(application, JAVA_RDD, Elements::Frames(rdd))
}

/// The file is the program's, which removes it when this returns.
fn read_rdd_from_file(call: &JavaCall<'_>) -> JavaResult {
    let (application, path, partitions) = (&context(call)?.application, call.text(1)?, partitions(call, 2)?);
    let pieces = File::open(path).and_then(|file| read_pieces(&file, partitions));
    let pieces = pieces.map_err(|error| Throwable::new(IO_EXCEPTION, format!("{path}: {error}")))?;
    Ok(parallelized(application, "readRDDFromFile at PythonRDD.scala:326", pieces))
}

fn new_parallelize_server(call: &JavaCall<'_>) -> JavaResult {
    let (application, partitions) = (&context(call)?.application, partitions(call, 1)?);
    let server = ParallelizeServer::start(application.sockets(), partitions);
    let server = server.map_err(|error| Throwable::new(IO_EXCEPTION, error.to_string()))?;
    Ok(Value::object(ParallelizeHandle {
        application: Arc::clone(application),
        address: server.address().clone(),
        server: Mutex::new(Some(server)),
    }))
}

fn parallelize_result(call: &JavaCall<'_>) -> JavaResult {
    let handle = call.this::<ParallelizeHandle>()?;
    let server = handle.server.lock().take();
    let server = server.ok_or_else(|| Failure::NotCalled("the collection was taken already".to_owned()))?;
    let pieces = server.finish().map_err(|error| Throwable::new(IO_EXCEPTION, error.to_string()))?;
    Ok(parallelized(&handle.application, "readRDDFromInputStream at PythonRDD.scala:333", pieces))
}

/// Runs a job that brings these partitions here, and opens a socket for the program to take them from.
fn serve(handle: &RddHandle, partitions: impl IntoIterator<Item = u32>) -> JavaResult {
    let with = handle.rdd()?.with(handle.elements.are_several());
    let job = || handle.application.run(|| with.run_job_on(partitions, piece));
    let pieces = by_default(handle.application.context(), RUN_JOB, job);
    Ok(ResultServer::send(handle.application.sockets(), pieces.map_err(thrown)?)?.into_value())
}

fn collect_and_serve(call: &JavaCall<'_>) -> JavaResult {
    let handle = call.object::<RddHandle>(0)?;
    serve(handle, 0..handle.rdd()?.num_partitions())
}

/// Where Spark runs jobs of which the program does not say where it calls for them.
const RUN_JOB: &str = "runJob at PythonRDD.scala:218";

/// The group is the calling thread's from then on, as in Spark.
fn collect_and_serve_with_job_group(call: &JavaCall<'_>) -> JavaResult {
    let handle = call.object::<RddHandle>(0)?;
    let (group, description) = (call.optional_text(1)?, call.optional_text(2)?);
    set_job_group_of(handle.application.context(), group, description, call.bool(3)?);
    collect_and_serve(call)
}

/// Each partition is computed when the program asks for it. That one more may be computed ahead is an offer of Spark's that is not
/// taken: it changes no result.
fn to_local_iterator_and_serve(call: &JavaCall<'_>) -> JavaResult {
    let handle = call.object::<RddHandle>(0)?;
    let application = Arc::clone(&handle.application);
    let (rdd, are_several) = (handle.rdd()?.clone(), handle.elements.are_several());
    // The jobs are the calling thread's.
    let properties = application.context().inherit_local_properties();
    let place = call_site::or_default(RUN_JOB);
    let partitions = (0..rdd.num_partitions()).map(move |partition| {
        let job = || application.run(|| rdd.with(are_several).run_job_on([partition], piece));
        let pieces = properties.run(|| by_default(application.context(), &place, job)).map_err(thrown_by_iterator)?;
        Ok(pieces.into_iter().next().unwrap_or_default())
    });
    Ok(ResultServer::send_when_asked(handle.application.sockets(), partitions)?.into_value())
}

fn run_job(call: &JavaCall<'_>) -> JavaResult {
    let handle: &RddHandle = call.object(1)?;
    let total = handle.rdd()?.num_partitions();
    let partitions = call.object::<JavaList>(2)?.values();
    let partitions = partitions.iter().map(|value| match value {
        Value::Int(index) => {
            let partition = u32::try_from(*index).ok().filter(|partition| *partition < total);
            partition.ok_or_else(|| no_such_partition(i64::from(*index), total).into())
        }
        _ => Err(call.wrong(2, "numbers of partitions")),
    });
    serve(handle, partitions.collect::<Result<Vec<_>, Failure>>()?)
}
