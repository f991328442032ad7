"""Collections, broadcast values and what tasks leave on disks, with local files encrypted or not, as the argument says."""

import os
import sys

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext, StorageLevel

encrypted = sys.argv[1] == "encrypted"
sc = SparkContext(appName="encryption")
assert sc._encryption_enabled is encrypted
WORD = "swordfish"
scratch = os.environ["SPARK_LOCAL_DIRS"]
numbers = sc.parallelize(range(8), 4)


def files_with_word():
    """What each file is in whose bytes the word can be read. Files come and go."""
    kinds = set()
    for directory, _, names in os.walk(scratch):
        for name in names:
            try:
                with open(os.path.join(directory, name), "rb") as file:
                    found = WORD.encode() in file.read()
            except FileNotFoundError:
                continue
            if found:
                kinds.add(name.split("_")[0])
    return kinds


# Collections, of which none is in a file when they are encrypted.
assert numbers.glom().collect() == [[0, 1], [2, 3], [4, 5], [6, 7]]
for collection in [[], [None], ["a", b"\0\xff", (1, [2])], [WORD * 1_000_000] * 3, range(100_000)]:
    assert sc.parallelize(collection, 3).collect() == list(collection)
    assert sc.parallelize(collection, 3).count() == len(collection)

# A value of several chunks and pieces: in the program, and in tasks, whose workers may hold some of their values already.
large = sc.broadcast([f"{WORD} {n}" for n in range(600_000)])
for _ in range(2):
    assert large.value[599_999] == f"{WORD} 599999" and len(large.value) == 600_000
assert numbers.map(lambda n: large.value[n * 50_000]).collect() == [f"{WORD} {n * 50_000}" for n in range(8)]
small = [sc.broadcast(f"value {n}") for n in range(4)]
for used in [[0], [0, 1], [1], [3, 1, 0], [2, 3], [], [0, 1, 2, 3]]:
    chosen = [small[n] for n in used]
    expected = [[f"value {n}" for n in used]] * 8
    assert numbers.map(lambda _: [value.value for value in chosen]).collect() == expected, used
small[0].unpersist(blocking=True)
assert numbers.map(lambda _: small[0].value).distinct().collect() == ["value 0"]
small[1].destroy(blocking=True)
assert sc.broadcast(None).value is None
# A function that is so large that it becomes such a value.
captured = f"{WORD} " * 300_000
assert numbers.map(lambda n: len(captured) + n).sum() == 8 * 3_000_000 + 28

# What tasks write: map outputs and cached partitions.
words = numbers.flatMap(lambda n: [(f"{WORD} {i}", n) for i in range(1000)])
words.persist(StorageLevel.DISK_ONLY)
assert words.count() == 8000
counts = words.reduceByKey(lambda one, other: one + other, 3)
assert counts.filter(lambda pair: pair[1] != 28).count() == 0 and counts.count() == 1000
assert words.sortByKey().keys().first() == f"{WORD} 0"
found = files_with_word()
if encrypted:
    assert found == set(), found
else:
    assert {"python", "rdd", "shuffle"} <= found, found

if encrypted:
    # A file that was changed is not taken for the value.
    with open(large._path, "r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    try:
        large.value
        raise AssertionError("a changed file was read")
    except Py4JJavaError as error:
        assert "java.io.IOException" in str(error) and "was changed" in str(error), error
    # Tasks have their own copies.
    assert numbers.map(lambda n: large.value[n]).first() == f"{WORD} 0"
sc.stop()
print("all as expected")
