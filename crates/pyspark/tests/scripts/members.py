"""Members of Java's classes that programs reach for beside PySpark's own calls, and what they give: the same on real Spark.

What differs from run to run or from machine to machine is not printed, but looked at.
"""

import os
import tempfile
import threading

from pyspark import SparkConf, SparkContext, StorageLevel
from pyspark.sql import SparkSession

sc = SparkContext(conf=SparkConf().setAppName("members").setSparkHome("/none").setExecutorEnv("A", "b"))
jvm, jsc, context = sc._jvm, sc._jsc, sc._jsc.sc()
directory = tempfile.mkdtemp()
number = 0


def show(*values):
    global number
    number += 1
    print(number, *[str(value).replace(directory, "DIRECTORY") for value in values], flush=True)


def error(call):
    try:
        return call()
    except Exception as caught:
        thrown = getattr(caught, "java_exception", None)
        text = (thrown.getMessage() or "").split("\n")[0] if thrown is not None else ""
        return f"{thrown.getClass().getName()}: {text}" if thrown is not None else type(caught).__name__


# Contexts.
show(jsc.appName(), context.appName(), jsc.master(), context.master(), jsc.version(), context.version(), context.isStopped())
show(context.isLocal(), context.deployMode(), jsc.defaultParallelism(), jsc.defaultMinPartitions(), context.uiWebUrl().isEmpty())
show(jsc.startTime() == context.startTime() == sc.startTime, context.applicationId() == sc.applicationId, sc.sparkUser() == context.sparkUser())
show(jsc.getConf().get("spark.app.name"), context.getConf().get("spark.app.name"), context.conf().contains("spark.app.name"))
show(sc.resources, jsc.resources().size(), sc.getCheckpointDir(), context.getCheckpointDir().isDefined())
show(error(lambda: sc.setCheckpointDir(None)), sc.getCheckpointDir())
sc.setCheckpointDir(f"{directory}/checkpoints")
show(context.getCheckpointDir().nonEmpty(), sc.getCheckpointDir().rsplit("/", 1)[0])
sc.setInterruptOnCancel(True)
show(sc.getLocalProperty("spark.job.interruptOnCancel"), jsc.getLocalProperty("none"))
show(sc._jsc.emptyRDD().getNumPartitions(), sc.emptyRDD().isEmpty())

# Configurations.
conf = jvm.SparkConf(False)
conf.set("a", "b").setAppName("n").setMaster("m").setExecutorEnv("X", "y")
show(conf.get("a"), conf.get("none", "d"), conf.contains("none"), sorted(pair._1() + "=" + pair._2() for pair in conf.getAll()))
show(sorted(conf.toDebugString().split("\n")), conf.remove("a").contains("a"), jvm.SparkConf().contains("spark.master"))
show(sc.getConf().get("spark.executorEnv.A"))

# What is kept.
cached = sc.parallelize(range(100), 2).setName("cached").cache()
pairs = sc.parallelize([(1, 2)], 2).persist(StorageLevel.DISK_ONLY)
show(cached.count(), pairs.count(), sorted(jsc.getPersistentRDDs().keys()) == sorted([cached.id(), pairs.id()]))
kept = jsc.getPersistentRDDs()[cached.id()]
show(kept.name(), kept.id() == cached.id(), kept.getNumPartitions(), kept.getStorageLevel().description(), kept.partitions()[1].index())
show(context.getPersistentRDDs().size(), context.getPersistentRDDs().isEmpty(), context.getPersistentRDDs().contains(cached.id()))
infos = {info.id(): info for info in context.getRDDStorageInfo()}
info = infos[cached.id()]
show(info.name(), info.numPartitions(), info.numCachedPartitions(), info.memSize() > 0, info.diskSize(), info.isCached(), len(infos))
level = info.storageLevel()
show(level.useDisk(), level.useMemory(), level.useOffHeap(), level.deserialized(), level.replication(), level.description())
kept.unpersist()
show(cached.id() in jsc.getPersistentRDDs(), context.getPersistentRDDs().get(cached.id()).isDefined())
for _, rdd in jsc.getPersistentRDDs().items():
    rdd.unpersist(True)
