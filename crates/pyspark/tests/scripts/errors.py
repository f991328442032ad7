"""Errors as a program sees them: of each the class and the first line, which must be what Spark says: the test runs this on both.

`errors.py` prints `line of the program -> class: first line`. What differs from run to run is replaced.
"""

import os
import re
import sys
import tempfile
import threading

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext

directory = tempfile.mkdtemp()


def shown(text):
    text = (text or "").split("\n")[0].replace(directory, "DIRECTORY")
    text = re.sub(r"(?<=[ (])(/\S*/)?errors\.py:\d+", "errors.py:N", text)
    text = re.sub(r"'/[^']*/tmp\w+'", "TEMPORARY", text)
    text = re.sub(r"\bo\d+\.", "oN.", text)
    return re.sub(r"\b(RDD|rdd|Broadcast\(|Job|job|partition) ?\d+", r"\1 N", text)


def case(label, call):
    try:
        result = call()
    except Py4JJavaError as error:
        thrown = error.java_exception
        print(f"{label} -> {thrown.getClass().getName()}: {shown(thrown.getMessage())}", flush=True)
    except BaseException as error:
        print(f"{label} -> {type(error).__name__}: {shown(str(error))}", flush=True)
    else:
        print(f"{label} -> no error: {result!r}", flush=True)


def cases(namespace, text):
    """A line for each case; the line is its label."""
    for line in text.strip().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            case(line, lambda: eval(line, namespace))


# Contexts that cannot be.
for master in ["foo", "local[", "local[x]", "local[0]", "local-cluster[1,1]", "local-cluster[a,1,512]", "Spark://host", "mesos"]:
    case(f"SparkContext({master!r})", lambda: SparkContext(master, "bad", conf=SparkConf().set("spark.ui.enabled", "false")))
case("SparkContext() without name", lambda: SparkContext(conf=SparkConf(False).set("spark.master", "local")))

# So that what can never start fails at once.
conf = SparkConf().set("spark.ui.enabled", "false").set("spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", "1")
conf.set("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s")
sc = SparkContext("local[2]", "errors", conf=conf)
case("a second context", lambda: re.sub(r" at .*", "", str(SparkContext("local[2]", "second"))))
jvm = sc._jvm
numbers, pairs, lines = sc.parallelize(range(10), 2), sc.parallelize([(1, 2), (3, 4)], 2), sc.parallelize(["a"], 1)
os.mkdir(f"{directory}/empty")
os.mkdir(f"{directory}/nested")
os.mkdir(f"{directory}/nested/inner")
with open(f"{directory}/file.txt", "w") as file:
    file.write("one\ntwo\n")
with open(f"{directory}/other.txt", "w") as file:
    file.write("x")
os.mkdir(f"{directory}/other")
with open(f"{directory}/other/file.txt", "w") as file:
    file.write("another content")
lines.saveAsTextFile(f"{directory}/saved")
missing, here, saved, d = f"{directory}/missing", f"{directory}/file.txt", f"{directory}/saved", directory
text_format, text, long = "org.apache.hadoop.mapred.TextInputFormat", "org.apache.hadoop.io.Text", "org.apache.hadoop.io.LongWritable"

