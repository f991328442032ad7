"""PySpark's own functions beside their equivalents: results, errors, and who is called when. The argument is where those are.

Functions are made by PySpark's data sets, without an engine, pickled as for a worker, and run here: as they are, and replaced.
"""

import itertools
import operator
import os
import sys
import traceback
import types
from operator import add
from unittest import mock

import pyspark.resultiterable
from pyspark import cloudpickle, serializers, shuffle

PACKAGE = types.ModuleType("firesteel_functions")
PACKAGE.__path__ = [sys.argv[1]]
sys.modules["firesteel_functions"] = PACKAGE
sys.dont_write_bytecode = True

from firesteel_functions import elements, merging, pipeline, shuffling  # noqa: E402
from firesteel_functions.recognition import Known, RDD_MODULES  # noqa: E402

KNOWN = Known()
assert not KNOWN.unknown, f"texts of {pyspark.__version__} that were not read yet: {KNOWN.unknown}"
RDD_MODULE = next(sys.modules[name] for name in RDD_MODULES if name in sys.modules)
RDD = RDD_MODULE.RDD

# What functions do is noted in a module, as a pickled function has copies of its own globals.
notes = types.ModuleType("notes")
notes.log = []
notes.spills = 0
sys.modules["notes"] = notes


def note(what):
    import notes

    notes.log.append(what)


def spilling(spill):
    def counted(self):
        notes.spills += 1
        return spill(self)

    return counted


shuffle.ExternalMerger._spill = spilling(shuffle.ExternalMerger._spill)
shuffle.ExternalGroupBy._spill = spilling(shuffle.ExternalGroupBy._spill)


class DataSets:
    """Data sets of an engine that is not there. What would be sent to it is kept."""

    def __init__(self, memory="512m"):
        self.sent = []
        context = mock.MagicMock()
        context._conf.get = lambda key, default=None: memory if key == "spark.python.worker.memory" else default
        context.serializer = serializers.AutoBatchedSerializer(serializers.CPickleSerializer())
        context._unbatched_serializer = serializers.CPickleSerializer()
        context.profiler_collector = None
        context.defaultParallelism = 3
        handle = mock.MagicMock()
        handle.partitions.return_value.size.return_value = 9
        self.source = RDD(handle, context, context.serializer)

    def functions(self, make):
        """All that the engine would get of what is made, a stage each, pickled and unpickled."""

        def send(_, function, *others):
            self.sent.append(function)
            return mock.MagicMock()

        with mock.patch.object(RDD_MODULE, "_wrap_function", send):
            with mock.patch.object(RDD_MODULE, "SCCallSiteSync", mock.MagicMock()):
                made = make(self.source)
        if isinstance(made, RDD_MODULE.PipelinedRDD):
            self.sent.append(made.func)
        return [cloudpickle.dumps(function) for function in self.sent]


def user_frames(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__]


def plain(value):
    """The value with lists in the place of what `groupByKey` gives."""
    if type(value) is tuple:
        return tuple(map(plain, value))
    return list(value) if isinstance(value, pyspark.resultiterable.ResultIterable) else value


def outcome(function, source, most=200):
    """What a task would give, what it would end by, and what was called on the way."""
    notes.log, notes.spills = [], 0
    given = []

    def read():
        for element in source():
            note(("in", element if isinstance(element, (int, str)) else repr(element)))
            yield element

    error = None
    try:
        made = function(2, read())
        note("made")
        for element in itertools.islice(made, most):
            given.append(plain(element))
            note("out")
    except Exception as raised:
        context = raised.__context__
        error = (type(raised).__name__, str(raised), type(context).__name__, str(context), user_frames(raised))
    return given, error, notes.log, notes.spills


def compare(name, make, *sources, memory="512m", replaced=True, most=200):
    functions = DataSets(memory).functions(make)
    assert functions, name
    for pickled in functions:
        replacement = pipeline.fused(KNOWN, cloudpickle.loads(pickled))
        is_replaced = replacement.__module__.startswith("firesteel_functions")
        assert replaced in (is_replaced, None), f"{name}: replaced {is_replaced}"
    # Stages read what the one before them has given.
    for index, source in enumerate(sources):
        for pickled in functions:
            expected = outcome(cloudpickle.loads(pickled), source, most)
            found = outcome(pipeline.fused(KNOWN, cloudpickle.loads(pickled)), source, most)
            for what, left, right in zip(("result", "error", "calls", "spills"), expected, found):
                assert left == right, f"{name}, source {index}: {what}\n{str(left)[:2000]}\n{str(right)[:2000]}"
            if expected[1] is None:
                values = expected[0]
                if values and all(isinstance(value, bytes) for value in values):
                    values = [pair for frame in values[1::2] for pair in serializers.CPickleSerializer().loads(frame)]
                source = lambda values=values: iter(values)


