"""The dictionaries that `reduceByKey`, `groupByKey` and their like merge by, filled by one loop.

Everything else stays with PySpark's own merger: where the values are, when they are too many, and how they spill.
"""

import inspect
import math
import types

from pyspark import shuffle

from firesteel_functions.code import NOTHING
from firesteel_functions.operators import applied, sign_of
from firesteel_functions.recognition import closed_over

MERGER = (
    "shuffle:Aggregator.__init__",
    "shuffle:ExternalMerger.__init__",
    "shuffle:ExternalMerger._partition",
    "shuffle:ExternalMerger._next_limit",
    "shuffle:ExternalMerger._object_size",
)


def unwrapped(known, function):
    """A function out of the wrapper that makes errors of its StopIterations; None if it is in none."""
    if known.name_of(function) != "util:fail_on_stopiteration.wrapper":
        return None
    return closed_over(function)["f"]


def returns_its_argument(function):
    """Is it `lambda x: x`, whoever wrote it?"""
    if type(function) is not types.FunctionType:
        return False
    code, same = function.__code__, (lambda x: x).__code__
    # Where it was written makes no difference.
    flags = (code.co_flags ^ same.co_flags) & ~inspect.CO_NESTED
    return code.co_code == same.co_code and flags == 0 and (code.co_argcount, code.co_kwonlyargcount) == (1, 0)


class Merge:
    """Ends a chain: all of its elements are merged before anything follows."""

    def __init__(self, known, function, share, is_grouping=False):
        held = closed_over(function)
        aggregator = held["agg"]
        self.make = lambda: self.merger_class(aggregator, held["memory"] * share, held["serializer"])
        self.merger_class = shuffle.ExternalGroupBy if is_grouping else shuffle.ExternalMerger
        self.functions = {
            name: unwrapped(known, getattr(aggregator, name)) for name in ("createCombiner", "mergeValue", "mergeCombiners")
        }
        self.has_plain_combiners = returns_its_argument(self.functions["createCombiner"])
        self.is_usable = held["memory"] > 0 and all(function is not None for function in self.functions.values())

    def shape(self):
        return type(self), self.merger_class, self.has_plain_combiners, sign_of(self.merging())

    def merging(self):
        """The function that merges what is there and what comes."""
        return self.functions[self.merges_with]

    def add_loop(self, code, size, is_too_much, chain):
        """`size` of an element is what is counted until memory is looked at again; `chain` has the loops over elements."""
        code.values.update(
            merge=self.merging(),
            nothing=NOTHING,
            used_memory=lambda: shuffle.get_used_memory(),
            ceil=math.ceil,
            floor=math.floor,
        )
        code.begin("source", "split", "merger")
        code.add(
            "data, pdata, limit, batch = merger.data, merger.pdata, merger.memory_limit, merger.batch",
            "partition, count = merger._partition, 0",
            "get = data.get",
            f"check = {is_too_much[1]}",
        )
        chain.open(of_lists=lambda elements: self.add_list(code, elements) if size == "1" else None)
        code.add("k, v = x")
        code.block("if pdata:")
        code.add("data = pdata[partition(k)]")
        code.end()
        self.add_element(code, "data.get")
        code.add(f"count += {size}")
        code.block("if count >= check:")
        code.block(f"if used_memory() {is_too_much[0]} limit:")
        # Nothing may keep what is spilled.
        code.add("held = None", "merger._spill()", "limit = merger._next_limit()", "batch /= 2", "count = 0")
        code.end()
        code.block("else:")
        code.add("batch *= 1.5")
        code.end()
        code.add(f"check = {is_too_much[1]}")
        code.end()

    def add_list(self, code, elements):
        """A list that ends before memory is looked at again is merged without a look at that for each element."""
        elements.block(f"not pdata and count + len({elements.name}) < check")
        if elements.keeps_all:
            code.add(f"count += len({elements.name})")
        elements.open()
        code.add("k, v = x")
        self.add_element(code, "get")
        if not elements.keeps_all:
            code.add("count += 1")
        elements.close()

    def add_element(self, code, get):
        code.add(f"held = {get}(k, nothing)")
        code.block("if held is not nothing:")
        code.call("held", applied(self.merging(), "merge", "held", "v"))
        code.add("data[k] = held")
        code.end()
        code.block("else:")
        self.add_first(code)
        code.end()


class MergeValues(Merge):
    """Makes combiners of values."""

    title = "merge values"
    merges_with = "mergeValue"

    def add(self, code, chain):
        self.add_loop(code, "1", (">=", "ceil(batch)"), chain)
        chain.close("held = x = k = v = None", "if used_memory() >= limit: merger._spill()")

    def add_first(self, code):
        if self.has_plain_combiners:
            code.add("data[k] = v")
        else:
            code.values["create"] = self.functions["createCombiner"]
            code.call("held", "create(v)")
            code.add("data[k] = held")


class MergeCombiners(Merge):
    """Merges combiners of several tasks."""

    title = "merge combiners"
    merges_with = "mergeCombiners"

    def add(self, code, chain):
        size = "len(v)" if self.merger_class is shuffle.ExternalGroupBy else "1"
        self.add_loop(code, size, (">", "floor(batch) + 1"), chain)
        chain.close("held = x = k = v = None", "if limit and used_memory() >= limit: merger._spill()")

    def add_first(self, code):
        code.add("data[k] = v")


def merge_of(known, name, function):
    """The merging that a function on a partition's elements is, if it is one."""
    if name in ("rdd:RDD.combineByKey.combineLocally", "rdd:RDD.groupByKey.combine"):
        found = known.has("shuffle:ExternalMerger.mergeValues", *MERGER) and MergeValues(known, function, 0.9)
    elif name == "rdd:RDD.combineByKey._mergeCombiners":
        found = known.has("shuffle:ExternalMerger.mergeCombiners", *MERGER) and MergeCombiners(known, function, 1)
    elif name == "rdd:RDD.groupByKey.groupByKey":
        needed = ("shuffle:ExternalMerger.mergeCombiners", "shuffle:ExternalGroupBy._object_size", *MERGER)
        found = known.has(*needed) and MergeCombiners(known, function, 1, is_grouping=True)
    else:
        return None
    return found if found and found.is_usable else None
