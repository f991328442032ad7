"""Several elements that are as large as an executor takes them, at once: made by functions, sent between stages, and brought to the program.
They take turns, and no executor ends of it."""

import os
import sys

from pyspark import SparkContext

length, slots = int(sys.argv[1]), int(sys.argv[2])
sc = SparkContext(appName="several large elements")
# Nothing that could be compressed.
large = sc.parallelize([length] * slots, slots).map(os.urandom)
lengths = [length] * slots


def executor(_):
    """The parent of the worker's daemon."""
    with open(f"/proc/{os.getppid()}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def executors():
    return set(sc.parallelize(range(8), 8).map(executor).collect())


before = executors()
assert large.map(lambda element: (len(element), element)).partitionBy(slots, lambda key: key).values().map(len).collect() == lengths
numbered = large.zipWithIndex().map(lambda pair: (pair[1], pair[0]))
assert numbered.partitionBy(slots, lambda key: key).values().map(len).collect() == lengths
assert large.repartition(slots).map(len).collect() == lengths
assert [len(element) for element in large.collect()] == lengths
assert executors() == before, "an executor has ended"
sc.stop()
print("all as expected")
