"""What data sets and jobs are shown as: the texts are those of Spark 4.3."""

import os
import re
import tempfile

from pyspark import SparkContext

sc = SparkContext(appName="shown")
path = os.path.join(tempfile.mkdtemp(), "a.txt")
with open(path, "w") as file:
    file.write("a b\nc d\n")


def without_numbers(text):
    return re.sub(r"\[\d+\]", "[n]", text)


def shown(rdd):
    return without_numbers(str(rdd))


def lineage(rdd):
    return without_numbers(rdd.toDebugString().decode())


NATIVE = "NativeMethodAccessorImpl.java:0"
pairs = sc.parallelize([(1, 2)], 2)
assert str(pairs) == f"ParallelCollectionRDD[{pairs.id()}] at readRDDFromFile at PythonRDD.scala:326", pairs
assert shown(sc.emptyRDD()) == f"EmptyRDD[n] at emptyRDD at {NATIVE}"
assert shown(pairs.map(id)) == "PythonRDD[n] at RDD at PythonRDD.scala:59"
assert shown(pairs.reduceByKey(max)) == "PythonRDD[n] at RDD at PythonRDD.scala:59"
by_key = pairs.partitionBy(2)
assert shown(by_key) == "MapPartitionsRDD[n] at mapPartitions at PythonRDD.scala:197", shown(by_key)
assert shown(pairs.union(pairs)) == f"UnionRDD[n] at union at {NATIVE}"
assert shown(by_key.union(by_key)) == f"PartitionerAwareUnionRDD[n] at union at {NATIVE}", shown(by_key.union(by_key))
assert shown(pairs.coalesce(1)) == f"CoalescedRDD[n] at coalesce at {NATIVE}"
assert shown(pairs.repartition(3)).endswith(f"RDD[n] at coalesce at {NATIVE}"), shown(pairs.repartition(3))
lines = sc.textFile(path)
assert shown(lines) == f"{path} MapPartitionsRDD[n] at textFile at {NATIVE}", shown(lines)
assert lines.count() == 2 and shown(lines) == f"{path} MapPartitionsRDD[n] at textFile at {NATIVE}"
assert lines.name() == path and sc.wholeTextFiles(path).name() == path and sc.binaryRecords(path, 2).name() is None
assert shown(sc.binaryRecords(path, 2)) == f"MapPartitionsRDD[n] at binaryRecords at {NATIVE}"
assert str(pairs.zip(pairs)).startswith("org.apache.spark.api.java.JavaPairRDD@")

# Names come first, and can be taken away.
named = sc.parallelize([1], 2).map(id).setName("kept")
assert shown(named) == "kept PythonRDD[n] at RDD at PythonRDD.scala:59"
assert named.setName(None).name() is None
assert shown(named) == "PythonRDD[n] at RDD at PythonRDD.scala:59"

# Lineages. What an operation of Python makes that says where it was called is of that place.
PARALLELIZED = "ParallelCollectionRDD[n] at readRDDFromFile at PythonRDD.scala:326 []"
assert lineage(pairs.map(id)) == f"(2) PythonRDD[n] at RDD at PythonRDD.scala:59 []\n |  {PARALLELIZED}"
assert lineage(pairs.union(pairs)) == f"(4) UnionRDD[n] at union at {NATIVE} []\n |  {PARALLELIZED}\n |  {PARALLELIZED}"
reduced = lineage(pairs.reduceByKey(max))
place = re.search(r"reduceByKey at (\S*shown\.py:\d+)", reduced).group(1)
assert reduced == "\n".join(
    [
        "(2) PythonRDD[n] at RDD at PythonRDD.scala:59 []",
        " |  MapPartitionsRDD[n] at mapPartitions at PythonRDD.scala:197 []",
        f" |  ShuffledRDD[n] at partitionBy at {NATIVE} []",
        f" +-(2) PairwiseRDD[n] at reduceByKey at {place} []",
        f"    |  PythonRDD[n] at reduceByKey at {place} []",
        f"    |  {PARALLELIZED}",
    ]
), reduced


