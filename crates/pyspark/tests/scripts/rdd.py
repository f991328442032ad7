"""What data sets can do."""

import os
import sys
import tempfile

from pyspark import SparkConf, SparkContext, SparkFiles, StorageLevel, TaskContext

conf = SparkConf().setAppName("data sets").set("spark.my.key", "a\n\\b")
if len(sys.argv) > 1:
    conf.setMaster(sys.argv[1])
sc = SparkContext(conf=conf)
directory = tempfile.mkdtemp()

# The context and its configuration.
assert sc.appName == "data sets" and sc.version == "4.3.0"
assert sc.getConf().get("spark.my.key") == "a\n\\b"
assert dict(sc.getConf().getAll())["spark.app.name"] == "data sets"
assert sc.getConf().get("spark.no.such.key") is None and sc.getConf().get("spark.no.such.key", "d") == "d"
assert sc.defaultParallelism == 2 and sc.defaultMinPartitions == 2
assert sc.uiWebUrl is None and sc.startTime > 0

# Collections, by both ways.
numbers = sc.parallelize(range(100), 4)
assert numbers.getNumPartitions() == 4
assert numbers.collect() == list(range(100))
assert sc.parallelize(["a", "\u00fc", None, (1, b"\0\xff")], 3).collect() == ["a", "\u00fc", None, (1, b"\0\xff")]
assert sc.parallelize([], 3).collect() == [] and sc.emptyRDD().collect() == []
is_encrypted, sc._encryption_enabled = sc._encryption_enabled, True
assert sc.parallelize([1, 2, 3, 4, 5], 2).glom().collect() == [[1, 2], [3, 4, 5]]
sc._encryption_enabled = is_encrypted
assert sc.parallelize(["x" * 3_000_000] * 3, 3).map(len).collect() == [3_000_000] * 3

# Narrow transformations, in one worker pass; actions.
doubled = numbers.map(lambda n: n * 2).filter(lambda n: n % 4 == 0).flatMap(lambda n: [n, n + 1])
assert doubled.count() == 100 and doubled.take(3) == [0, 1, 4] and doubled.first() == 0
assert numbers.mapPartitions(lambda it: [sum(it)]).collect() == [300, 925, 1550, 2175]
assert numbers.mapPartitionsWithIndex(lambda i, it: [(i, len(list(it)))]).collect() == [(0, 25), (1, 25), (2, 25), (3, 25)]
assert numbers.reduce(lambda a, b: a + b) == 4950 and numbers.sum() == 4950 and numbers.max() == 99
assert numbers.fold(0, lambda a, b: a + b) == 4950
assert numbers.aggregate((0, 0), lambda a, n: (a[0] + n, a[1] + 1), lambda a, b: (a[0] + b[0], a[1] + b[1])) == (4950, 100)
assert numbers.treeReduce(lambda a, b: a + b) == 4950
assert numbers.takeOrdered(3, key=lambda n: -n) == [99, 98, 97] and numbers.top(2) == [99, 98]
assert numbers.stats().mean() == 49.5
assert sc.runJob(numbers, lambda it: [sum(it)], [3, 0]) == [2175, 300]
assert numbers.isEmpty() is False and numbers.filter(lambda n: False).isEmpty()
assert numbers.zipWithIndex().take(2) == [(0, 0), (1, 1)]
assert numbers.coalesce(2).glom().map(len).collect() == [50, 50]
assert sorted(numbers.repartition(8).collect()) == list(range(100))


def endless(_):
    n = 0
    while True:
        yield n
        n += 1


assert numbers.mapPartitions(endless).take(2) == [0, 1]

# Which task this is.
contexts = numbers.mapPartitions(lambda _: [(TaskContext.get().partitionId(), TaskContext.get().cpus())])
assert contexts.collect() == [(0, 1), (1, 1), (2, 1), (3, 1)]
indexed = sc.parallelize([0], 1).mapPartitionsWithIndex(lambda index, _: [index])
assert indexed.union(indexed).collect() == [0, 0], "the index is the data set's, not the task's"

