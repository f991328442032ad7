"""What the driver holds: a large collection once, and little for each of many threads, which it gives back when they have gone."""

import os
import threading

from pyspark import SparkContext

MIB, THREADS, LENGTH, ELEMENTS = 1 << 20, 300, 1000, 120_000
sc = SparkContext(appName="driver memory")


def memory(what):
    """Of the driver's process: VmRSS, what it holds, or VmHWM, the most that it has held."""
    with open(f"/proc/{os.getppid()}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) * 1024


def threads_each(work):
    """Does the work in so many threads, none of which ends before all have done it; gives what the driver holds then."""
    met, ends = threading.Barrier(THREADS + 1), threading.Barrier(THREADS + 1)

    def run(index):
        sc.setLocalProperty("own", str(index))
        work(index)
        met.wait()
        ends.wait()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    met.wait()
    held = memory("VmRSS")
    ends.wait()
    for thread in threads:
        thread.join()
    return held


before, length = memory("VmRSS"), LENGTH * ELEMENTS
data = sc.parallelize([bytes([index % 256]) * LENGTH for index in range(ELEMENTS)], 3)
assert memory("VmHWM") - before < 1.4 * length, (before, memory("VmHWM"))
assert data.map(len).sum() == length

numbers = sc.parallelize(range(10), 2)
assert numbers.sum() == 45
before = memory("VmRSS")
held = threads_each(lambda index: numbers.map(lambda n: n + index).sum())
assert held - before < THREADS * MIB // 2, (before, held)
# Python closes their connections in its own time.
while memory("VmRSS") - before > 80 * MIB:
    threading.Event().wait(0.05)

sc.stop()
print("all as expected")
