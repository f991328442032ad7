"""Are PySpark's functions replaced in workers? The argument says what is expected."""

import os
import sys
import traceback
from collections import Counter
from operator import add

from pyspark import SparkContext

# What lies about is not taken for the modules that replace them.
for name in ("code", "memory", "text"):
    os.makedirs(name, exist_ok=True)
sc = SparkContext(appName="replaced")


def frames(n):
    return [frame.filename for frame in traceback.extract_stack()]


files = sc.parallelize([1], 1).map(frames).first()
found = "replaced" if any(name.startswith("<firesteel: ") for name in files) else "as they are"
assert found == sys.argv[1], files


def fails(word):
    raise ValueError(f"not {word}")


with open("replaced.txt", "w", encoding="utf-8") as file:
    # Shorter and longer than any buffer, empty, and not only of single bytes.
    lines = ["one two", "", "\u4e16 two", "x" * 200_000, "", *(f"line {n} two" for n in range(30_000)), "y" * 65_532, "z"]
    file.write("\n".join(lines))
text = sc.textFile("replaced.txt", 3)
assert text.collect() == lines
assert text.map(len).sum() == sum(map(len, lines))
assert sc.textFile("replaced.txt", 3, use_unicode=False).collect() == [line.encode() for line in lines]
assert text.take(1) == lines[:1] and text.count() == len(lines)
counts = dict(text.flatMap(lambda line: line.split(" ")).map(lambda word: (word, 1)).reduceByKey(add, 4).collect())
assert counts == Counter(word for line in lines for word in line.split(" "))
assert text.map(lambda line: (len(line), line)).sortByKey(numPartitions=2).keys().first() == 0
try:
    text.map(lambda line: (fails(line), 1)).reduceByKey(add).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "ValueError: not " in str(error) and "in fails" in str(error), error
try:
    text.map(lambda line: next(iter([]))).count()
    raise AssertionError("it did not fail")
except Exception as error:
    assert "STOP_ITERATION_OCCURRED" in str(error), error
sc.stop()
print("all as expected")
