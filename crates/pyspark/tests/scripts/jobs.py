"""Jobs of several threads."""

import threading

from pyspark import InheritableThread, SparkContext, TaskContext

sc = SparkContext(appName="jobs")
numbers = sc.parallelize(range(4), 2)


def own_property(_):
    return [TaskContext.get().getLocalProperty("own")]


# Properties belong to the thread.
sc.setLocalProperty("own", "main")
seen = []


def in_thread():
    seen.append(sc.getLocalProperty("own"))
    sc.setLocalProperty("own", "thread")
    seen.append(numbers.mapPartitions(own_property).collect())


thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
assert seen == [None, ["thread", "thread"]], seen
assert numbers.mapPartitions(own_property).collect() == ["main", "main"]
thread = InheritableThread(target=lambda: seen.append(sc.getLocalProperty("own")))
thread.start()
thread.join()
assert seen[-1] == "main", seen
sc.setLocalProperty("own", None)
assert sc.getLocalProperty("own") is None

# Tags.
sc.addJobTag("a")
sc.addJobTag("b")
sc.removeJobTag("a")
assert set(sc.getJobTags()) == {"b"}
sc.clearJobTags()
assert set(sc.getJobTags()) == set()

# A job that is cancelled ends, and its workers with it.
ends = []


def waits(n):
    threading.Event().wait()


def cancelled_job():
    sc.setJobGroup("group", "waits for ever", interruptOnCancel=True)
    try:
        numbers.map(waits).count()
    except Exception as error:
        ends.append(str(error))


thread = threading.Thread(target=cancelled_job)
thread.start()
while not ends:
    # It may not have been submitted yet.
    sc.cancelJobGroup("group")
    thread.join(0.05)
thread.join()
assert "cancelled" in ends[0], ends
assert numbers.sum() == 6

# What the tracker knows.
tracker = sc.statusTracker()
assert tracker.getActiveJobsIds() == []
while tracker.getActiveStageIds():
    # That of the cancelled job is active until its tasks have ended.
    threading.Event().wait(0.01)
(job,) = tracker.getJobIdsForGroup("group")[:1]
info = tracker.getJobInfo(job)
assert info.status == "FAILED" and len(info.stageIds) == 1, info
assert tracker.getStageInfo(info.stageIds[0]).numTasks == 2
assert tracker.getJobInfo(10_000) is None

# Several at once.
results = []
threads = [threading.Thread(target=lambda n=n: results.append(numbers.map(lambda m: m + n).sum())) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(results) == [6 + 4 * n for n in range(8)], results
sc.stop()
print("all as expected")