# Shuffles.
pairs = sc.parallelize([(n % 3, n) for n in range(30)], 4)
assert sorted(pairs.reduceByKey(lambda a, b: a + b).collect()) == [(0, 135), (1, 145), (2, 155)]
assert sorted((key, sorted(values)) for key, values in pairs.groupByKey(2).collect())[0] == (0, list(range(0, 30, 3)))
assert sorted(pairs.countByKey().items()) == [(0, 10), (1, 10), (2, 10)]
assert sorted(pairs.combineByKey(lambda n: [n], lambda a, n: a + [n], lambda a, b: a + b).mapValues(len).collect()) == [(0, 10), (1, 10), (2, 10)]
by_key = pairs.partitionBy(3)
assert by_key.getNumPartitions() == 3
assert [{key for key, _ in part} for part in by_key.glom().collect()] == [{0}, {1}, {2}]
assert by_key.union(by_key).getNumPartitions() == 3, "both are partitioned alike"
assert pairs.union(pairs).getNumPartitions() == 8
assert sc.union([pairs, pairs, pairs]).count() == 90
assert pairs.sortByKey(ascending=False).keys().take(1) == [2]
assert numbers.sortBy(lambda n: -n).take(2) == [99, 98]
assert pairs.join(sc.parallelize([(0, "a"), (5, "b")])).count() == 10
assert pairs.keys().distinct().count() == 3
assert sorted(pairs.cogroup(pairs).mapValues(lambda groups: [len(group) for group in groups]).collect()) == [(0, [10, 10]), (1, [10, 10]), (2, [10, 10])]
words = sc.parallelize(["b", "a", "b", "c", "b"], 3)
assert dict(words.countByValue()) == {"a": 1, "b": 3, "c": 1}
assert by_key.lookup(1) == list(range(1, 30, 3))

