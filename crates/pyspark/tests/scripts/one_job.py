"""One job."""

from pyspark import SparkContext

SparkContext(appName="one job").parallelize([1, 2]).map(lambda n: n + 1).collect()
