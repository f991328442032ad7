"""Fits a line to points that stay in memory, by steps along the gradient."""

import multiprocessing

import rounds


def point(number):
    x = number * 7919 % 1000 / 1000
    return (x, 3 * x + 1 + (number * 104729 % 200 - 100) / 1000)


def gradient(points, slope, offset):
    """Of the sum of the squared distances, in halves."""
    by_slope = by_offset = 0.0
    for x, y in points:
        distance = slope * x + offset - y
        by_slope += distance * x
        by_offset += distance
    return (by_slope, by_offset)


def fit(count, iterations, gradients):
    """`gradients` gives those of the partitions, in order: sums of fractions depend on it."""
    slope = offset = 0.0
    for _ in range(iterations):
        parts = gradients(slope, offset)
        slope -= sum(part[0] for part in parts) / count
        offset -= sum(part[1] for part in parts) / count
    return slope, offset


def answer(line):
    return "slope {}, offset {}".format(*line)


def with_data_sets(parameters, serve):
    from pyspark import SparkContext

    count, iterations = int(parameters["points"]), int(parameters["iterations"])
    sc = SparkContext(appName="cached iterations")
    # Not sc.range, as the partitions are those of the plain side.
    numbers = sc.parallelize(rounds.ranges(count, int(parameters["partitions"])), int(parameters["partitions"]))
    points = numbers.flatMap(lambda numbers: map(point, numbers)).cache()
    if points.count() != count:
        raise ValueError("not all points are there")

    def gradients(slope, offset):
        return points.mapPartitions(lambda part: [gradient(part, slope, offset)]).collect()

    serve(lambda: rounds.timed(lambda: fit(count, iterations, gradients), answer))
    sc.stop()


def gradient_of(part, slope, offset):
    return gradient(PARTITIONS[part], slope, offset)


def plain(parameters, serve):
    global PARTITIONS
    count, iterations = int(parameters["points"]), int(parameters["iterations"])
    PARTITIONS = [list(map(point, numbers)) for numbers in rounds.ranges(count, int(parameters["partitions"]))]
    # What is forked after they were made has them.
    with multiprocessing.Pool(int(parameters["processes"])) as pool:

        def gradients(slope, offset):
            return pool.starmap(gradient_of, ((part, slope, offset) for part in range(len(PARTITIONS))), chunksize=1)

        serve(lambda: rounds.timed(lambda: fit(count, iterations, gradients), answer))


if __name__ == "__main__":
    rounds.main(with_data_sets, plain)
