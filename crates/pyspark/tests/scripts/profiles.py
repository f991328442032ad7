"""What PySpark's own profiler of RDDs shows."""

import contextlib
import io
import os
import tempfile

from pyspark import SparkConf, SparkContext

sc = SparkContext(conf=SparkConf().set("spark.python.profile", "true"), appName="profiles")


def profiled_by_name(n):
    return n + 1


numbers = sc.parallelize(range(100), 2).map(profiled_by_name)
assert numbers.count() == 100 and numbers.sum() == 5050
shown = io.StringIO()
with contextlib.redirect_stdout(shown):
    sc.show_profiles()
text = shown.getvalue()
assert text.count("Profile of RDD<id=") == 2, text
# Both jobs called it once for each element.
calls = [line.split()[0] for line in text.splitlines() if "profiled_by_name" in line]
assert calls == ["100", "100"], text
assert numbers.count() == 100
with tempfile.TemporaryDirectory() as directory:
    sc.dump_profiles(directory)
    # Also those that were shown before.
    assert len(os.listdir(directory)) == 3, os.listdir(directory)
sc.stop()
print("all as expected")
