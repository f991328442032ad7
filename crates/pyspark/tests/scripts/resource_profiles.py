"""Resource profiles of tasks, on a master whose executors are processes, each with two GPUs. Prints what Spark prints."""

import sys

from py4j.protocol import Py4JJavaError
from pyspark import BarrierTaskContext, SparkContext, TaskContext
from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests

sc = SparkContext()
merges = sys.argv[1] == "merges"


def tasks(**amounts):
    """A profile of tasks that take so much."""
    requests = TaskResourceRequests()
    for name, amount in amounts.items():
        requests = requests.cpus(amount) if name == "cpus" else requests.resource(name, amount)
    return ResourceProfileBuilder().require(requests).build


def taken(_):
    """What the task got."""
    context = TaskContext.get()
    resources = context.resources().items()
    yield context.cpus(), str(context.cpuAmount()), {name: (got.name, len(got.addresses)) for name, got in resources}


def show(what, act):
    """What comes of it, an exception too."""
    try:
        print(f"{what} -> {act()}")
    except Py4JJavaError as error:
        thrown = error.java_exception
        print(f"{what} -> {thrown.getClass().getName()}: {thrown.getMessage()}")


def run(profile):
    return numbers().mapPartitions(taken).withResources(profile).collect()


def numbers():
    return sc.parallelize([1, 2], 2)


# What is asked of executors is refused, whatever is asked of tasks.
cores = ExecutorResourceRequests().cores(1)
show("executors", lambda: run(ResourceProfileBuilder().require(cores).build))
both = ResourceProfileBuilder().require(cores).require(TaskResourceRequests().cpus(1)).build
show("executors and tasks", lambda: run(both))

# What tasks get, and what they can never get.
show("nothing asked for", lambda: run(ResourceProfileBuilder().build))
for amounts in (
    {"cpus": 1},
    {"cpus": 2},
    {"gpu": 1},
    {"gpu": 2},
    {"gpu": 0.6},
    {"gpu": 0.25, "cpus": 2},
    {"gpu": 3},
    {"gpu": 0},
    {"gpu": -1},
    {"fpga": 1},
):
    show(amounts, lambda: run(tasks(**amounts)))
if merges:
    show("more cores than an executor has", lambda: run(tasks(cpus=3)))

# Whose profile counts: that of data sets in the same stage.
wide, narrow = tasks(cpus=2), tasks(cpus=1)
of_wide = numbers().withResources(wide)
show("behind it", lambda: of_wide.map(str).mapPartitions(taken).collect())
show("behind a shuffle", lambda: of_wide.map(lambda n: (n, n)).groupByKey(1).mapPartitions(taken).collect())
show("the last one", lambda: numbers().withResources(narrow).withResources(wide).mapPartitions(taken).collect())
show("the same twice", lambda: of_wide.mapPartitions(taken).withResources(wide).collect())
before = numbers()
made_before = before.mapPartitions(taken)
before.withResources(wide)
show("made before it was given", lambda: made_before.collect())

# Two in one stage: refused, or merged.
gpu = tasks(gpu=1)
met = numbers().withResources(gpu).mapPartitions(taken).withResources(wide)
show("two that meet", met.collect)
show("two that meet, again", met.collect)
union = sc.union([of_wide, numbers().withResources(narrow)])
show("two that meet in a union", union.mapPartitions(taken).collect)

# What is known of it.
found = of_wide.getResourceProfile()
print(found.id == wide.id, {name: request.amount for name, request in found.taskResources.items()}, found.executorResources)
print(of_wide.map(str).getResourceProfile(), numbers().getResourceProfile(), narrow.id - wide.id)


# All tasks of a barrier stage run at once, which is one on each of two executors.
def gathered(_):
    context = BarrierTaskContext.get()
    yield context.cpus(), len(context.resources()["gpu"].addresses), context.allGather(str(context.partitionId()))


if not merges:
    all_at_once = numbers().barrier().mapPartitions(gathered).withResources(tasks(cpus=2, gpu=2))
    print(sorted(all_at_once.collect()))
sc.stop()
