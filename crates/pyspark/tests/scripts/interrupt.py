"""Ctrl-C: the job that the main thread waits for is cancelled, another thread's is not, and the program goes on."""

import os
import sys
import threading
import time

from pyspark import SparkContext

directory = os.getcwd()
sc = SparkContext(master=sys.argv[1] if len(sys.argv) > 1 else None, appName="interrupt")


def mark(name):
    return os.path.join(directory, name)


def wait_for(name):
    while not os.path.exists(mark(name)):
        time.sleep(0.02)


def other(n):
    open(mark("other runs"), "w").close()
    wait_for("other may end")
    return n + 1


def endless(n):
    open(mark("main runs"), "w").close()
    threading.Event().wait()


results = []
thread = threading.Thread(target=lambda: results.extend(sc.parallelize([1], 1).map(other).collect()))
thread.start()
wait_for("other runs")


def announce():
    wait_for("main runs")
    print("waiting", flush=True)


threading.Thread(target=announce).start()
try:
    sc.parallelize([1], 1).map(endless).collect()
    raise AssertionError("nobody interrupted")
except KeyboardInterrupt:
    pass
# The job ends, and its task with it: there is a slot again for others.
tracker = sc.statusTracker()
while len(tracker.getActiveJobsIds()) > 1:
    time.sleep(0.02)
(running,) = tracker.getActiveJobsIds()
assert sc.parallelize(range(10), 2).map(lambda n: n * n).sum() == 285
assert tracker.getActiveJobsIds() == [running]
open(mark("other may end"), "w").close()
thread.join()
assert results == [2], results
sc.stop()
print("all as expected")
