"""Files of broadcast values on executors' disks: there as long as the value is."""

import gc
import glob
import os
import time

from pyspark import SparkContext

sc = SparkContext(appName="broadcast files")
scratch = os.environ["SPARK_LOCAL_DIRS"]
numbers = sc.parallelize(range(8), 4)


def files():
    return glob.glob(os.path.join(glob.escape(scratch), "**", "python_broadcast_*"), recursive=True)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, files()


def used(value):
    assert numbers.map(lambda n: n + value.value).sum() == 28 + 8 * 1000
    return files()


assert files() == []
value = sc.broadcast(1000)
assert used(value) != []
# One for each executor at most, however many tasks read it.
assert len(used(value)) <= 2
value.unpersist(blocking=True)
wait_until(lambda: files() == [])
# What is used again is written again, and what is destroyed is gone for ever.
assert used(value) != []
value.destroy(blocking=True)
wait_until(lambda: files() == [])

# So are those that nobody refers to any more.
value = sc.broadcast(1000)
assert used(value) != []
del value
large = "x" * 3_000_000
mapped = numbers.map(lambda n: len(large))
assert mapped.first() == 3_000_000 and files() != []
del mapped


def are_cleaned():
    # What Python has let go of, it says with its next calls.
    gc.collect()
    sc.parallelize([0], 1).count()
    return files() == []


wait_until(are_cleaned)
sc.stop()
print("all as expected")
