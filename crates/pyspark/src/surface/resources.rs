//! Resource profiles: what tasks and executors of a stage should have.
//!
//! What they ask of tasks counts where executors are processes. As in Spark, what they ask of executors needs executors that
//! come when they are wanted, and is refused; and local masters take no profiles at all.

use firesteel::{
    ResourceInformation, ResourceProfile, ResourceProfileError, SparkConf, SparkError, TaskResourceRequests,
};
use firesteel_conf::keys;
use firesteel_py4j::{Class, Failure, JavaArray, JavaMap, Object, Throwable, Value, constructor, method};
use parking_lot::Mutex;

use super::{JavaCall, JavaResult, context::application, rdd::RddHandle};
use crate::{
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, SPARK_EXCEPTION, thrown},
};

const BUILDER: &str = "org.apache.spark.resource.ResourceProfileBuilder";
const PROFILE: &str = "org.apache.spark.resource.ResourceProfile";
const EXECUTOR_REQUESTS: &str = "org.apache.spark.resource.ExecutorResourceRequests";
const TASK_REQUESTS: &str = "org.apache.spark.resource.TaskResourceRequests";
const EXECUTOR_REQUEST: &str = "org.apache.spark.resource.ExecutorResourceRequest";
const TASK_REQUEST: &str = "org.apache.spark.resource.TaskResourceRequest";

const INFORMATION: &str = "org.apache.spark.resource.ResourceInformation";

const CPUS: &str = "cpus";

/// So much of a resource for each executor.
#[derive(Clone)]
struct ExecutorRequest {
    name: String,
    amount: i64,
    discovery_script: String,
    vendor: String,
}

/// So much of a resource for each task.
#[derive(Clone)]
struct TaskRequest {
    name: String,
    amount: f64,
}

/// What there can be several of, by name.
trait Request: Object + Clone {
    /// The class of the whole.
    const REQUESTS: &'static str;

    fn name(&self) -> &str;
}

/// In the order of their names' first mention.
struct Requests<T>(Mutex<Vec<T>>);

type ExecutorRequests = Requests<ExecutorRequest>;
type TaskRequests = Requests<TaskRequest>;

#[derive(Default)]
struct Builder {
    executor: ExecutorRequests,
    task: TaskRequests,
}

struct Profile {
    profile: ResourceProfile,
    executor: ExecutorRequests,
}

impl Object for ExecutorRequest {
    fn class(&self) -> &'static str {
        EXECUTOR_REQUEST
    }
}

impl Object for TaskRequest {
    fn class(&self) -> &'static str {
        TASK_REQUEST
    }
}

impl Request for ExecutorRequest {
    const REQUESTS: &'static str = EXECUTOR_REQUESTS;

    fn name(&self) -> &str {
        &self.name
    }
}

impl Request for TaskRequest {
    const REQUESTS: &'static str = TASK_REQUESTS;

    fn name(&self) -> &str {
        &self.name
    }
}

impl<T: Request> Object for Requests<T> {
    fn class(&self) -> &'static str {
        T::REQUESTS
    }
}

impl Object for Builder {
    fn class(&self) -> &'static str {
        BUILDER
    }
}

impl Object for Profile {
    fn class(&self) -> &'static str {
        PROFILE
    }
}

impl<T> Default for Requests<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Request> Requests<T> {
    /// The last request of a name counts.
    fn put(&self, request: T) {
        let mut requests = self.0.lock();
        match requests.iter_mut().find(|own| own.name() == request.name()) {
            Some(own) => *own = request,
            None => requests.push(request),
        }
    }

    fn put_all(&self, other: &Self) {
        let others = other.0.lock().clone();
        others.into_iter().for_each(|request| self.put(request));
    }

    fn to_map(&self) -> Value {
        let requests = self.0.lock();
        let entries = requests.iter().map(|own| (Value::text(own.name()), Value::object(own.clone())));
        Value::object(JavaMap::new(entries))
    }
}

impl Profile {
    fn task(&self) -> TaskRequests {
        let task = TaskRequests::default();
        for request in self.profile.task_resources() {
            task.put(TaskRequest { name: request.resource_name.clone(), amount: request.amount });
        }
        task
    }
}

/// What the driver's own script has found.
struct Information(ResourceInformation);

impl Object for Information {
    fn class(&self) -> &'static str {
        INFORMATION
    }

    fn to_java_string(&self) -> String {
        format!("[name: {}, addresses: {}]", self.0.name, self.0.addresses.join(","))
    }
}

