"""A module of --py-files, in the program and in workers."""

import shipped_module
from pyspark import SparkContext

sc = SparkContext(appName="modules")
assert shipped_module.triple(2) == 6


def triple(n):
    import shipped_module

    return shipped_module.triple(n)


assert sc.parallelize([1, 2, 3], 2).map(triple).collect() == [3, 6, 9]
sc.stop()
print("all as expected")