cases(
    globals(),
    """
    # Input.
    sc.textFile(missing).count()
    sc.textFile(missing).getNumPartitions()
    sc.textFile(missing + "*").count()
    sc.textFile(here + "," + missing).count()
    sc.textFile("file:" + missing).count()
    sc.textFile("").count()
    sc.textFile("foo://host/path").count()
    sc.textFile(d + "/{a").count()
    sc.textFile(d + "/nested").count()
    sc.wholeTextFiles(missing).count()
    sc.wholeTextFiles(missing + "*").count()
    sc.binaryFiles(missing).count()
    sc.binaryRecords(missing, 3).count()
    sc.binaryRecords(here, 0).count()
    sc.binaryRecords(here, -1).count()
    sc.pickleFile(missing).count()
    sc.sequenceFile(missing)
    sc.sequenceFile(here)
    sc.hadoopFile(missing, text_format, long, text)
    sc.newAPIHadoopFile(missing, "org.apache.hadoop.mapreduce.lib.input.TextInputFormat", long, text)
    sc.hadoopFile(here, "no.such.Format", long, text)
    sc.textFile(here, -1).count()
    sc.textFile(here, 0).count()
    # Output.
    lines.saveAsTextFile(saved)
    lines.saveAsTextFile("file:" + saved)
    lines.saveAsPickleFile(saved)
    pairs.saveAsSequenceFile(saved)
    pairs.saveAsHadoopFile(saved, "org.apache.hadoop.mapred.TextOutputFormat")
    pairs.saveAsNewAPIHadoopFile(saved, "org.apache.hadoop.mapreduce.lib.output.TextOutputFormat")
    lines.saveAsTextFile("")
    lines.saveAsTextFile("foo://host/path")
    lines.saveAsTextFile(d + "/codec", "no.such.Codec")
    # Shipped files.
    sc.addFile(missing)
    sc.addFile(d)
    sc.addFile("foo://host/path")
    sc.addFile(here)
    sc.addPyFile(missing + ".py")
    # Data sets.
    sc.parallelize([1], 0)
    sc.parallelize([1], -1)
    sc.emptyRDD().first()
    sc.emptyRDD().reduce(max)
    sc.emptyRDD().max()
    sc.union([])
    numbers.coalesce(0)
    numbers.repartition(0)._jrdd
    numbers.coalesce(-1)
    numbers.repartition(-1)._jrdd
    pairs.partitionBy(-1).getNumPartitions()
    pairs.reduceByKey(max, -1).collect()
    numbers.zip(sc.parallelize(range(10), 3)).collect()
    numbers.zip(sc.parallelize(range(9), 2)).collect()
    sc.parallelize(range(10), 2).map(str).zip(sc.parallelize(range(9), 2)).collect()
    numbers.take(-1)
    numbers.take("a")
    numbers.top(-1)
    numbers.takeSample(False, -1)
    numbers.sample(False, -0.5).count()
    numbers.randomSplit([-1.0])
    numbers.histogram(0)
    numbers.histogram([1])
    numbers.lookup(1)
    numbers.countApproxDistinct(0.00001)
    numbers.checkpoint()
    numbers.localCheckpoint().x
    numbers.treeAggregate(0, max, max, 0)
    numbers.treeReduce(max, 0)
    sc.runJob(numbers, list, [5])
    sc.runJob(numbers, list, [-1])
    numbers.map(lambda n: n / 0).collect()
    numbers.map(lambda n: [][n]).count()
    numbers.map(lambda n: n / 0).saveAsTextFile(d + "/failed")
    numbers.map(lambda n: (n, n / 0)).saveAsSequenceFile(d + "/failed too")
    list(numbers.map(lambda n: n / 0).toLocalIterator())
    numbers.barrier().mapPartitions(lambda i: 1 / 0).collect()
    numbers.pipe("no-such-command-anywhere").collect()
    numbers.pipe("exit 3", checkCode=True).collect()
    sc.parallelize([1]).map(lambda _: sc).count()
    numbers.map(lambda _: numbers.count()).count()
    numbers.map(lambda _: __import__("sys").exit(3)).count()
    # Storage.
    (kept := sc.parallelize([1]).cache()) and None
    kept.persist(__import__("pyspark").StorageLevel.DISK_ONLY)
    # Broadcast values.
    (b := sc.broadcast(1)) and None
    b.destroy()
    b.unpersist()
    b.destroy()
    b.value
    numbers.map(lambda n: b.value).count()
    sc.broadcast(threading.Lock())
    # Groups, tags and properties.
    sc.addJobTag("")
    sc.addJobTag(None)
    sc.addJobTag("a,b")
    sc.removeJobTag("")
    sc.removeJobTag("a,b")
    sc.cancelJobsWithTag("")
    sc.cancelJobsWithTag("a,b")
    sc.setLocalProperty("a", 1)
    sc.setLogLevel("LOUD")
    # Barriers.
    sc.parallelize(range(8), 8).barrier().mapPartitions(list).collect()
    numbers.barrier().mapPartitions(list).coalesce(1).collect()
    numbers.barrier().mapPartitions(list).union(numbers).collect()
    numbers.barrier().mapPartitions(list).take(1)
    numbers.barrier().mapPartitions(list).first()
    # Configuration.
    sc._conf.get("no.such.key")
    sc._jsc.sc().conf().get("no.such.key")
    # Hadoop.
    jvm.org.apache.hadoop.fs.Path("")
    jvm.org.apache.hadoop.fs.Path("foo://host/a").getFileSystem(sc._jsc.hadoopConfiguration())
    jvm.java.lang.Class.forName("no.such.Class")
    jvm.java.util.UUID.fromString("x")
    jvm.java.util.ArrayList().get(0)
    jvm.java.util.ArrayList().iterator().next()
    jvm.no.such.Thing()
    sc._jsc.sc().uiWebUrl().get()
    """,
)


# Cancelled jobs.
def cancelled(begin, cancel):
    """What a job fails with whose function waits until it is cancelled."""
    errors = []

    def run():
        begin()
        try:
            numbers.map(lambda n: __import__("threading").Event().wait()).count()
        except Py4JJavaError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not sc.statusTracker().getActiveJobsIds():
        thread.join(0.02)
    while thread.is_alive():
        cancel()
        thread.join(0.1)
    raise errors[0]


case("a cancelled group", lambda: cancelled(lambda: sc.setJobGroup("g", "text", True), lambda: sc.cancelJobGroup("g")))
case("a cancelled tag", lambda: cancelled(lambda: sc.addJobTag("t"), lambda: sc.cancelJobsWithTag("t")))
case("all jobs cancelled", lambda: cancelled(lambda: sc.setInterruptOnCancel(True), sc.cancelAllJobs))

# After this, real Spark can run no task any more.
case("an archive that is not there", lambda: sc.addArchive(f"{missing}.zip"))
case("another file of the same name", lambda: sc.addFile(f"{directory}/other/file.txt"))

# After the end.
mapped, java_context = numbers.map(abs), sc._jsc
handle = mapped._jrdd
sc.stop()
for label, call in {
    "count after stop": mapped.count,
    "collect of a handle after stop": lambda: jvm.PythonRDD.collectAndServe(handle.rdd()),
    "parallelize after stop": lambda: sc.parallelize([1]),
    "textFile after stop": lambda: sc.textFile(here),
    "broadcast after stop": lambda: sc.broadcast(1),
    "emptyRDD of a handle after stop": lambda: java_context.emptyRDD().count(),
    "textFile of a handle after stop": lambda: java_context.textFile(here, 1).count(),
    "addFile of a handle after stop": lambda: java_context.sc().addFile(here, False),
    "defaultParallelism of a handle after stop": lambda: java_context.sc().defaultParallelism(),
}.items():
    case(label, call)
sys.stdout.flush()