/// `JavaSparkContext.resources`
pub(super) fn of_driver(call: &JavaCall<'_>) -> JavaResult {
    let resources = application(call)?.context().resources().iter();
    let entries =
        resources.map(|(name, found)| (Value::text(name.as_str()), Value::object(Information(found.clone()))));
    Ok(Value::object(JavaMap::new(entries)))
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: INFORMATION,
        extends: &[],
        members: &[
            method("name", 0, |call| Ok(Value::text(call.this::<Information>()?.0.name.as_str()))),
            method("addresses", 0, |call| {
                let addresses = call.this::<Information>()?.0.addresses.iter();
                Ok(Value::object(JavaArray::new(addresses.map(|address| Value::text(address.as_str())))))
            }),
        ],
    },
    Class {
        name: BUILDER,
        extends: &[],
        members: &[
            constructor(0, |_| Ok(Value::object(Builder::default()))),
            method("require", 1, require),
            method("clearExecutorResourceRequests", 0, |call| {
                call.this::<Builder>()?.executor.0.lock().clear();
                Ok(call.this_value())
            }),
            method("clearTaskResourceRequests", 0, |call| {
                call.this::<Builder>()?.task.0.lock().clear();
                Ok(call.this_value())
            }),
            method("executorResourcesJMap", 0, |call| Ok(call.this::<Builder>()?.executor.to_map())),
            method("taskResourcesJMap", 0, |call| Ok(call.this::<Builder>()?.task.to_map())),
            method("build", 0, build),
        ],
    },
    Class {
        name: PROFILE,
        extends: &[],
        members: &[
            method("id", 0, |call| Ok(Value::Int(call.this::<Profile>()?.profile.id() as i32))),
            method("executorResourcesJMap", 0, |call| Ok(call.this::<Profile>()?.executor.to_map())),
            method("taskResourcesJMap", 0, |call| Ok(call.this::<Profile>()?.task().to_map())),
        ],
    },
    Class {
        name: EXECUTOR_REQUESTS,
        extends: &[],
        members: &[
            constructor(0, |_| Ok(Value::object(ExecutorRequests::default()))),
            method("memory", 1, |call| put_memory(call, "memory")),
            method("memoryOverhead", 1, |call| put_memory(call, "memoryOverhead")),
            method("pysparkMemory", 1, |call| put_memory(call, "pyspark.memory")),
            method("offHeapMemory", 1, |call| put_memory(call, "offHeap")),
            method("cores", 1, |call| put(call, "cores", call.long(0)?, "", "")),
            method("resource", 4, |call| put(call, call.text(0)?, call.long(1)?, call.text(2)?, call.text(3)?)),
            method("requestsJMap", 0, |call| Ok(call.this::<ExecutorRequests>()?.to_map())),
        ],
    },
    Class {
        name: TASK_REQUESTS,
        extends: &[],
        members: &[
            constructor(0, |_| Ok(Value::object(TaskRequests::default()))),
            method("cpus", 1, cpus),
            method("resource", 2, task_resource),
            method("requestsJMap", 0, |call| Ok(call.this::<TaskRequests>()?.to_map())),
        ],
    },
    Class {
        name: EXECUTOR_REQUEST,
        extends: &[],
        members: &[
            method("resourceName", 0, |call| Ok(Value::text(call.this::<ExecutorRequest>()?.name.as_str()))),
            method("amount", 0, |call| Ok(Value::Long(call.this::<ExecutorRequest>()?.amount))),
            method("discoveryScript", 0, |call| {
                Ok(Value::text(call.this::<ExecutorRequest>()?.discovery_script.as_str()))
            }),
            method("vendor", 0, |call| Ok(Value::text(call.this::<ExecutorRequest>()?.vendor.as_str()))),
        ],
    },
    Class {
        name: TASK_REQUEST,
        extends: &[],
        members: &[
            method("resourceName", 0, |call| Ok(Value::text(call.this::<TaskRequest>()?.name.as_str()))),
            method("amount", 0, |call| Ok(Value::Double(call.this::<TaskRequest>()?.amount))),
        ],
    },
];

fn require(call: &JavaCall<'_>) -> JavaResult {
    let builder = call.this::<Builder>()?;
    match (call.argument(0).as_object::<ExecutorRequests>(), call.argument(0).as_object::<TaskRequests>()) {
        (Some(requests), _) => builder.executor.put_all(requests),
        (_, Some(requests)) => builder.task.put_all(requests),
        (None, None) => return Err(call.wrong(0, "requests for resources of executors or tasks")),
    }
    Ok(call.this_value())
}

