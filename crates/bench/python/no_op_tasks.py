"""A stage of tasks that do nothing."""

import multiprocessing

import rounds


def nothing(_):
    pass


def with_data_sets(parameters, serve):
    from pyspark import SparkContext

    tasks = int(parameters["tasks"])
    sc = SparkContext(appName="no-op tasks")
    numbers = sc.parallelize(range(tasks), tasks)
    serve(lambda: rounds.timed(lambda: numbers.foreachPartition(nothing), lambda _: "", lambda seconds: tasks / seconds))
    sc.stop()


def plain(parameters, serve):
    tasks = int(parameters["tasks"])
    with multiprocessing.Pool(int(parameters["processes"])) as pool:
        work = lambda: pool.map(nothing, range(tasks), chunksize=1)
        serve(lambda: rounds.timed(work, lambda _: "", lambda seconds: tasks / seconds))


if __name__ == "__main__":
    rounds.main(with_data_sets, plain)