def compare_spilled(name, pickled, source):
    """What a merger gives after it has spilled is in an order that depends on where it is in memory."""
    found = []
    for function in (cloudpickle.loads(pickled), pipeline.fused(KNOWN, cloudpickle.loads(pickled))):
        given, error, _, spills = outcome(function, source, 10**6)
        pairs = [pair for frame in given[1::2] for pair in serializers.CPickleSerializer().loads(frame)]
        found.append((sorted(map(repr, pairs)), error, spills))
    assert found[0] == found[1], f"{name}, spilled\n{str(found)[:4000]}"
    assert found[0][2] > 0 or not found[0][0], f"{name} has not spilled"


def numbers(count=10):
    return lambda: iter(range(count))


def of(*elements):
    return lambda: iter(elements)


def endless():
    return itertools.count()


def double(n):
    note(("double", n))
    return 2 * n


def is_odd(n):
    note(("is_odd", n))
    return n % 2


def twice(n):
    note(("twice", n))
    return [n, n]


def lazily(n):
    for i in range(n):
        note(("lazily", n, i))
        yield i


def stops_at(place, result=lambda n: n):
    def stops(n):
        note(("stops", n))
        if n == place:
            raise StopIteration(f"at {n}")
        return result(n)

    return stops


def fails_at(place, result=lambda n: n):
    def fails(n):
        note(("fails", n))
        if n == place:
            raise ValueError(f"at {n} \u4e16")
        return result(n)

    return fails


class Stopping:
    """Stops where Python looks for an iterator, a truth, an item or a hash."""

    def __init__(self, *where):
        self.where = where

    def _answer(self, name, answer):
        if name in self.where:
            raise StopIteration(name)
        return answer

    def __iter__(self):
        return self._answer("iter", iter([1, 2]))

    def __bool__(self):
        return self._answer("bool", True)

    def __getitem__(self, index):
        if index > 1:
            raise IndexError(index)
        return self._answer("item", [1, 2][index])

    def __hash__(self):
        return self._answer("hash", 7)

    def __eq__(self, other):
        return self is other

    def __repr__(self):
        return f"Stopping{self.where}"

    def __reduce__(self):
        return Stopping, self.where


STOPPING = [Stopping(where) for where in ("iter", "bool", "item", "hash", "none")]
ALL = [numbers(), numbers(0), numbers(1), endless]

