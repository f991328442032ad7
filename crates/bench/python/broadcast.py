"""Brings a large value to all executors, and looks at it there."""

import multiprocessing
import os
import pickle
import random
import tempfile
import zlib

import rounds

# Of each page a byte is looked at.
PAGE = 4096


def look_at(value):
    return (len(value), zlib.crc32(value[::PAGE]))


def answer(parts):
    """All have seen the same, and none has done another's part: `parts` are pairs of who and what."""
    if len({who for who, _ in parts}) != len(parts):
        raise ValueError(f"not every executor has taken part: {parts}")
    (length, checksum), *others = {what for _, what in parts}
    if others:
        raise ValueError(f"not every executor has the same value: {parts}")
    return f"{len(parts)} times {length} bytes, checksum {checksum}"


def value_of(parameters):
    """Nothing that could be compressed."""
    return random.Random(1).randbytes(int(parameters["bytes"]))


def with_data_sets(parameters, serve):
    from pyspark import SparkContext

    value, executors = value_of(parameters), int(parameters["executors"])
    sc = SparkContext(appName="broadcast")
    slots = sc.parallelize(range(executors), executors)

    def work():
        broadcast = sc.broadcast(value)
        # An executor has one daemon, which is the parent of its worker.
        return broadcast, slots.map(lambda _: (os.getppid(), look_at(broadcast.value))).collect()

    def answer_and_clean(result):
        broadcast, parts = result
        broadcast.destroy(blocking=True)
        return answer(parts)

    serve(lambda: rounds.timed(work, answer_and_clean))
    sc.stop()


def load(path):
    # Each is taken by another process, as none goes on before all have one.
    TAKEN.wait()
    with open(path, "rb") as file:
        return (os.getpid(), look_at(pickle.load(file)))


def plain(parameters, serve):
    global TAKEN
    value, executors = value_of(parameters), int(parameters["executors"])
    TAKEN = multiprocessing.Barrier(executors)
    with tempfile.TemporaryDirectory() as directory, multiprocessing.Pool(executors) as pool:
        path = os.path.join(directory, "value")

        def work():
            with open(path, "wb") as file:
                pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
            return pool.map(load, [path] * executors, chunksize=1)

        serve(lambda: rounds.timed(work, answer))


if __name__ == "__main__":
    rounds.main(with_data_sets, plain)
