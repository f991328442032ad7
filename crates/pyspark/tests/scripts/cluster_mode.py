"""In cluster deploy mode: the driver is on a worker, and what was submitted is there."""

import os
import sys

from pyspark import SparkContext, SparkFiles

from shipped import triple

sc = SparkContext(appName="in a cluster")
assert sc.parallelize(range(10), 2).map(triple).sum() == 135
assert sc.getConf().get("spark.submit.deployMode") == "cluster"
assert sc._jsc.sc().deployMode() == "cluster"
assert sc.getConf().get("spark.driver.host") == "127.0.0.1"
with open(SparkFiles.get("alias.txt")) as shipped:
    assert shipped.read() == "shipped"
assert sc.parallelize([0], 1).map(lambda _: open(SparkFiles.get("alias.txt")).read()).collect() == ["shipped"]
assert os.environ["SPARK_TEST_VARIABLE"] == "sent"
assert "_SPARK_AUTH_SECRET" not in os.environ
assert os.path.samefile(os.path.dirname(sys.argv[0]), os.getcwd()), (sys.argv, os.getcwd())
assert sys.argv[1:-1] == ["one word", ""], sys.argv
assert sys.stdin.read() == ""
sc.stop()
print("all as expected", flush=True)
sys.exit(int(sys.argv[-1]))
