"""The examples in PySpark's own documentation of the members that read and write files of Hadoop's formats."""

import doctest

import pyspark.core.context
import pyspark.core.rdd
from pyspark import RDD, SparkContext

MEMBERS = {
    SparkContext: ["pickleFile", "sequenceFile", "newAPIHadoopFile", "newAPIHadoopRDD", "hadoopFile", "hadoopRDD"],
    RDD: [
        "saveAsPickleFile",
        "saveAsSequenceFile",
        "saveAsHadoopFile",
        "saveAsNewAPIHadoopFile",
        "saveAsHadoopDataset",
        "saveAsNewAPIHadoopDataset",
        "saveAsTextFile",
    ],
}

sc = SparkContext("local[4]", "doctests")
names = {**pyspark.core.rdd.__dict__, **pyspark.core.context.__dict__, "sc": sc}
for owner, members in MEMBERS.items():
    for member in members:
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        for test in doctest.DocTestFinder().find(getattr(owner, member), f"{owner.__name__}.{member}", globs=dict(names)):
            runner.run(test)
        outcome = runner.summarize()
        assert outcome.attempted > 2 and outcome.failed == 0, (member, outcome)
sc.stop()
print("all as expected")
