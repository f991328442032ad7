"""What a function can do to its worker: its task fails or not, but no executor and no other worker ends of it."""

import ctypes
import itertools
import os
import signal
import sys
import threading

from pyspark import SparkContext

sc = SparkContext(appName="endings")
numbers = sc.parallelize(range(20), 4)
scratch = sys.argv[1]


def executor(_):
    """The parent of the worker's daemon."""
    with open(f"/proc/{os.getppid()}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def executors():
    return set(sc.parallelize(range(8), 8).map(executor).collect())


def fails(function):
    try:
        numbers.map(function).count()
    except Exception as error:
        assert type(error).__name__ == "Py4JJavaError", error
        return str(error)
    raise AssertionError("it did not fail")


def wait_for_end(pid):
    while os.path.exists(f"/proc/{pid}"):
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] == "Z":
                return
        os.sched_yield()


before = executors()

# It ends at once.
for function in [
    lambda n: os._exit(0),
    lambda n: os._exit(3),
    lambda n: os.kill(os.getpid(), signal.SIGKILL),
    lambda n: os.kill(os.getpid(), signal.SIGSEGV),
    lambda n: ctypes.string_at(0),
]:
    assert "Python worker exited unexpectedly (crashed)" in fails(function)
    assert numbers.sum() == 190


# It raises what is not ASCII.
def raises(n):
    raise ValueError("größer als \u4e16\u754c \U0001f600")


assert "ValueError: größer als \u4e16\u754c \U0001f600" in fails(raises)


# It closes all files, and comes back or does not.
def closes(n):
    os.closerange(0, 1000)
    return n


mark = os.path.join(scratch, "closed")


def closes_and_stays(n):
    with open(f"{mark}-{os.getpid()}", "w"):
        pass
    os.closerange(0, 1000)
    threading.Event().wait()


for function in [closes, closes_and_stays]:
    assert "Python worker exited unexpectedly (crashed)" in fails(function)
    assert numbers.sum() == 190
stayed = [name.rpartition("-")[2] for name in os.listdir(scratch) if name.startswith("closed-")]
assert stayed
for pid in stayed:
    wait_for_end(pid)


# It writes what nobody asked for.
def garbage(n):
    for place in (1, 2):
        os.write(place, b"\xff\xfe\x00\x00\x00\x02garbage\n" * 100)
    print("garbage", flush=True)
    print("garbage", file=sys.stderr, flush=True)
    return n


assert numbers.map(garbage).sum() == 190


# It forks: a child that ends, and one that stays behind.
def forks(n):
    if os.fork() == 0:
        os._exit(0)
    if os.fork() == 0:
        threading.Event().wait()
    return n


assert numbers.map(forks).sum() == 190


# It ends, and what it has forked keeps its connection open.
def leaves_a_child(n):
    if os.fork() == 0:
        threading.Event().wait()
    os._exit(1)


assert "Python worker exited unexpectedly (crashed)" in fails(leaves_a_child)
assert numbers.sum() == 190

# Its output has no end.
assert numbers.mapPartitions(lambda _: itertools.count()).take(1) == [0]
assert numbers.flatMap(lambda n: itertools.repeat(n)).take(3) == [0, 0, 0]
assert sc.parallelize(range(10**6), 1).map(lambda n: n).take(1) == [0]

# An element is large.
large = sc.parallelize([100 << 20], 1).map(bytes)
assert large.map(len).collect() == [100 << 20]
assert [len(element) for element in large.collect()] == [100 << 20]

# Or larger than an executor of 1 GiB could hold.
try:
    sc.parallelize([600 << 20], 1).map(bytes).collect()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "or a batch of smaller ones, of 6291" in str(error), error

assert numbers.sum() == 190
assert executors() == before, "an executor has ended"

for pid in set(sc.parallelize(range(8), 8).flatMap(lambda _: [os.getpid(), os.getppid()]).collect()):
    print(pid)
sc.stop()
print("all as expected")
