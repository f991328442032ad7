"""A program of whatever release: what differs between releases is on its way here."""

import os
import sys
from operator import add

import pyspark
from pyspark import SparkConf, SparkContext, SparkFiles, StorageLevel, TaskContext

release = sys.argv[1]
assert pyspark.__version__ == release, pyspark.__version__
conf = SparkConf().setAppName("release").set("spark.test.key", "value")
if len(sys.argv) > 2:
    conf.setMaster(sys.argv[2])
sc = SparkContext(conf=conf)
assert sc.version == release, sc.version
assert sc.getConf().get("spark.test.key") == "value"
numbers = sc.parallelize(range(100), 4)

# Workers are of the same release, and are used again.
assert numbers.map(lambda _: pyspark.__version__).distinct().collect() == [release]
assert sc.parallelize(range(20), 20).map(lambda _: os.getpid()).distinct().count() <= 2

assert numbers.map(lambda n: n * 2).filter(lambda n: n % 3 == 0).sum() == 3366
pairs = numbers.map(lambda n: (n % 7, n))
assert sorted(pairs.reduceByKey(add).collect())[:2] == [(0, 735), (1, 750)]
assert pairs.groupByKey().mapValues(len).collectAsMap()[6] == 14
assert pairs.sortByKey(ascending=False).keys().first() == 6
assert pairs.join(sc.parallelize([(3, "three")])).values().map(lambda v: v[1]).distinct().collect() == ["three"]
assert numbers.union(sc.parallelize([1000])).max() == 1000
assert numbers.zip(numbers).map(lambda both: both[0] - both[1]).distinct().collect() == [0]
assert numbers.coalesce(2).glom().map(len).collect() == [50, 50]
assert sc.union([numbers, numbers]).count() == 200
assert list(sc.parallelize([1, 2, 3], 2).toLocalIterator()) == [1, 2, 3]
assert numbers.persist(StorageLevel.MEMORY_AND_DISK).count() == 100 and numbers.is_cached
assert numbers.unpersist().getStorageLevel() == StorageLevel(False, False, False, False, 1)
assert len(numbers.takeSample(False, 5, 1)) == 5

# The context of a task.
sc.setLocalProperty("a.property", "is here")


def context(_):
    task = TaskContext.get()
    return task.partitionId(), task.attemptNumber(), task.cpus(), task.resources(), task.getLocalProperty("a.property")


assert numbers.mapPartitions(lambda part: [context(part)] + [None for _ in part]).filter(bool).collect() == [
    (index, 0, 1, {}, "is here") for index in range(4)
]

# Broadcast values come, go and come anew.
for value in ["first", "second"]:
    broadcast = sc.broadcast([value] * 10)
    assert numbers.map(lambda _: broadcast.value[9]).distinct().collect() == [value]
    broadcast.unpersist()
big = bytes(2 << 20)
assert numbers.map(lambda n: len(big)).first() == 2 << 20
counter = sc.accumulator(0)
numbers.foreach(lambda n: counter.add(n))
assert counter.value == 4950

with open("release.txt", "w") as file:
    file.write("one two\nthree \u4e16\n")
lines = sc.textFile("release.txt")
assert lines.flatMap(str.split).collect() == ["one", "two", "three", "\u4e16"]
sc.addFile("release.txt")
assert sc.parallelize([0], 1).map(lambda _: open(SparkFiles.get("release.txt")).readline()).first() == "one two\n"
assert [name for name in sc.listFiles if name.endswith("release.txt")]


def raises(n):
    raise ValueError("\u4e16")


try:
    numbers.map(raises).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "ValueError: \u4e16" in str(error), error
try:
    numbers.map(lambda n: os._exit(1)).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "Python worker exited unexpectedly (crashed)" in str(error), error
assert numbers.count() == 100
sc.stop()
print("all as expected")
