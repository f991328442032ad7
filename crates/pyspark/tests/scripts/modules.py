"""A module of --py-files, in the program and in workers."""

import blank
import percent
import shipped_module
import umlaut
from pyspark import SparkContext

sc = SparkContext(appName="modules")
for module in (shipped_module, blank, umlaut, percent):
    assert module.triple(2) == 6


def triple_by(name):
    def triple(n):
        import importlib

        return importlib.import_module(name).triple(n)

    return triple


for name in ("shipped_module", "blank", "umlaut", "percent"):
    assert sc.parallelize([1, 2, 3], 2).map(triple_by(name)).collect() == [3, 6, 9], name
sc.stop()
print("all as expected")
