"""Partitions that are sorted by key. PySpark's own sorter does it; where the key is the pair's, a function of C finds it."""

from operator import itemgetter

from pyspark import shuffle

from firesteel_functions.merging import returns_its_argument
from firesteel_functions.recognition import closed_over

SORTS = ("rdd:RDD.sortByKey.sortPartition", "rdd:RDD.repartitionAndSortWithinPartitions.sortPartition")


def sorting_of(name, function):
    """The equivalent of a function that sorts a partition's elements, if it is one."""
    if name not in SORTS:
        return None
    held = closed_over(function)
    if not returns_its_argument(held["keyfunc"]):
        return None
    memory, serializer, reverse = held["memory"], held["serializer"], not held["ascending"]

    def sort_partition(_, iterator):
        sort = shuffle.ExternalSorter(memory * 0.9, serializer).sorted
        return iter(sort(iterator, key=itemgetter(0), reverse=reverse))

    return sort_partition
