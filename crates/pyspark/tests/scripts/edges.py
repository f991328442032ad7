"""Nothing, null and none: arguments at the edge of what makes sense. What is asserted is what Spark 4.3 does."""

import os
import pwd
import tempfile

from pyspark import SparkContext

sc = SparkContext(appName="edges")
directory = tempfile.mkdtemp()


def error_of(function):
    try:
        function()
    except Exception as error:
        return str(error)
    raise AssertionError("it did not fail")


# Data sets without partitions are shuffled as others are.
empty, pairs = sc.emptyRDD(), sc.parallelize([(1, 2)], 2)
assert empty.reduceByKey(max).collect() == [] and empty.groupByKey().getNumPartitions() == 0
assert empty.reduceByKey(max).collect() == [] and empty.reduceByKey(max).getNumPartitions() == 0
assert empty.distinct().collect() == [] and empty.groupByKey().collect() == [] and empty.sortByKey().collect() == []
assert empty.join(empty).collect() == [] and empty.join(pairs).collect() == []
assert [key for key, _ in empty.cogroup(pairs).collect()] == [1]
assert empty.partitionBy(2).collect() == [] and empty.repartition(2).collect() == []
assert pairs.partitionBy(0).getNumPartitions() == 0 and pairs.partitionBy(0).collect() == []
assert pairs.partitionBy(0).map(id).count() == 0 and pairs.partitionBy(-1).getNumPartitions() == 0

assert sc.sparkUser() == os.environ.get("SPARK_USER", pwd.getpwuid(os.geteuid()).pw_name)

# But nothing can be put together into none.
for shuffle in [False, True]:
    text = error_of(lambda: pairs._jrdd.coalesce(0, shuffle))
    expected = "java.lang.IllegalArgumentException: requirement failed: Number of partitions (0) must be positive."
    assert expected in text, text

# None takes names and descriptions away.
sc.setJobGroup("group", None)
assert sc.getLocalProperty("spark.jobGroup.id") == "group"
assert sc.getLocalProperty("spark.job.description") is None
sc.setJobDescription("described")
sc.setJobGroup(None, None)
assert sc.getLocalProperty("spark.jobGroup.id") is None and sc.getLocalProperty("spark.job.description") is None
sc.setJobDescription("described")
sc.setJobDescription(None)
assert sc.getLocalProperty("spark.job.description") is None
assert sc.parallelize([1]).collectWithJobGroup("group", None) == [1]
assert sc.getLocalProperty("spark.jobGroup.id") == "group"
assert "java.lang.IllegalArgumentException: Spark job tag cannot be null." in error_of(lambda: sc.addJobTag(None))

# Input.
missing = os.path.join(directory, "missing")
mapred = "org.apache.hadoop.mapred.InvalidInputException"
mapreduce = "org.apache.hadoop.mapreduce.lib.input.InvalidInputException"
assert f"{mapred}: Input path does not exist" in error_of(lambda: sc.textFile(missing).count())
assert f"{mapred}: Input Pattern" in error_of(lambda: sc.textFile(missing + "*").count())
for function in [sc.wholeTextFiles, sc.binaryFiles, lambda path: sc.binaryRecords(path, 3)]:
    text = error_of(lambda: function(missing).count())
    assert f"{mapreduce}: Input path does not exist" in text, text
assert "java.lang.IllegalArgumentException" in error_of(lambda: sc.textFile("").count())
os.mkdir(os.path.join(directory, "inner"))
text = error_of(lambda: sc.textFile(directory).count())
assert "java.io.IOException" in text and "inner" in text, text
assert "java.io.IOException" in error_of(lambda: sc.textFile(os.path.join(directory, "{a")).count())

# The way out is the program's, not Rust's.
text = error_of(lambda: pairs.checkpoint())
expected = "org.apache.spark.SparkException: Checkpoint directory has not been set in the SparkContext"
assert expected in text and "sc.setCheckpointDir" in text, text
sc.stop()
print("all as expected")
