"""Programs that begin with a session and use data sets only."""

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, functions

spark = SparkSession.builder.appName("session").config("spark.x.y", "z").getOrCreate()
sc = spark.sparkContext
assert sc is SparkContext.getOrCreate() and sc.appName == "session"
assert sc.parallelize(range(10), 2).map(lambda n: n * n).sum() == 285
assert spark.version == "4.3.0"
assert SparkSession.builder.getOrCreate() is spark and SparkSession.getActiveSession() is spark

# Its configuration.
conf = spark.conf
assert conf.get("spark.app.name") == "session" and conf.get("spark.x.y") == "z"
assert conf.get("spark.nothing", "default") == "default" and conf.get("spark.nothing", None) is None
conf.set("spark.sql.shuffle.partitions", 7)
assert conf.get("spark.sql.shuffle.partitions") == "7" and conf.isModifiable("spark.sql.shuffle.partitions")
conf.unset("spark.sql.shuffle.partitions")
assert SparkSession.builder.config("spark.x.y", "other").getOrCreate().conf.get("spark.x.y") == "other"
assert spark.newSession().conf.get("spark.x.y") is not None
assert conf.getAll["spark.x.y"] == "other"
assert not conf.isModifiable("spark.executor.memory")


def fails(call, error_class, text):
    try:
        call()
    except error_class as error:
        assert text in str(error), error
        assert "JVM stacktrace" not in str(error), error
    else:
        raise AssertionError(f"it did not fail with {text}")


fails(lambda: conf.get("spark.nothing"), PySparkException, '[SQL_CONF_NOT_FOUND] The SQL config "spark.nothing" cannot be found.')
fails(lambda: conf.set("spark.executor.memory", "3g"), PySparkException, "[CANNOT_MODIFY_CONFIG] Cannot modify the value of the Spark config")

# SQL is refused, whatever way it is begun.
NO_SQL = "there is no SQL and there are no DataFrames, only data sets (RDDs)"
for begin in [
    lambda: spark.sql("select 1"),
    lambda: spark.range(5),
    lambda: spark.read,
    lambda: spark.table("a"),
    lambda: spark.catalog,
    lambda: spark.createDataFrame([(1, "a")], ["n", "text"]),
    lambda: sc.parallelize([(1, "a")]).toDF(),
    lambda: functions.lit(1),
    lambda: SparkSession.builder.create(),
]:
    fails(begin, Py4JError, NO_SQL)

# Errors of jobs are Python's own classes, as they are once there is a session.
fails(lambda: sc.parallelize([1]).map(lambda n: n / 0).collect(), PySparkException, "ZeroDivisionError: division by zero")
assert sc.parallelize([1]).count() == 1
spark.stop()

# Another one in the same process, with a context that was there before.
sc = SparkContext(master="local[1]", appName="second")
with SparkSession.builder.config("spark.x.y", "second").getOrCreate() as spark:
    assert spark.sparkContext is sc and spark.conf.get("spark.x.y") == "second"
    assert sc.parallelize([1]).count() == 1
print("all as expected")
