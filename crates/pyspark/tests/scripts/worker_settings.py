"""Settings of Python workers, one at a time."""

import ctypes
import os
import resource
import sys
import tempfile
import threading
import time

from pyspark import SparkContext

sc = SparkContext(appName="worker settings")
numbers = sc.parallelize(range(20), 4)


def fails(function):
    try:
        numbers.map(function).count()
    except Exception as error:
        assert type(error).__name__ == "Py4JJavaError", error
        return str(error)
    raise AssertionError("it did not fail")


def memory():
    """Two workers share 1 GiB."""
    limits = numbers.map(lambda _: resource.getrlimit(resource.RLIMIT_AS)).distinct().collect()
    assert limits == [(512 << 20, 512 << 20)], limits
    assert "MemoryError" in fails(lambda n: len(bytearray(600 << 20)))
    assert numbers.map(lambda n: len(bytearray(50 << 20))).distinct().collect() == [50 << 20]


def faulthandler():
    def crash(n):
        ctypes.string_at(0)

    text = fails(crash)
    for part in ["Python worker exited unexpectedly (crashed): Fatal Python error: Segmentation fault", "in crash"]:
        assert part in text, text
    text = fails(lambda n: os._exit(1))
    assert "(crashed)" in text and "Fatal" not in text, text


def pids(tasks):
    return sc.parallelize(range(tasks), tasks).map(lambda _: os.getpid()).collect()


def reuse():
    assert len(set(pids(8) + pids(8))) <= 2


def no_reuse():
    assert len(set(pids(8) + pids(8))) == 16


def no_daemon():
    assert len(set(pids(4))) == 4
    # They are children of the executor itself, which is the driver here.
    parents = numbers.map(lambda _: os.getppid()).distinct().collect()
    assert parents == [os.getppid()], parents
    text = fails(lambda n: os._exit(3))
    assert "Python worker exited unexpectedly (crashed)" in text, text
    factor, sum_of = sc.broadcast(3), sc.accumulator(0)

    def times(n):
        sum_of.add(n)
        return factor.value * n

    assert numbers.map(times).sum() == 570 and sum_of.value == 190


def modules():
    assert numbers.map(lambda _: (os.environ["OUR_DAEMON"], os.environ["OUR_WORKER"])).distinct().collect() == [("1", "2")]


def worker_module():
    assert numbers.map(lambda _: os.environ["OUR_WORKER"]).distinct().collect() == ["2"]


def idle():
    text = fails(lambda n: threading.Event().wait())
    assert "Python worker process terminated due to idle timeout (timeout: 1 seconds)" in text, text
    assert numbers.sum() == 190


def dump():
    assert numbers.map(lambda _: os.environ["PYTHON_TRACEBACK_DUMP_INTERVAL_SECONDS"]).first() == "7"


def kill_timeout():
    directory = tempfile.mkdtemp()
    started, go_on, done = [os.path.join(directory, name) for name in ["started", "go_on", "done"]]
    os.mkfifo(go_on)

    def goes_on(n):
        open(started, "w").close()
        open(go_on).read()
        open(done, "w").close()

    def cancelled():
        sc.setJobGroup("group", "goes on", interruptOnCancel=True)
        try:
            sc.parallelize([0], 1).foreach(goes_on)
        except Exception as error:
            assert "cancelled" in str(error), error

    thread = threading.Thread(target=cancelled)
    thread.start()
    wait_for(started)
    sc.cancelJobGroup("group")
    thread.join()
    # Whoever opens it waits for the function to read, which is there only if its worker is.
    open(go_on, "w").close()
    wait_for(done)


def wait_for(path):
    deadline = time.monotonic() + 120
    while not os.path.exists(path):
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def time_to_connect():
    assert os.environ["SPARK_AUTH_SOCKET_TIMEOUT"] == "20"
    assert numbers.map(lambda _: os.environ["SPARK_AUTH_SOCKET_TIMEOUT"]).distinct().collect() == ["20"]


globals()[sys.argv[1]]()
sc.stop()
print("all as expected")
