"""Members of Java's classes that no other script calls that runs on real Spark too: what they give is the same there.

What differs from run to run or from machine to machine is not printed, but looked at.
"""

import os
import stat
import tempfile
import zipfile

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import SparkSession

directory = tempfile.mkdtemp()
with open(f"{directory}/gpus.sh", "w") as file:
    file.write('#!/bin/sh\necho \'{"name": "gpu", "addresses": ["0", "1"]}\'\n')
os.chmod(f"{directory}/gpus.sh", stat.S_IRWXU)
conf = SparkConf().setAppName("other members").set("spark.driver.resource.gpu.amount", "2")
sc = SparkContext(conf=conf.set("spark.driver.resource.gpu.discoveryScript", f"{directory}/gpus.sh"))
jvm, jsc = sc._jvm, sc._jsc
number = 0


def show(*values):
    global number
    number += 1
    print(number, *[str(value).replace(directory, "DIRECTORY") for value in values], flush=True)


show({name: (found.name, found.addresses) for name, found in sc.resources.items()})

# Data sets of pairs and of several frames.
few = sc.parallelize(["a", "b"], 2)
both = few.cartesian(few)
show(sorted(both.collect()), both.coalesce(2).getNumPartitions(), both.union(both).count(), both.cartesian(few).count())
show(both.zip(both).map(lambda pair: pair[0] == pair[1]).collect(), few.zip(few).collect())
few.saveAsTextFile(f"{directory}/packed", "org.apache.hadoop.io.compress.GzipCodec")
show(sorted(sc.textFile(f"{directory}/packed").collect()), sorted(name for name in os.listdir(f"{directory}/packed") if name.endswith(".gz")))
with open(f"{directory}/file.txt", "w") as file:
    file.write("text")
show([content for _, content in sc.binaryFiles(f"{directory}/file.txt").collect()])
sc.setCheckpointDir(f"{directory}/checkpoints")
checked = few.map(str.upper)
checked.checkpoint()
show(checked.collect(), checked.isCheckpointed(), list(few.toLocalIterator()))

sc.setJobDescription("described")
show(sc.getLocalProperty("spark.job.description"), few.collectWithJobGroup("group", "text"), sc.getLocalProperty("spark.jobGroup.id"))
marked = few.map(str.lower)
marked.localCheckpoint()
again = sc._checkpointFile(checked.getCheckpointFile(), checked._jrdd_deserializer)
show(again.getNumPartitions(), again.collect(), again.map(str).collect())
show(marked.isLocallyCheckpointed(), marked.collect(), marked.isCheckpointed(), marked.getCheckpointFile(), checked.getCheckpointFile() is not None)
show(sc.union([few, few, few]).count(), few.map(len).meanApprox(600_000), 1 <= few.countApproxDistinct() <= 3)
sc._encryption_enabled = True
show(sc.parallelize([1, 2, 3], 2).glom().collect())
sc._encryption_enabled = False

# Shipped files.
# Real Spark finds no archive whose path has a space, as the directory of the tests' own temporary files may.
archives = tempfile.TemporaryDirectory(dir="/tmp")
with zipfile.ZipFile(f"{archives.name}/archive.zip", "w") as archive:
    archive.writestr("member", "m")
sc.addFile(f"{directory}/file.txt")
sc.addArchive(f"{archives.name}/archive.zip#unpacked")
show([path.rsplit("/", 1)[1] for path in sc.listFiles], [path.rsplit("/", 1)[1] for path in sc.listArchives])

# Broadcast values; cancelling what is not there.
value = sc.broadcast([1, 2])
show(value._jbroadcast.id() >= 0, few.map(lambda _: value.value).first(), value.unpersist(True), value.destroy(True))
show(sc.cancelAllJobs(), sc.cancelJobsWithTag("none"), sc.cancelJobGroup("none"))

# Estimates that are final.
show(few.countApprox(600_000, 0.9), few.map(len).sumApprox(600_000))

