"""More data than an executor has memory for: words of a text, and one key with very many values."""

import os
import sys
from operator import add

from pyspark import SparkContext

text, values = sys.argv[1], int(sys.argv[2])
sc = SparkContext(appName="little memory")


def words(line):
    return line.split(" ")


counts = sc.textFile(text).flatMap(words).map(lambda word: (word, 1)).reduceByKey(add, 4)
total, distinct = counts.map(lambda pair: (pair[1], 1)).reduce(lambda left, right: (left[0] + right[0], left[1] + right[1]))
print("words", total, distinct, flush=True)

# What is asked of the grouped values needs all of them, and their order is not known.
grouped = sc.range(values, numSlices=8).map(lambda number: ("the key", number)).groupByKey(2)
assert grouped.mapValues(len).collect() == [("the key", values)]
assert grouped.mapValues(sum).collect() == [("the key", values * (values - 1) // 2)]


def peak(pid):
    """The most that a process has held, in MiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


def peaks(_):
    """Of executor and worker."""
    with open(f"/proc/{os.getppid()}/stat") as stat:
        executor = int(stat.read().rpartition(")")[2].split()[1])
    return [(executor, peak(executor), os.getpid(), peak(os.getpid()))]


for seen in sorted(set(sc.parallelize(range(8), 8).mapPartitions(peaks).collect())):
    print("peaks", *seen, flush=True)
sc.stop()
print("all as expected")
