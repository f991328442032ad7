"""Elements on their way into a shuffle: which partition each key belongs to, and batches of pairs that are pickled together."""

import bisect
import os
import sys
import types
from collections import defaultdict

from pyspark import serializers, shuffle

from firesteel_functions.merging import returns_its_argument
from firesteel_functions.recognition import closed_over

# So many pairs pass between two looks at the memory.
PAIRS = 1000


def portable_hash_of(known):
    """PySpark's own function, without a look into the process's environment for each key and each part of a key."""
    function = known.module("rdd").portable_hash
    environment = types.SimpleNamespace(environ={"PYTHONHASHSEED": os.environ["PYTHONHASHSEED"]})
    within = dict(vars(known.module("rdd")), os=environment)
    within["portable_hash"] = types.FunctionType(function.__code__, within, function.__name__)
    return within["portable_hash"]


class ShuffleKeys:
    """Ends a chain: gives the numbers of partitions and, after each, a batch of its pairs."""

    title = "shuffle"

    def __init__(self, known, function):
        held = closed_over(function)
        self.known = known
        self.partition = held["partitionFunc"]
        # It had another name in 3.5.
        self.partitions = held["num_partitions"] if "num_partitions" in held else held["numPartitions"]
        self.limit, self.serializer = held["limit"], held["outputSerializer"]
        self.way = self.way_to_partition()
        self.is_usable = type(self.partitions) is int

    def shape(self):
        return type(self), self.way

    def way_to_partition(self):
        """How the number of a key's partition is computed."""
        if self.known.has("rdd:portable_hash") and self.partition is self.known.module("rdd").portable_hash:
            # Without it, PySpark's function is to say so.
            return "hash" if "PYTHONHASHSEED" in os.environ else "function"
        if self.known.name_of(self.partition) == "rdd:RDD.sortByKey.rangePartitioner":
            held = closed_over(self.partition)
            if returns_its_argument(held["keyfunc"]):
                return "range" if held["ascending"] else "range in reverse"
        return "function"

    def partition_of_key(self, code):
        """An expression."""
        if self.way == "hash":
            code.values.update(hash_of=portable_hash_of(self.known), str=str, int=int, hash=hash)
            return "(hash(k) if type(k) is str or type(k) is int else hash_of(k)) % partitions"
        if self.way == "function":
            code.values["partition_of"] = self.partition
            return "partition_of(k) % partitions"
        held = closed_over(self.partition)
        code.values.update(bisect_left=bisect.bisect_left, bounds=held["bounds"], last=held["numPartitions"] - 1)
        place = "bisect_left(bounds, k)"
        return f"{place} % partitions" if self.way == "range" else f"(last - {place}) % partitions"

    def add(self, code, chain):
        code.values.update(
            partitions=self.partitions,
            limit=self.limit,
            most=min(10 * self.partitions, PAIRS),
            dumps=self.serializer.dumps,
            pack=serializers.pack_long,
            used_memory=lambda: shuffle.get_used_memory(),
            lists=lambda: defaultdict(list),
            next_look=next_look,
            next_batch=next_batch,
        )
        code.begin("source", "split")
        code.add("batch, count = most, 0", "buckets = lists()", "check = next_look(0, batch)")
        partition = self.partition_of_key(code)
        chain.open()
        code.add("k, v = x", f"buckets[{partition}].append((k, v))", "count += 1")
        code.block("if count >= check:")
        code.block(f"if count % {PAIRS} == 0 and used_memory() > limit or count > batch:")
        code.add("lists_of_batch, size = len(buckets), 0")
        code.block("for number in list(buckets):")
        code.add("yield pack(number)", "frame = dumps(buckets[number])", "del buckets[number]")
        code.add("yield frame", "size += len(frame)")
        code.end()
        code.add("batch, count = next_batch(batch, size / lists_of_batch), 0")
        code.end()
        code.add("check = next_look(count, batch)")
        code.end()
        chain.close()
        code.block("for number, pairs in buckets.items():")
        code.add("yield pack(number)", "yield dumps(pairs)")
        code.end()


def next_look(count, batch):
    """At which number of pairs there may be too many: the next multiple of so many, or what is more than a batch."""
    return min(count - count % PAIRS + PAIRS, int(batch) + 1)


def next_batch(batch, average):
    """How many pairs are gathered, if that many were `average` bytes for each partition: 1 to 10 MiB of them are aimed at."""
    mebibytes = int(average) >> 20
    if mebibytes < 1:
        return min(sys.maxsize, batch * 1.5)
    if mebibytes > 10:
        return max(int(batch / 1.5), 1)
    return batch


def shuffle_of(known, name, function):
    """The way into a shuffle that a partition's function is, if it is one."""
    if name != "rdd:RDD.partitionBy.add_shuffle_key":
        return None
    found = ShuffleKeys(known, function)
    return found if found.is_usable else None
