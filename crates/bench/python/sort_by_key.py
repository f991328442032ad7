"""Sorts pairs of numbers by scattered keys."""

import multiprocessing
import threading
from operator import itemgetter

import rounds

KEYS = 1 << 32


def pair(number):
    """The factor is odd, so no two keys are the same."""
    return (number * 2654435761 % KEYS, number)


def look_at(pairs):
    """The first and the last key of a sorted partition, the number of its pairs and the sum of their values; nothing if it is empty."""
    first, last, count, total = None, -1, 0, 0
    for key, value in pairs:
        if key < last:
            raise ValueError("a partition is not in order")
        if first is None:
            first = key
        last = key
        count += 1
        total += value
    return [(first, last, count, total)] if count else []


def answer(parts):
    for left, right in zip(parts, parts[1:]):
        if right[0] < left[1]:
            raise ValueError("the partitions are not in order")
    return f"{sum(part[2] for part in parts)} in order, sum {sum(part[3] for part in parts)}"


def with_data_sets(parameters, serve):
    from pyspark import SparkContext

    pairs, partitions = int(parameters["pairs"]), int(parameters["partitions"])
    sc = SparkContext(appName="sortByKey")

    def work():
        made = sc.range(pairs, numSlices=partitions).map(pair)
        return made.sortByKey(numPartitions=partitions).mapPartitions(look_at).collect()

    serve(lambda: rounds.timed(work, answer))
    sc.stop()


# Between the two processes.
ENDS = multiprocessing.Pipe()


def sort_half(mine, numbers):
    """Makes pairs, gives those with the other half of keys to the other process, and sorts what it has then."""
    halves = [], []
    for made in map(pair, numbers):
        halves[made[0] >= KEYS // 2].append(made)
    # Both give at the same time, and a pipe holds little.
    give = threading.Thread(target=ENDS[mine].send, args=(halves[1 - mine],))
    give.start()
    halves[mine].extend(ENDS[mine].recv())
    give.join()
    return look_at(sorted(halves[mine], key=itemgetter(0)))


def plain(parameters, serve):
    halves = list(enumerate(rounds.ranges(int(parameters["pairs"]), 2)))
    with multiprocessing.Pool(2) as pool:
        # Each is taken by another process, as the first ends only with the second.
        work = lambda: sum(pool.starmap(sort_half, halves, chunksize=1), [])
        serve(lambda: rounds.timed(work, answer))


if __name__ == "__main__":
    rounds.main(with_data_sets, plain)
