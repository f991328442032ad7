"""Approximate actions, local checkpoints, barrier stages, resource profiles, log levels."""

import os

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import BarrierTaskContext, SparkConf, SparkContext, TaskContext
from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests

# Longer than any job here: what is asked for is the answer, and not how soon.
TIME = 600_000

# So that what can never start fails at once.
conf = SparkConf().set("spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", "1")
conf.set("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s")
sc = SparkContext(appName="control", conf=conf)
numbers = sc.parallelize(range(1000), 2)

# Estimates.
assert numbers.countApprox(TIME) == 1000
assert numbers.map(str).countApprox(TIME, 0.5) == 1000
for estimate, exact in [(numbers.sumApprox(TIME), 499500.0), (numbers.meanApprox(TIME, 0.9), 499.5)]:
    assert float(estimate) == exact, estimate
    assert estimate.low <= exact <= estimate.high and estimate.confidence in (0.95, 0.9, 1.0), estimate
assert sc.parallelize([1.5, 2.5], 2).sumApprox(TIME) == 4.0
assert 900 < numbers.map(str).countApproxDistinct() < 1100
assert 18 <= numbers.map(lambda n: n % 20).countApproxDistinct(0.01) <= 22
assert 18 <= numbers.map(lambda n: str(n % 20)).countApproxDistinct(0.01) <= 22
try:
    numbers.countApproxDistinct(0.0001)
    raise AssertionError("it was not refused")
except Py4JJavaError as error:
    assert "IllegalArgumentException: requirement failed: accuracy (0.0001)" in str(error), error

# Local checkpoints.
counted = sc.accumulator(0)
checkpointed = numbers.map(lambda n: counted.add(1) or n)
assert not checkpointed.isLocallyCheckpointed()
checkpointed.localCheckpoint()
assert checkpointed.isLocallyCheckpointed() and not checkpointed.isCheckpointed()
# Only an action on the data set itself: what PySpark makes of it next begins where it began.
assert len(checkpointed.collect()) == 1000 and len(checkpointed.collect()) == 1000
assert checkpointed.isCheckpointed() and checkpointed.getCheckpointFile() is None
assert counted.value == 1000, counted

# Barrier stages.
two = sc.parallelize(range(4), 2)
slots = two.barrier()


def meet(elements):
    context = BarrierTaskContext.get()
    for _ in range(3):
        context.barrier()
    gathered = context.allGather("é" * context.partitionId())
    addresses = [info.address for info in context.getTaskInfos()]
    assert len(addresses) == 2 and all(addresses), addresses
    return [(context.partitionId(), gathered, list(elements))]


assert slots.mapPartitions(meet).collect() == [(0, ["", "é"], [0, 1]), (1, ["", "é"], [2, 3])]
indexed = slots.mapPartitionsWithIndex(lambda index, elements: [(index, sum(elements))])
assert indexed.map(lambda pair: pair).collect() == [(0, 1), (1, 5)]
assert indexed._is_barrier() and not indexed.repartition(2)._is_barrier()
assert BarrierTaskContext.get is not TaskContext.get

# After a cached step and in another stage's parent.
cached = slots.mapPartitions(lambda elements: [sum(elements)]).cache()
assert cached.count() == 2 and cached.map(lambda n: n + 1).reduceByKey is not None
assert sorted(cached.map(lambda n: (n % 2, n)).reduceByKey(lambda a, b: a + b).collect()) == [(1, 6)]


def differ(elements):
    context = BarrierTaskContext.get()
    if context.partitionId() == 0:
        context.barrier()
    else:
        context.allGather("x")
    return []


try:
    slots.mapPartitions(differ).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "barrier" in str(error), error
try:
    sc.parallelize(range(100), 100).barrier().mapPartitions(lambda elements: elements).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "barrier" in str(error).lower(), error


def no_barrier(_):
    BarrierTaskContext.get()


try:
    numbers.map(no_barrier).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "NOT_IN_BARRIER_STAGE" in str(error), error

# Resource profiles can be made, and a local master takes none.
tasks = TaskResourceRequests().cpus(2).resource("gpu", 0.5)
executors = ExecutorResourceRequests().cores(3).memory("2g").memoryOverhead("512m").resource("gpu", 2, "/x.sh", "nv")
builder = ResourceProfileBuilder().require(tasks).require(executors)
profile = builder.build
assert {name: request.amount for name, request in profile.taskResources.items()} == {"cpus": 2.0, "gpu": 0.5}
made = {name: (request.amount, request.discoveryScript, request.vendor) for name, request in profile.executorResources.items()}
assert made == {
    "cores": (3, "", ""),
    "memory": (2048, "", ""),
    "memoryOverhead": (512, "", ""),
    "gpu": (2, "/x.sh", "nv"),
}, made
builder.clearTaskResourceRequests()
assert set(builder.taskResources) == set() and len(builder.executorResources) == 4
assert builder.build.id == profile.id + 1
refusals = {
    profile: "ResourceProfiles are only supported on YARN and Kubernetes and Standalone with dynamic allocation enabled.",
    ResourceProfileBuilder().require(tasks).build: "TaskResourceProfiles are only supported for Standalone, Yarn and Kubernetes cluster",
}
for refused, why in refusals.items():
    try:
        numbers.withResources(refused)
        raise AssertionError("it was not refused")
    except Py4JError as error:
        if sc.master.startswith("local-cluster") and "Task" in why:
            # There they are taken, but executors have no GPU here.
            why = "No executor resource configs were specified for the following task configs: gpu"
        assert why in str(error), error
assert numbers.getResourceProfile() is None
for wrong, why in [
    (lambda: TaskResourceRequests().resource("gpu", 1.5), "AssertionError: assertion failed: The resource amount 1.5 must be"),
    (lambda: TaskResourceRequests().cpus(-2), "requirement failed: The cpus amount -2.0 must be at least 1e-9"),
    (lambda: ExecutorResourceRequests().memory("x"), "NumberFormatException: Size must be specified as bytes (b)"),
]:
    try:
        wrong()
        raise AssertionError("it was not refused")
    except Py4JJavaError as error:
        assert why in str(error), error

# Levels of the log: what is logged between the two marks is for the test to see.
try:
    sc.setLogLevel("nonsense")
    raise AssertionError("it was not refused")
except Py4JJavaError as error:
    assert "requirement failed: Supplied level nonsense did not match one of: ALL,DEBUG,ERROR" in str(error), error
for level in ["debug", "OFF"]:
    sc.setLogLevel(level)
    os.write(2, f"level {level}\n".encode())
    assert numbers.count() == 1000
sc.stop()
print("all as expected")