fn build(call: &JavaCall<'_>) -> JavaResult {
    let builder = call.this::<Builder>()?;
    let executor = ExecutorRequests::default();
    executor.put_all(&builder.executor);
    let task = builder.task.0.lock();
    let task = task.iter().fold(TaskResourceRequests::new(), |all, own| all.resource(&own.name, own.amount));
    let profile = ResourceProfile::new(task).map_err(|error| thrown(error.into()))?;
    Ok(Value::object(Profile { profile, executor }))
}

fn put(call: &JavaCall<'_>, name: &str, amount: i64, discovery_script: &str, vendor: &str) -> JavaResult {
    let request = ExecutorRequest {
        name: name.to_owned(),
        amount,
        discovery_script: discovery_script.to_owned(),
        vendor: vendor.to_owned(),
    };
    call.this::<ExecutorRequests>()?.put(request);
    Ok(call.this_value())
}

/// In MiB, which a number without a unit is, too.
fn put_memory(call: &JavaCall<'_>, name: &str) -> JavaResult {
    let text = call.text(0)?;
    // Read as that key's value is, which has the same unit.
    let mut conf = SparkConf::new();
    conf.set("spark.executor.memory", text);
    let mebibytes = conf.get(&keys::EXECUTOR_MEMORY).ok().and_then(|memory| i64::try_from(memory.bytes() >> 20).ok());
    let Some(mebibytes) = mebibytes else {
        let message = format!(
            "Size must be specified as bytes (b), kibibytes (k), mebibytes (m), gibibytes (g), tebibytes (t), or pebibytes(p). \
             E.g. 50b, 100k, or 250m.\nFailed to parse byte string: {text}"
        );
        return Err(Throwable::new("java.lang.NumberFormatException", message).into());
    };
    put(call, name, mebibytes, "", "")
}

fn double(call: &JavaCall<'_>, index: usize) -> Result<f64, Failure> {
    match call.argument(index) {
        Value::Double(number) => Ok(*number),
        _ => Ok(call.long(index)? as f64),
    }
}

fn cpus(call: &JavaCall<'_>) -> JavaResult {
    let amount = double(call, 0)?;
    if !(1e-9..=f64::from(i32::MAX)).contains(&amount) {
        let message =
            format!("requirement failed: The cpus amount {amount:?} must be at least 1e-9 and at most 2147483647.");
        return Err(Throwable::new(ILLEGAL_ARGUMENT, message).into());
    }
    call.this::<TaskRequests>()?.put(TaskRequest { name: CPUS.to_owned(), amount });
    Ok(call.this_value())
}

fn task_resource(call: &JavaCall<'_>) -> JavaResult {
    let (name, amount) = (call.text(0)?, double(call, 1)?);
    if !(amount <= 1.0 || amount.fract() == 0.0) {
        let message =
            format!("assertion failed: The resource amount {amount:?} must be either <= 1.0, or a whole number.");
        return Err(Throwable::new("java.lang.AssertionError", message).into());
    }
    call.this::<TaskRequests>()?.put(TaskRequest { name: name.to_owned(), amount });
    Ok(call.this_value())
}

/// `JavaRDD.withResources`, refused with Spark's words where Spark refuses it.
pub(super) fn with_resources(call: &JavaCall<'_>) -> JavaResult {
    let (handle, profile) = (call.this::<RddHandle>()?, call.object::<Profile>(0)?);
    if !profile.executor.0.lock().is_empty() {
        let message = "ResourceProfiles are only supported on YARN and Kubernetes and Standalone with dynamic allocation enabled.";
        return Err(Throwable::new(SPARK_EXCEPTION, message).into());
    }
    match handle.rdd()?.with_resources(&profile.profile) {
        Ok(_) => Ok(call.this_value()),
        Err(SparkError::ResourceProfile(error @ ResourceProfileError::FractionalCpus { .. })) => {
            Err(Failure::NotCalled(error.to_string()))
        }
        Err(error) => Err(thrown(error).into()),
    }
}

/// `JavaRDD.getResourceProfile`
pub(super) fn get_resource_profile(call: &JavaCall<'_>) -> JavaResult {
    let profile = call.this::<RddHandle>()?.rdd()?.get_resource_profile();
    Ok(profile.map_or(Value::Null, |profile| Value::object(Profile { profile, executor: Requests::default() })))
}
