"""What Spark's own example pi.py computes, without an engine."""

import multiprocessing
import random
import sys

POINTS = 100_000


def points_in_circle(_):
    inside = 0
    for _ in range(POINTS):
        x, y = random.random() * 2 - 1, random.random() * 2 - 1
        inside += x**2 + y**2 <= 1
    return inside


def in_a_process_of_its_own(seed):
    # Forks begin with the same state.
    random.seed(seed)
    return points_in_circle(seed)


if __name__ == "__main__":
    slices = int(sys.argv[1])
    with multiprocessing.Pool(slices) as pool:
        inside = sum(pool.map(in_a_process_of_its_own, range(slices), chunksize=1))
    print("Pi is roughly %f" % (4 * inside / (slices * POINTS)))
