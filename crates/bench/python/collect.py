"""Makes small tuples and brings them to the program."""

import itertools
import multiprocessing

import rounds


def small_tuple(number):
    return (number, number % 7)


def small_tuples(numbers):
    return list(map(small_tuple, numbers))


def answer(tuples):
    return f"{len(tuples)} in order {all(pair[0] == number for number, pair in enumerate(tuples))}, sum {sum(map(sum, tuples))}"


def with_data_sets(parameters, serve):
    from pyspark import SparkContext

    tuples, partitions = int(parameters["tuples"]), int(parameters["partitions"])
    sc = SparkContext(appName="collect")
    serve(lambda: rounds.timed(sc.range(tuples, numSlices=partitions).map(small_tuple).collect, answer))
    sc.stop()


def plain(parameters, serve):
    parts = rounds.ranges(int(parameters["tuples"]), int(parameters["partitions"]))
    with multiprocessing.Pool(int(parameters["processes"])) as pool:
        work = lambda: list(itertools.chain.from_iterable(pool.map(small_tuples, parts, chunksize=1)))
        serve(lambda: rounds.timed(work, answer))


if __name__ == "__main__":
    rounds.main(with_data_sets, plain)