show(len(jsc.getPersistentRDDs()), len(context.getRDDStorageInfo()))
memory = context.getExecutorMemoryStatus()
show(memory.size(), memory.isEmpty(), memory.keySet().size(), memory.keys().isEmpty(), memory.values().size(), memory.contains("none"))
(address,) = jvm.scala.jdk.javaapi.CollectionConverters.asJava(memory).keys()
most, left = memory.apply(address)._1(), memory.get(address).get()._2()
show(0 < left <= most, address in memory.keySet().mkString(","), ":" in address, error(lambda: memory.apply("none")))

# Shuffles.
computed = sc.accumulator(0)
reduced = sc.parallelize([(1, 2)] * 6, 2).map(lambda pair: computed.add(1) or pair).reduceByKey(max)
show(reduced.count(), reduced.count(), computed.value)
reduced.cleanShuffleDependencies(True)
show(reduced.count(), computed.value)

# The tracker.
(executor,) = sc.statusTracker().getExecutorInfos()
show(executor.numRunningTasks, executor.totalOnHeapStorageMemory > 0, executor.totalOffHeapStorageMemory, executor.cacheSize >= 0)
show(executor.usedOnHeapStorageMemory >= 0, executor.usedOffHeapStorageMemory, executor.port >= 0, bool(executor.host))
show(len(context.statusTracker().getExecutorInfos()), len(context.statusTracker().getActiveJobIds()))
job = jsc.statusTracker().getJobInfo(0)
stage = jsc.statusTracker().getStageInfo(job.stageIds()[0])
show(job.jobId(), str(job.status()), stage.stageId(), stage.currentAttemptId(), stage.numTasks())
show(stage.numActiveTasks(), stage.numCompletedTasks(), stage.numFailedTasks())

# Java's own.
System, Thread, Runtime = jvm.java.lang.System, jvm.java.lang.Thread, jvm.java.lang.Runtime
show(System.getenv("NO_SUCH_VARIABLE"), System.getenv("PATH") == os.environ["PATH"], System.getenv().get("PATH") == os.environ["PATH"])
show(System.setProperty("own.key", "1"), System.getProperty("own.key"), System.getProperty("none"), System.getProperty("none", "d"))
show(System.clearProperty("own.key"), System.getProperty("own.key"), repr(System.lineSeparator()), System.gc())
show(abs(System.currentTimeMillis() / 1000 - __import__("time").time()) < 600, System.nanoTime() <= System.nanoTime())
own, other = Thread.currentThread().getId(), []
thread = threading.Thread(target=lambda: other.append(Thread.currentThread().getId()))
thread.start()
thread.join()
show(own == Thread.currentThread().getId(), own in other, bool(Thread.currentThread().getName()), Thread.sleep(1), error(lambda: Thread.sleep(-1)))
show(Runtime.getRuntime().availableProcessors() >= 1, Runtime.getRuntime().maxMemory() > 0, Runtime.getRuntime().gc())
uuid = jvm.java.util.UUID
text = "123e4567-e89b-12d3-a456-426614174000"
show(len(uuid.randomUUID().toString()), uuid.randomUUID().toString() != uuid.randomUUID().toString(), uuid.fromString(text).toString())

