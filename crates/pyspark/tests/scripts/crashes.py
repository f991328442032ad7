"""Workers that end in the middle."""

import ctypes
import os
import signal
import sys

from pyspark import SparkContext, TaskContext

sc = SparkContext(appName="crashes")
numbers = sc.parallelize(range(20), 4)


def fails(function):
    try:
        numbers.map(function).count()
    except Exception as error:
        assert type(error).__name__ == "Py4JJavaError", error
        return str(error)
    raise AssertionError("it did not fail")


for function in [
    lambda n: os._exit(3),
    lambda n: os.kill(os.getpid(), signal.SIGKILL),
    lambda n: ctypes.string_at(0),
]:
    text = fails(function)
    assert "org.apache.spark.SparkException: Job aborted due to stage failure" in text, text
    assert "Python worker exited unexpectedly (crashed)" in text, text
    assert numbers.sum() == 190

assert "SystemExit: 1" in fails(lambda n: sys.exit(1))
assert numbers.map(lambda n: n).sum() == 190

# A task that fails is tried again where executors are processes.
directory = sys.argv[1] if len(sys.argv) > 1 else os.getcwd()
mark = os.path.join(directory, "failed once")


def once(n):
    if n == 7 and not os.path.exists(mark):
        open(mark, "w").close()
        os._exit(1)
    return TaskContext.get().attemptNumber()


if sc.master.startswith("local-cluster"):
    counter = sc.accumulator(0)

    def counted(n):
        counter.add(1)
        return once(n)

    attempts = numbers.map(counted).collect()
    # A task that was taken back from one executor before it began, to be run by another, counts too.
    assert attempts[7] >= 1, attempts
    assert counter.value == 20, "what a failed attempt has added does not count"

# A task tells the daemon to end, which takes all workers along: another daemon follows.
if sc.master.startswith("local-cluster"):
    ended = os.path.join(directory, "daemon ended")

    def ends_daemon(n):
        if n == 3 and not os.path.exists(ended):
            open(ended, "w").close()
            os.kill(os.getppid(), signal.SIGTERM)
            signal.pause()
        return n

    assert numbers.map(ends_daemon).sum() == 190
    assert os.path.exists(ended)

# What the user's code prints is no part of the protocol.
assert numbers.map(lambda n: print("printed by a worker")).count() == 20
sc.stop()
print("all as expected")
