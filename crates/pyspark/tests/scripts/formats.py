"""Writes files of Hadoop's formats, or reads those that another has written: `formats.py write|read DIRECTORY`."""

import datetime
import sys

from pyspark import SparkContext

what, directory = sys.argv[1:]
sc = SparkContext("local[2]", "formats")
IO, CODEC = "org.apache.hadoop.io.", "org.apache.hadoop.io.compress."
NEW_IN, NEW_OUT = "org.apache.hadoop.mapreduce.lib.input.", "org.apache.hadoop.mapreduce.lib.output."

elements = [None, "\u00fc", b"\0", 1.5, 2**70, {"a": [1, {2}]}, datetime.date(2020, 1, 2)] * 300
many = [(n, f"value {n} \u00fc" * 3) for n in range(20000)]
# Spark without native libraries writes no ZStandard.
codecs = ["DefaultCodec", "GzipCodec", "BZip2Codec", "SnappyCodec", "Lz4Codec"]
pairs = {
    "int-text": [(1, ""), (-2, "a"), (2**31 - 1, "\U0001d4b3\0")],
    "long-double": [(2**40, 1.5), (-(2**63), float("inf"))],
    "text-bytes": [("\u00fc", b""), ("x" * 300, bytes(range(256)) * 300)],
    "null-boolean": [(None, True), (None, False)],
    "double-map": [(0.1, {}), (-0.0, {"a": 1, 2: None, 3.5: b"x", "n": {"k": True, 2.5: 2**40}})],
    "empty-text": [("", "")],
}

if what == "write":
    sc.parallelize(elements, 3).saveAsPickleFile(f"{directory}/pickle")
    sc.parallelize([], 2).saveAsPickleFile(f"{directory}/pickle-of-nothing")
    for name, content in pairs.items():
        sc.parallelize(content, 1).saveAsSequenceFile(f"{directory}/{name}")
    sc.parallelize(many, 1).saveAsSequenceFile(f"{directory}/plain")
    for codec in codecs:
        sc.parallelize(many, 2).saveAsSequenceFile(f"{directory}/{codec}-blocks", CODEC + codec)
        each = {"mapreduce.output.fileoutputformat.compress": "true", "mapreduce.output.fileoutputformat.compress.codec": CODEC + codec}
        few = sc.parallelize(many[:500], 2)
        few.saveAsNewAPIHadoopFile(f"{directory}/{codec}-records", NEW_OUT + "SequenceFileOutputFormat", IO + "IntWritable", IO + "Text", conf=each)
    text = sc.parallelize(many, 2)
    text.saveAsNewAPIHadoopFile(f"{directory}/text", NEW_OUT + "TextOutputFormat", IO + "IntWritable", IO + "Text")
else:
    assert sc.pickleFile(f"{directory}/pickle").collect() == elements
    assert sc.pickleFile(f"{directory}/pickle-of-nothing").collect() == []
    for name, content in pairs.items():
        assert sc.sequenceFile(f"{directory}/{name}").collect() == content, name
    split = sc.sequenceFile(f"{directory}/plain", minSplits=8)
    print(split.getNumPartitions(), "partitions")
    assert split.getNumPartitions() > 4 and split.collect() == many
    for codec in codecs:
        assert sc.sequenceFile(f"{directory}/{codec}-blocks", minSplits=4).collect() == many, codec
        assert sc.newAPIHadoopFile(f"{directory}/{codec}-records", NEW_IN + "SequenceFileInputFormat", IO + "IntWritable", IO + "Text").collect() == many[:500], codec
    lines = sc.newAPIHadoopFile(f"{directory}/text", NEW_IN + "TextInputFormat", IO + "LongWritable", IO + "Text")
    assert lines.values().collect() == [f"{key}\t{value}" for key, value in many]
sc.stop()
print("all as expected")