# Files of Hadoop's: what reads them, and what pickles it.
files = os.path.join(tempfile.mkdtemp(), "files")
pairs.saveAsSequenceFile(files)
OLD, NEW = "org.apache.hadoop.mapred", "org.apache.hadoop.mapreduce.lib.input"
TYPES = ("org.apache.hadoop.io.IntWritable", "org.apache.hadoop.io.IntWritable")
named_by_paths = {"mapreduce.input.fileinputformat.inputdir": files}
read = {
    f"{files} HadoopRDD[n] at sequenceFile at PythonRDD.scala:395 []": sc.sequenceFile(files),
    f"{files} HadoopRDD[n] at hadoopFile at PythonRDD.scala:534 []": sc.hadoopFile(
        files, f"{OLD}.SequenceFileInputFormat", *TYPES
    ),
    f"{files} NewHadoopRDD[n] at newAPIHadoopFile at PythonRDD.scala:465 []": sc.newAPIHadoopFile(
        files, f"{NEW}.SequenceFileInputFormat", *TYPES
    ),
    "HadoopRDD[n] at hadoopRDD at PythonRDD.scala:536 []": sc.hadoopRDD(
        f"{OLD}.SequenceFileInputFormat", *TYPES, conf=named_by_paths
    ),
    "NewHadoopRDD[n] at newAPIHadoopRDD at PythonRDD.scala:467 []": sc.newAPIHadoopRDD(
        f"{NEW}.SequenceFileInputFormat", *TYPES, conf=named_by_paths
    ),
}
for source, rdd in read.items():
    assert rdd.name() is None, rdd.name()
    assert shown(rdd) == "MapPartitionsRDD[n] at mapPartitions at SerDeUtil.scala:184", shown(rdd)
    first, *_, last = lineage(rdd).splitlines()
    assert first == "(2) MapPartitionsRDD[n] at mapPartitions at SerDeUtil.scala:184 []", first
    assert last == f" |  {source}", last
gathered = pairs.barrier().mapPartitions(list)
assert shown(gathered) == "PythonRDD[n] at RDD at PythonRDD.scala:59", shown(gathered)

# None of ours is shown, whatever made the data set.
several = [sc.range(4), sc.emptyRDD(), sc.binaryFiles(path), sc.wholeTextFiles(path), lines.cartesian(pairs), pairs.zip(pairs)]
several += [pairs.sortByKey(), pairs.join(pairs), pairs.zipWithIndex(), pairs.pipe("cat")]
for rdd in [*several, pairs.repartition(3), pairs.distinct(), pairs.glom(), gathered, *read.values()]:
    assert ".rs:" not in lineage(rdd), lineage(rdd)


# Stages.
def stage_names(group, action):
    sc.setJobGroup(group, group)
    action()
    tracker = sc.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    return {tracker.getStageInfo(stage).name for job in jobs for stage in job.stageIds}


(collected,) = stage_names("collect", pairs.collect)
assert re.fullmatch(r"collect at \S*shown\.py:\d+", collected), collected
assert stage_names("take", lambda: pairs.take(1)) == {"runJob at PythonRDD.scala:218"}
(iterated,) = stage_names("iterate", lambda: list(pairs.toLocalIterator()))
assert re.fullmatch(r"toLocalIterator at \S*shown\.py:\d+", iterated), iterated
assert stage_names("sum", lambda: pairs.keys().sumApprox(60_000)) == {f"sumApprox at {NATIVE}"}
assert stage_names("mean", lambda: pairs.keys().meanApprox(60_000)) == {f"meanApprox at {NATIVE}"}
assert stage_names("distinct", lambda: pairs.keys().countApproxDistinct()) == {f"countApproxDistinct at {NATIVE}"}
WRITTEN = "runJob at SparkHadoopWriter.scala:85"
FORMAT = "org.apache.hadoop.mapred.SequenceFileOutputFormat"
for name, save in {
    "text": lambda to: pairs.map(str).saveAsTextFile(to),
    "pickle": lambda to: pairs.saveAsPickleFile(to),
    "sequence": lambda to: pairs.saveAsSequenceFile(to),
    "hadoop": lambda to: pairs.saveAsHadoopFile(to, FORMAT, *TYPES),
}.items():
    names = stage_names(name, lambda: save(f"{files}-{name}"))
    assert WRITTEN in names and not any(".rs:" in name for name in names), names

# None of ours is shown after the end either.
handle, java_context = pairs._jrdd, sc._jsc
sc.stop()
try:
    java_context.broadcast(handle)
    raise AssertionError("it did not fail")
except Exception as error:
    assert ".rs" not in str(error), error
try:
    SparkContext._jvm.PythonRDD.collectAndServe(handle.rdd())
    raise AssertionError("it did not fail")
except Exception as error:
    assert "java.lang.IllegalStateException" in str(error), error
    # Spark says it otherwise to those who have a data set than to those who want one.
    assert re.search("on a stopped SparkContext|SparkContext has been shutdown", str(error)), error
    assert ".rs" not in str(error), error
print("all as expected")
