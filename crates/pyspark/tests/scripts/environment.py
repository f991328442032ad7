"""Variables of the driver and of executors that programs and workers must not inherit."""

import os

from pyspark import SparkContext

sc = SparkContext(appName="environment")


def ours(_):
    return sorted(name for name in os.environ if name.startswith("FIRESTEEL_"))


assert ours(None) == []
seen = sc.parallelize(range(2), 2).map(ours).collect()
assert seen == [[], []], seen
assert sc.parallelize(range(2), 2).map(lambda _: "PYSPARK_GATEWAY_SECRET" in os.environ).collect() == [False, False]
sc.stop()
print("all as expected")