# Collections, as Python and as Java use them.
values = jvm.java.util.ArrayList()
show(values.add("a"), values.append("b"), values.add(1, "c"), values.size(), list(values), values.isEmpty(), "c" in values)
values[0] = "z"
copied = jvm.java.util.ArrayList(values)
show(values.get(0), values.set(0, "y"), values.indexOf("c"), values.indexOf("none"), values.addAll(copied), values.toString())
del values[0]
show(values.contains("y"), list(values), error(lambda: values.get(10)), next(iter(values)), sc._jvm.java.util.ArrayList().isEmpty())
names = jvm.java.util.HashSet()
show(names.add("a"), names.add("a"), names.contains("a"), names.size(), names.isEmpty(), list(names.iterator()), names.remove("a"), names.clear())
table = jvm.java.util.HashMap()
table["k"] = 1
show(table.put("k", 2), table.get("k"), table.getOrDefault("none", 3), table.containsKey("k"), table.size(), table.isEmpty(), table.toString())
(entry,) = table.entrySet()
show(entry.getKey(), entry.getValue(), list(table.keySet()), list(table.values()), table.remove("k"), table.clear(), dict(table))
show(values.equals(values), values.hashCode() == values.hashCode())
array = sc._gateway.new_array(jvm.java.lang.String, 2)
array[0] = "x"
show(len(array), array[0], array[1], values.getClass().getName(), values.getClass().getSimpleName(), table.getClass().getCanonicalName())

# Exceptions.
try:
    sc.parallelize([1], 1).map(lambda n: n / 0).collect()
except Exception as caught:
    thrown = caught.java_exception
    show(thrown.getClass().getName(), thrown.getCondition(), thrown.getSqlState(), sorted(thrown.getMessageParameters().keys()))
    show(thrown.getErrorClass(), len(thrown.getQueryContext()), thrown.isInternalError(), len(thrown.getSuppressed()))
    show(thrown.getMessageParameters().get("msg"), thrown.getLocalizedMessage() == thrown.getMessage(), thrown.getStackTrace() is not None)
    utils = jvm.org.apache.spark.api.python.PythonErrorUtils
    show(utils.getCondition(thrown), utils.getErrorClass(thrown), utils.getSqlState(thrown), utils.getMessageParameters(thrown).size())
    show(len(utils.getQueryContext(thrown)), thrown.toString().startswith("org.apache.spark.api.python.PythonException: [PYTHON"))
try:
    sc.textFile("/no/such/file").count()
except Exception as caught:
    show(caught.java_exception.getClass().getSimpleName())

# Hadoop's streams.
FileSystem, Path = jvm.org.apache.hadoop.fs.FileSystem, jvm.org.apache.hadoop.fs.Path
files = FileSystem.get(jsc.hadoopConfiguration())
path = Path(f"{directory}/deep/written.txt")
output = files.create(path)
show(output.write(bytearray("on\u00e9\r\n".encode())), output.writeBytes("two\n"), output.write(65), output.getPos(), output.flush(), output.close())
show(files.getFileStatus(path).getLen(), open(f"{directory}/deep/written.txt", "rb").read(), error(lambda: files.create(path, False)))
opened = files.open(path)
show(opened.read(), opened.getPos(), opened.readNBytes(2), opened.seek(0), opened.readAllBytes(), opened.read(), opened.close())
show(error(lambda: opened.read()).split(":")[0], error(lambda: files.open(Path("/no/such"))))
reader = jvm.java.io.BufferedReader(jvm.java.io.InputStreamReader(files.open(path, 4096), "UTF-8"))
show(reader.readLine(), reader.readLine(), reader.readLine(), reader.readLine(), reader.close())
reader = jvm.java.io.BufferedReader(jvm.java.io.InputStreamReader(files.open(path)), 1024)
show(reader.readLine(), reader.close())
utils = jvm.org.apache.commons.io.IOUtils
show(repr(utils.toString(files.open(path), "UTF-8")), bytes(utils.toByteArray(files.open(path))))
show(files.rename(path, Path(f"{directory}/new/place/renamed.txt")), [name for name in os.listdir(f"{directory}/new/place") if name[0] != "."], files.close())

# A session over it.
spark = SparkSession(sc)
show(spark.version == sc.version, spark.sparkContext is sc)
spark.stop()
