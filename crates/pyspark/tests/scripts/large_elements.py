"""An element of a length that is given: made by a function and brought to the program, sent between two stages, cached, and in a
collection of the program. Either it arrives whole or what fails says how long it is; no executor ends of it."""

import os
import sys

from pyspark import SparkContext

length, is_refused = int(sys.argv[1]), sys.argv[2] == "refused"
sc = SparkContext(appName="large elements")
large = sc.parallelize([length], 1).map(bytes)


def executor(_):
    """The parent of the worker's daemon."""
    with open(f"/proc/{os.getppid()}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def executors():
    return set(sc.parallelize(range(8), 8).map(executor).collect())


def collected():
    return [len(element) for element in large.collect()]


def between_stages():
    return large.map(lambda element: (1, element)).partitionBy(2).values().map(len).collect()


def dealt_out():
    return large.repartition(2).map(len).collect()


def cached():
    cached = large.map(lambda element: element).cache()
    # The first takes it on its way into the cache, the second out of it.
    lengths = [cached.map(len).collect(), cached.map(len).collect()]
    cached.unpersist(blocking=True)
    assert lengths[0] == lengths[1], lengths
    return lengths[0]


before = executors()
for function in [collected, between_stages, dealt_out, cached]:
    try:
        lengths = function()
    except Exception as error:
        # What Python has pickled is longer by some bytes.
        assert f"a Python function has made an element, or a batch of smaller ones, of {str(length)[:4]}" in str(error), error
        assert is_refused, error
    else:
        assert lengths == [length], lengths
        assert not is_refused, function.__name__

# A collection of the program travels in tasks.
try:
    sc.parallelize([bytes(length), b""], 2).map(len).collect()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "more than spark.rpc.message.maxSize" in str(error), error
    assert f"the data of the task take {length / (1 << 20):.1f} MiB" in str(error), error

assert sc.parallelize(range(20), 4).sum() == 190
assert executors() == before, "an executor has ended"
sc.stop()
print("all as expected")