# Resource requests before there are any in Java, and after.
executors = ExecutorResourceRequests(jvm).memory("1g").pysparkMemory("512m").offheapMemory("1g").cores(2).resource("gpu", 1)
executors.resource("fpga", 1, "/x.sh")
show({name: (request.amount, request.discoveryScript, request.vendor) for name, request in sorted(executors.requests.items())})
tasks = TaskResourceRequests(jvm).cpus(1).resource("gpu", 0.5)
show({name: request.amount for name, request in sorted(tasks.requests.items())})
java_requests = jvm.org.apache.spark.resource.ExecutorResourceRequests()
java_requests.resource("a", 1, "/x.sh", "v").memoryOverhead("1m")
show(sorted(java_requests.requestsJMap().keys()))
profile = ResourceProfileBuilder().require(executors).require(tasks).build
show(profile.id > 0, sorted(profile.executorResources), sorted(profile.taskResources), few.getResourceProfile())
try:
    few.withResources(profile)
except Exception as caught:
    show(caught.java_exception.getMessage())
builder = ResourceProfileBuilder().require(executors).require(tasks)
builder.clearExecutorResourceRequests()
show(len(builder.executorResources), len(builder.taskResources))
builder.clearTaskResourceRequests()
show(len(builder.taskResources))

# Hadoop.
hadoop = jvm.org.apache.hadoop.conf.Configuration()
hadoop.setLong("l", 5)
hadoop.setDouble("d", 0.5)
show(hadoop.getLong("l", 0), hadoop.get("d"))
files, Path = jvm.org.apache.hadoop.fs.FileSystem.get(hadoop), jvm.org.apache.hadoop.fs.Path
show(files.getContentSummary(Path(f"{directory}/packed")).getDirectoryCount(), Path("/").isRoot(), Path("/a").isRoot())
show(files.getFileStatus(Path(directory)).isDir(), files.delete(Path(f"{directory}/file.txt")), files.exists(Path(f"{directory}/file.txt")))

# Levels.
first, second = jvm.org.apache.log4j, jvm.org.apache.logging.log4j
for levels in [first.Level, second.Level]:
    show(*[getattr(levels, name).toString() for name in ["ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"]])
show(second.Level.toLevel("INFO").toString(), second.LogManager.getRootLogger().getName() == "")
second.core.config.Configurator.setRootLevel(second.Level.OFF)
logger = first.Logger.getLogger("program")
show(logger.debug("not seen"), logger.trace("not seen"), logger.fatal("not seen"))

# Iterators, and what exceptions print.
values = jvm.java.util.ArrayList()
show(values.iterator().hasNext())
try:
    sc.textFile(f"{directory}/none").count()
except Exception as caught:
    thrown = caught.java_exception
    show(thrown.getCause() is None or True, thrown.printStackTrace())
keys = jsc.sc().getExecutorMemoryStatus().keys().iterator()
show(keys.hasNext())

# A session.
spark = SparkSession.builder.config("spark.own.key", "own").getOrCreate()
show(spark.conf.get("spark.own.key"), spark.conf.get("spark.none", "d"), spark.conf.getAll["spark.own.key"])
spark.conf.set("spark.own.key", "other")
show(spark.conf.get("spark.own.key"), spark.conf.isModifiable("spark.own.key"), spark.conf.unset("spark.own.key"))
show(spark.newSession().sparkContext is sc, SparkSession.getActiveSession() is spark)
again = SparkSession.builder.config("spark.own.key", "again").getOrCreate()
show(again is spark, spark.conf.get("spark.own.key"))
try:
    sc.parallelize([1]).map(lambda n: n / 0).collect()
except PySparkException as caught:
    show(type(caught).__name__, caught.getCondition(), caught.getSqlState(), str(caught).split("\n")[0], "ZeroDivisionError" in str(caught))
try:
    sc.setLogLevel("LOUD")
except PySparkException as caught:
    show(type(caught).__name__, str(caught).split("\n")[0], caught.getCondition())
spark.stop()