# One element at a time.
for name, make in {
    "map": lambda rdd: rdd.map(double),
    "map of C": lambda rdd: rdd.map(str),
    "map, filter": lambda rdd: rdd.map(lambda n: n // 2).filter(is_odd),
    "filter, map": lambda rdd: rdd.filter(is_odd).map(double).map(str),
    "flatMap": lambda rdd: rdd.flatMap(twice),
    "flatMap of generators": lambda rdd: rdd.flatMap(lazily).map(double).flatMap(twice).filter(lambda n: n % 4),
    "keyBy, mapValues": lambda rdd: rdd.keyBy(is_odd).mapValues(double),
    "flatMapValues": lambda rdd: rdd.keyBy(is_odd).flatMapValues(twice).values(),
    "keys": lambda rdd: rdd.map(lambda n: (n, n)).keys(),
    "many maps": lambda rdd: __import__("functools").reduce(lambda made, _: made.map(double), range(90), rdd),
    "many flatMaps": lambda rdd: __import__("functools").reduce(lambda made, _: made.flatMap(lambda n: [n]), range(30), rdd),
    "sample": lambda rdd: rdd.map(double).sample(False, 0.5, 7).map(double),
    "take": lambda rdd: rdd.map(double).mapPartitions(lambda part: itertools.islice(part, 1)),
}.items():
    compare(name, make, *ALL, replaced=name != "take", most=50 if name != "many maps" else 20)

# StopIteration of the user's first, last and a middle call, and other errors.
for place in (0, 4, 9):
    for raising in (stops_at, fails_at):
        for name, make in {
            "map": lambda rdd: rdd.map(double).map(raising(place)),
            "filter": lambda rdd: rdd.filter(raising(place, lambda n: n % 2)).map(double),
            "flatMap": lambda rdd: rdd.flatMap(raising(place, lambda n: [n])).map(double),
            "mapValues": lambda rdd: rdd.keyBy(double).mapValues(raising(place)),
            "flatMapValues": lambda rdd: rdd.keyBy(double).flatMapValues(raising(place, lambda n: [n])),
            "in a generator": lambda rdd: rdd.flatMap(lambda n: (raising(place)(i) for i in [n])).map(double),
            "reduceByKey": lambda rdd: rdd.map(lambda n: (n % 2, n)).reduceByKey(lambda a, b: raising(place)(max(a, b))),
            "combineByKey": lambda rdd: rdd.map(lambda n: (n % 2, n)).combineByKey(raising(place % 4 // 2), add, add),
            "reduce": lambda rdd: rdd.mapPartitions(lambda part: part).map(raising(place)),
        }.items():
            compare(f"{name}, {raising.__name__} {place}", make, numbers())

for name, make in {
    "map": lambda rdd: rdd.map(lambda x: x),
    "flatMap": lambda rdd: rdd.flatMap(lambda x: x).map(lambda x: x),
    "filter": lambda rdd: rdd.filter(lambda x: x).map(lambda x: x),
    "mapValues": lambda rdd: rdd.mapValues(lambda x: x),
    "flatMapValues": lambda rdd: rdd.flatMapValues(lambda x: [x]),
    "flatMapValues of itself": lambda rdd: rdd.map(lambda x: (1, x)).flatMapValues(lambda x: x),
    "reduceByKey": lambda rdd: rdd.reduceByKey(add, 2),
    "reduceByKey of itself": lambda rdd: rdd.map(lambda x: (x, 1)).reduceByKey(add, 2),
    "groupByKey": lambda rdd: rdd.map(lambda x: (x, 1)).groupByKey(2),
    "partitionBy": lambda rdd: rdd.map(lambda x: (x, 1)).partitionBy(2),
    "sortBy": lambda rdd: rdd.repartitionAndSortWithinPartitions(2),
}.items():
    compare(f"what stops, {name}", make, *([of((1, 2), element, (3, 4)) for element in STOPPING]))
    strange = [None, 1, "ab", (1,), (1, 2, 3), [1, 2], {}, ([], 1), (None, 1), (1.5, 1), ((1, (None, "a")), 2), (float("nan"), 1)]
    compare(f"strange elements, {name}", make, *([of((1, 2), element, (1, 2)) for element in strange]))

# Keys: of all types, in batches, spilled.
keys = ["a", "b\u4e16", 1, True, 1.0, None, (1, None), ("a", ("b", 2)), b"c", -1, 2**70, frozenset([1]), "a"]
pairs = of(*[(key, number) for number, key in enumerate(keys * 200)])
some_of_each = of(*[(number * 7919 % 2000, number) for number in range(6000)])
texts = of(*[(str(number * 7919 % 2000), number) for number in range(6000)])
for memory in ("512m", "1m"):
    for name, make in {
        "reduceByKey": lambda rdd: rdd.reduceByKey(add, 3),
        "foldByKey": lambda rdd: rdd.foldByKey(0, add, 3),
        "aggregateByKey": lambda rdd: rdd.aggregateByKey([], lambda a, b: a + [b], add, 3),
        "combineByKey": lambda rdd: rdd.combineByKey(str, lambda a, b: a + str(b), add, 3),
        "groupByKey": lambda rdd: rdd.groupByKey(3),
        "distinct": lambda rdd: rdd.distinct(3),
        "join": lambda rdd: rdd.mapValues(lambda n: (1, n)).groupByKey(2).flatMapValues(list),
    }.items():
        for source in (pairs, some_of_each, texts, numbers(0)):
            if memory == "512m":
                compare(name, make, source, most=10**6)
            else:
                compare_spilled(name, DataSets(memory).functions(make)[0], source)
    for name, make in {
        "partitionBy": lambda rdd: rdd.partitionBy(3),
        "partitionBy one": lambda rdd: rdd.partitionBy(1),
        "partitionBy a function": lambda rdd: rdd.partitionBy(5, lambda key: len(str(key))),
        "partitionBy what fails": lambda rdd: rdd.partitionBy(5, lambda key: 1 // (key != 1999)),
        "partitionBy what stops": lambda rdd: rdd.partitionBy(5, lambda key: next(iter([])) if key == 1999 else 1),
        "sorted": lambda rdd: rdd.repartitionAndSortWithinPartitions(3),
        "sorted in reverse": lambda rdd: rdd.repartitionAndSortWithinPartitions(3, ascending=False),
        "sorted by a function": lambda rdd: rdd.repartitionAndSortWithinPartitions(3, keyfunc=lambda n: str(n)),
    }.items():
        for source in (some_of_each, texts, numbers(0), of((1, 2), ("a", 3), (None, 4))):
            replaced = None if name == "sorted by a function" else True
            compare(f"{name}, {memory}", make, source, memory=memory, replaced=replaced, most=10**6)
large = of(*[(number % 3, "x" * 3000) for number in range(6000)])
compare("large values", lambda rdd: rdd.partitionBy(3), large, most=10**6)


# Lists, which are merged as a whole if memory is not looked at within them, and what is none.
class Words(list):
    def __iter__(self):
        note("Words")
        return iter(["own", *super().__iter__()])


def growing(n):
    grown = []
    grown.append((n, grown))
    return grown


def grow(element):
    n, grown = element
    if len(grown) < 4:
        grown.append((n + 1, grown))
    return n, 1


def noted_pair(n):
    note(("pair", n))
    return n, 1


def noted_sum(left, right):
    note(("sum", left, right))
    return left + right


WAYS = {
    "list": lambda n: [n % 7, n % 1000, n],
    "tuple": lambda n: (n % 7, n % 1000, n),
    "both, and empty": lambda n: [n] if n % 3 else (n, n % 9) if n % 5 else [],
    "long list": lambda n: [m % 1300 for m in range(n % 1500)] if n % 100 == 99 else [n],
    "generator": lambda n: (m for m in [n % 7, n]),
    "list of its own kind": lambda n: Words([n % 7]),
}
for way, ways in WAYS.items():
    for name, make in {
        "flatMap": lambda rdd: rdd.flatMap(ways).map(lambda n: (n, 1)).reduceByKey(add, 3),
        "flatMap, called": lambda rdd: rdd.flatMap(ways).map(noted_pair).reduceByKey(noted_sum, 3),
        "flatMap, filter": lambda rdd: rdd.flatMap(ways).filter(lambda n: n != 3).map(lambda n: (n, 1)).reduceByKey(add, 3),
        "flatMap, sample": lambda rdd: rdd.flatMap(ways).sample(False, 0.5, 7).map(lambda n: (n, 1)).reduceByKey(add, 3),
        "flatMap twice": lambda rdd: rdd.flatMap(ways).flatMap(lambda n: [n, "x"]).map(noted_pair).reduceByKey(add, 3),
        "flatMapValues": lambda rdd: rdd.keyBy(lambda n: n % 5).flatMapValues(ways).mapValues(str).reduceByKey(add, 3),
        "groups": lambda rdd: rdd.flatMap(ways).map(lambda n: (n, 1)).groupByKey(3),
        "combiners": lambda rdd: rdd.flatMap(ways).map(noted_pair).combineByKey(lambda v: None, lambda c, v: v, noted_sum, 3),
        "errors": lambda rdd: rdd.flatMap(ways).map(lambda n: (n, n if n != 5 else fails_at(5)(n))).reduceByKey(max, 3),
        "stops": lambda rdd: rdd.flatMap(ways).map(lambda n: (n, n if n != 5 else stops_at(5)(n))).reduceByKey(max, 3),
        "no keys": lambda rdd: rdd.flatMap(ways).map(lambda n: ([n], 1) if n == 7 else (n, 1)).reduceByKey(add, 3),
    }.items():
        compare(f"{name} of {way}", make, numbers(700), most=10**6)
        if name in ("flatMap", "flatMap, filter", "flatMapValues", "groups") and way != "list of its own kind":
            compare_spilled(f"{name} of {way}", DataSets("1m").functions(make)[0], numbers(2000))
compare("a list that grows", lambda rdd: rdd.flatMap(growing).map(grow).reduceByKey(add, 2), numbers(1200), most=10**6)


# Operators.
class Strange:
    """An operand that is no number."""

    def __init__(self, stops=False):
        self.stops = stops

    def _operate(self, sign, other):
        note((sign, repr(other)))
        if self.stops:
            raise StopIteration(sign)
        return self

    __add__ = lambda self, other: self._operate("+", other)  # noqa: E731
    __rmul__ = lambda self, other: self._operate("r*", other)  # noqa: E731
    __repr__ = lambda self: f"Strange({self.stops})"  # noqa: E731
    __eq__ = lambda self, other: repr(self) == repr(other)  # noqa: E731
    __reduce__ = lambda self: (Strange, (self.stops,))  # noqa: E731


operands = [
    (1, 2, 3), (1.5, 2, 3), ("a", "b", "c"), ([1], [2]), (True, True), (1, "a"), (None, 1), (3, [1]), ({1}, {2}), ({1: 2}, {3: 4}),
    (Strange(), 1, 2), (Strange(True), 1, 2), (3, Strange()), (3, Strange(True)), (2**70, 2**70),
]  # fmt: skip
for function in (operator.add, operator.mul, operator.and_, operator.or_, operator.xor, operator.concat):
    for values in operands:
        pairs_of_values = of(*[(1, value) for value in values])
        in_lists = of([(1, value) for value in values])
        name = f"{function.__name__} of {values}"
        compare(name, lambda rdd: rdd.reduceByKey(function, 2), pairs_of_values)
        compare(name, lambda rdd: rdd.flatMap(lambda pairs: pairs).reduceByKey(function, 2), in_lists)


# What is one value in the end.
def sent_by(action):
    """The function of an action's only stage."""

    def make(rdd):
        made = []

        def stop(self):
            made.append(self)
            raise InterruptedError

        with mock.patch.object(RDD, "collect", stop), mock.patch.object(RDD, "count", stop, create=True):
            try:
                action(rdd)
            except InterruptedError:
                pass
        return made[0]

    return make


for name, action in {
    "reduce": lambda rdd: rdd.map(double).reduce(add),
    "reduce by other operators": lambda rdd: rdd.map(double).reduce(operator.xor),
    "fold by other operators": lambda rdd: rdd.map(double).fold(1, operator.mul),
    "aggregate what stops": lambda rdd: rdd.map(lambda n: Strange(n == 4)).aggregate(Strange(), add, add),
    "reduce what cannot be added": lambda rdd: rdd.map(lambda n: n if n < 4 else "a").reduce(add),
    "reduce alone": lambda rdd: rdd.reduce(lambda a, b: note((a, b)) or a + b),
    "fold": lambda rdd: rdd.map(double).fold(0, add),
    "aggregate": lambda rdd: rdd.map(double).aggregate([], lambda a, b: a + [b], add),
    "foreach": lambda rdd: rdd.map(double).foreach(lambda n: note(("foreach", n))),
    "sum": lambda rdd: rdd.map(double).sum(),
    "reduce that stops": lambda rdd: rdd.reduce(lambda a, b: stops_at(4)(b)),
    "fold that stops": lambda rdd: rdd.fold(0, lambda a, b: stops_at(4)(b)),
    "aggregate that fails": lambda rdd: rdd.aggregate(0, lambda a, b: fails_at(4)(b), add),
    "foreach that stops": lambda rdd: rdd.foreach(stops_at(4)),
    "foreach that fails": lambda rdd: rdd.foreach(fails_at(4)),
}.items():
    compare(name, sent_by(action), numbers(), numbers(0), numbers(1))
compare("treeAggregate", sent_by(lambda rdd: rdd.map(double).treeAggregate(0, add, add)), numbers(), numbers(0))

# What is not PySpark's own, or no longer, is left alone.
compare("mapPartitions", lambda rdd: rdd.mapPartitions(lambda part: part), numbers(), replaced=False)
compare("before mapPartitions", lambda rdd: rdd.map(double).mapPartitions(lambda part: part), numbers(), replaced=False)
compare("after mapPartitions", lambda rdd: rdd.mapPartitions(lambda part: part).map(double), numbers())
with mock.patch.object(RDD_MODULE, "fail_on_stopiteration", lambda function: lambda *given: -function(*given)):
    pickled = DataSets().functions(lambda rdd: rdd.map(double))[0]
changed = cloudpickle.loads(pickled)
assert pipeline.fused(KNOWN, changed) is changed

# The hash of a key is that of PySpark, without the environment it is an error.
same = shuffling.portable_hash_of(KNOWN)
for key in [*keys, (), ((),), (None,), ("a", ("b", (None, 1.5)))]:
    assert same(key) == RDD_MODULE.portable_hash(key), key
without = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
with mock.patch.dict(os.environ, without, clear=True):
    compare("no seed", lambda rdd: rdd.partitionBy(2), of((1, 2)), numbers(0))
print("all as expected")
