"""What is not built in is refused with class, member and number of arguments."""

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext

sc = SparkContext(appName="refused")
numbers = sc.parallelize(range(4), 2).map(lambda n: n)


def refused(call, member):
    try:
        call()
    except Py4JError as error:
        assert not isinstance(error, Py4JJavaError), error
        assert f"py4j.Py4JException: {member} is not built into Firesteel yet" in str(error), error
    else:
        raise AssertionError(f"{member} was not refused")


refused(lambda: sc._jsc.foo(1, "a"), "org.apache.spark.api.java.JavaSparkContext.foo with 2 arguments")
refused(lambda: sc._jsc.hadoopConfiguration().write(None), "org.apache.hadoop.conf.Configuration.write with 1 arguments")
refused(lambda: sc._jvm.org.apache.hadoop.fs.FileUtil("/a"), "the constructor of org.apache.hadoop.fs.FileUtil with 1 arguments")
refused(lambda: sc._jvm.java.lang.System.runFinalization(), "java.lang.System.runFinalization with 0 arguments")
refused(lambda: sc._jvm.SparkConf(1, 2), "the constructor of org.apache.spark.SparkConf with 2 arguments")
refused(lambda: numbers._jrdd.saveAsObjectFile("/tmp/x", 1), "org.apache.spark.api.java.JavaRDD.saveAsObjectFile with 2 arguments")
assert type(sc._jvm.no.such.package).__name__ == "JavaPackage"

# The program goes on.
assert numbers.count() == 4
sc.stop()
print("all as expected")
