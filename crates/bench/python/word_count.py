"""Counts the words of text files."""

import functools
import multiprocessing
import os
from operator import add

import rounds


def words(line):
    return line.split(" ")


def pair(word):
    return (word, 1)


def figures(pair):
    """How many words, how often all of them and the most frequent one occur: of one word."""
    return (1, pair[1], pair[1])


def add_up(left, right):
    return (left[0] + right[0], left[1] + right[1], max(left[2], right[2]))


def answer(figures):
    return "{} distinct of {}, at most {}".format(*figures)


def with_data_sets(parameters, serve):
    from pyspark import SparkContext

    sc = SparkContext(appName="word count")

    def work():
        pairs = sc.textFile(parameters["text"]).flatMap(words).map(pair)
        return pairs.reduceByKey(add, int(parameters["reducers"])).map(figures).reduce(add_up)

    serve(lambda: rounds.timed(work, answer))
    sc.stop()


def count(pairs, counts):
    for word, number in pairs:
        counts[word] = add(counts[word], number) if word in counts else number
    return counts


def count_files(paths):
    counts = {}
    for path in paths:
        with open(path, encoding="utf-8", newline="\n") as lines:
            for line in lines:
                count(map(pair, words(line.rstrip("\n"))), counts)
    return counts


def plain(parameters, serve):
    files = sorted(entry.path for entry in os.scandir(parameters["text"]))
    processes = int(parameters["processes"])

    with multiprocessing.Pool(processes) as pool:

        def work():
            first, *others = pool.map(count_files, [files[index::processes] for index in range(processes)], chunksize=1)
            for other in others:
                count(other.items(), first)
            return functools.reduce(add_up, map(figures, first.items()))

        serve(lambda: rounds.timed(work, answer))


if __name__ == "__main__":
    rounds.main(with_data_sets, plain)
