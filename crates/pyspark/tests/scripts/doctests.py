"""Runs the doctests of a module of the installed PySpark, and prints a line for each example that fails and one at the end.

The first line is `fail <name of the docstring>: <first line of the example>`, of which the test knows some; what was expected
and got goes to standard error.
"""

import doctest
import importlib
import sys
import tempfile

from pyspark import SparkContext
from pyspark.conf import SparkConf


class Runner(doctest.DocTestRunner):
    failures_seen = []

    def failed(self, test, example):
        # Not printed: an example's output is what doctest takes for itself.
        self.failures_seen.append("fail {}: {}".format(test.name, example.source.splitlines()[0]))

    def report_start(self, out, test, example):
        pass

    def report_failure(self, out, test, example, got):
        self.failed(test, example)
        super().report_failure(sys.stderr.write, test, example, got)

    def report_unexpected_exception(self, out, test, example, exception):
        self.failed(test, example)
        super().report_unexpected_exception(sys.stderr.write, test, example, exception)


module = importlib.import_module(sys.argv[1])
checkpoints = tempfile.TemporaryDirectory()
sc = SparkContext("local[4]", "doctests", conf=SparkConf().set("spark.ui.enabled", "true"))
sc.setCheckpointDir(checkpoints.name)
names = dict(vars(module), sc=sc)
if module.__name__ == "pyspark.core.broadcast":
    from pyspark.sql import SparkSession

    names["spark"] = SparkSession.builder.getOrCreate()
runner = Runner(optionflags=doctest.ELLIPSIS)
for test in doctest.DocTestFinder().find(module, module.__name__, extraglobs=names):
    runner.run(test, clear_globs=False)
sc.stop()
checkpoints.cleanup()
print("\n".join(runner.failures_seen))
print(f"{runner.tries} examples in {module.__name__}")
