"""Many threads with jobs at once, and many small tasks: right answers, and nothing that grows with them is left."""

import os
import sys
import threading

from pyspark import SparkContext

THREADS, TASKS = int(sys.argv[1]), int(sys.argv[2])
sc = SparkContext(appName="many")


def driver(what):
    """How many threads or open files the driver's process has."""
    return len(os.listdir(f"/proc/{os.getppid()}/{what}"))


numbers = sc.parallelize(range(10), 2)
assert numbers.sum() == 45
before = {what: driver(what) for what in ("task", "fd")}

results, begin = {}, threading.Barrier(THREADS)


def run(index):
    begin.wait()
    sc.setLocalProperty("own", str(index))
    results[index] = (numbers.map(lambda n: n + index).sum(), sc.getLocalProperty("own"))


threads = [threading.Thread(target=run, args=(index,)) for index in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == {index: (45 + 10 * index, str(index)) for index in range(THREADS)}

pids = sc.parallelize(range(TASKS), TASKS).map(lambda n: (os.getpid(), n))
seen = pids.collect()
assert [n for _, n in seen] == list(range(TASKS))
workers = {pid for pid, _ in seen}
assert len(workers) <= 2 * sc.defaultParallelism, workers

# What belongs to connections goes when those are closed, which Python does in its own time: none is waited for here by a number, but
# there are far fewer than there were threads.
del threads, thread
while any(driver(what) > before[what] + THREADS // 2 for what in before):
    threading.Event().wait(0.05)
sc.stop()
print("all as expected")