# Elements of several frames.
squares = numbers.map(lambda n: n * n)
assert numbers.zip(squares).take(3) == [(0, 0), (1, 1), (2, 4)]
assert numbers.zip(squares).map(lambda pair: pair[1] - pair[0]).sum() == squares.sum() - numbers.sum()
few = sc.parallelize(["a", "b"], 2)
assert sorted(few.cartesian(few).collect()) == [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
assert few.cartesian(few).cartesian(few).count() == 8
assert sorted(few.zip(few).union(few.zip(few)).collect()) == [("a", "a"), ("a", "a"), ("b", "b"), ("b", "b")]

# Partition after partition.
assert list(squares.toLocalIterator()) == [n * n for n in range(100)]
assert list(squares.toLocalIterator(prefetchPartitions=True)) == [n * n for n in range(100)]
assert next(iter(squares.toLocalIterator())) == 0
try:
    list(numbers.map(lambda n: 1 // (n - 60)).toLocalIterator())
    raise AssertionError("it did not fail")
except Exception as error:
    assert "ZeroDivisionError" in str(error), error

# Files.
with open(f"{directory}/in.txt", "w", encoding="utf-8") as file:
    file.write("to be or\nnot to be\n\u00fc\u00f1\n")
lines = sc.textFile(f"{directory}/in.txt")
counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
assert sorted(counts.collect()) == [("be", 2), ("not", 1), ("or", 1), ("to", 2), ("\u00fc\u00f1", 1)]
lines.map(str.upper).saveAsTextFile(f"{directory}/out")
assert "_SUCCESS" in os.listdir(f"{directory}/out")
assert sorted(sc.textFile(f"{directory}/out").collect()) == ["NOT TO BE", "TO BE OR", "\u00dc\u00d1"]
lines.saveAsTextFile(f"{directory}/packed", "org.apache.hadoop.io.compress.GzipCodec")
assert sc.textFile(f"{directory}/packed").count() == 3
assert any(name.endswith(".gz") for name in os.listdir(f"{directory}/packed"))
whole = dict(sc.wholeTextFiles(f"{directory}/in.txt").collect())
assert [text for path, text in whole.items() if path.endswith("/in.txt")] == ["to be or\nnot to be\n\u00fc\u00f1\n"], whole
assert sc.binaryFiles(f"{directory}/in.txt").values().map(len).collect() == [24]
assert sc.binaryRecords(f"{directory}/in.txt", 12).collect() == [b"to be or\nnot", b" to be\n\xc3\xbc\xc3\xb1\n"]
later = sc.textFile(f"{directory}/later.txt")
with open(f"{directory}/later.txt", "w") as file:
    file.write("one\n")
assert later.collect() == ["one"], "a file may be written after the data set was made of it"

# Shipped files.
sc.addFile(f"{directory}/in.txt")
assert numbers.map(lambda n: len(open(SparkFiles.get("in.txt"), encoding="utf-8").read())).first() == 22
with open(f"{directory}/added_module.py", "w") as file:
    file.write("def half(n):\n    return n / 2\n")
sc.addPyFile(f"{directory}/added_module.py")
assert len(sc.listFiles) == 2


def halved(n):
    import added_module

    return added_module.half(n)


assert numbers.map(halved).sum() == 2475

# Checkpoints.
sc.setCheckpointDir(f"{directory}/checkpoints")
checked = numbers.map(lambda n: n + 1)
checked.checkpoint()
assert checked.sum() == 5050 and checked.isCheckpointed() and checked.sum() == 5050
assert checked.getCheckpointFile().startswith(sc.getCheckpointDir())

# Caches.
cached = numbers.map(lambda n: n + 1).cache()
assert cached.is_cached and cached.sum() == 5050 and cached.map(lambda n: n - 1).sum() == 4950
assert cached.getStorageLevel() == StorageLevel.MEMORY_ONLY
cached.unpersist()
assert not cached.is_cached and cached.sum() == 5050
kept = numbers.setName("kept").persist(StorageLevel.DISK_ONLY)
assert kept.name() == "kept" and kept.count() == 100 and kept.count() == 100

# Broadcast values.
table = sc.broadcast({"factor": 7})
assert numbers.map(lambda n: n * table.value["factor"]).take(3) == [0, 7, 14]
other = sc.broadcast(list(range(1000)))
assert numbers.map(lambda n: other.value[n] + table.value["factor"]).sum() == 4950 + 700
table.unpersist()
assert numbers.map(lambda n: table.value["factor"]).first() == 7
large = "x" * 3_000_000
assert numbers.map(lambda n: len(large)).first() == 3_000_000, "a large function is broadcast"

# Accumulators.
total = sc.accumulator(0)
numbers.foreach(lambda n: total.add(n))
assert total.value == 4950
numbers.foreachPartition(lambda it: total.add(len(list(it))))
assert total.value == 5050
reals = sc.accumulator(0.5)
numbers.map(lambda n: reals.add(1.0)).count()
assert reals.value == 100.5


# Exceptions of the user's code.
def fails(n):
    raise ValueError("gr\u00fcn \U0001f525")


try:
    numbers.map(fails).collect()
    raise AssertionError("it did not fail")
except Exception as error:
    assert type(error).__name__ == "Py4JJavaError", error
    text = str(error)
    assert "org.apache.spark.api.python.PythonException: [PYTHON_EXCEPTION] An exception was thrown from the Python worker: Traceback" in text, text
    assert 'ValueError: gr\u00fcn \U0001f525' in text and text.rstrip().endswith("SQLSTATE: 38000"), text
    assert error.java_exception.getMessage().startswith("[PYTHON_EXCEPTION]")
try:
    sc.textFile(f"{directory}/missing").count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "org.apache.hadoop.mapred.InvalidInputException: Input path does not exist" in str(error), error
try:
    lines.saveAsTextFile(f"{directory}/out")
    raise AssertionError("it did not fail")
except Exception as error:
    assert "org.apache.hadoop.mapred.FileAlreadyExistsException" in str(error), error
assert numbers.count() == 100

# The end, and another beginning.
temporary = sc._temp_dir
assert os.path.isdir(temporary)
sc.stop()
sc.stop()
assert not os.path.exists(temporary)
try:
    numbers.map(lambda n: n).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "AssertionError" not in type(error).__name__, error
sc = SparkContext("local[1]", "again")
assert sc.parallelize([1, 2]).map(lambda n: n + 1).collect() == [2, 3]
counter = sc.accumulator(0)
sc.parallelize([1, 2]).foreach(lambda n: counter.add(n))
assert counter.value == 3
sc.stop()
print("all as expected")
