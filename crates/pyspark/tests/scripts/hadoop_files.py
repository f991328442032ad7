"""Files of Hadoop's formats. What is read and written is what Spark 4.3.0 reads and writes."""

import datetime
import os
import sys
import tempfile

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext

sc = SparkContext(appName="Hadoop's files", master=sys.argv[1] if len(sys.argv) > 1 else None)
directory = tempfile.mkdtemp()
numbered = iter(range(1000))

IO = "org.apache.hadoop.io."
OLD = "org.apache.hadoop.mapred."
NEW_IN, NEW_OUT = "org.apache.hadoop.mapreduce.lib.input.", "org.apache.hadoop.mapreduce.lib.output."


def place():
    return f"{directory}/{next(numbered)}"


def parts(path):
    return sorted(name for name in os.listdir(path) if not name.endswith(".crc"))


def content(path):
    with open(path, "rb") as file:
        return file.read()


def through_sequence_file(pairs, slices=1):
    path = place()
    sc.parallelize(pairs, slices).saveAsSequenceFile(path)
    return sc.sequenceFile(path).collect()


def fails(call, error, *texts):
    try:
        call()
    except Py4JError as caught:
        assert type(caught) is error, (type(caught), caught)
        for text in texts:
            assert text in str(caught), str(caught)[:2000]
    else:
        raise AssertionError(f"it did not fail: {texts}")


# Object files.
path = place()
sc.parallelize(range(25), 2).saveAsPickleFile(path, 2)
assert parts(path) == ["_SUCCESS", "part-00000", "part-00001"]
start = content(f"{path}/part-00000")
assert start.startswith(b"SEQ\x06!org.apache.hadoop.io.NullWritable\"org.apache.hadoop.io.BytesWritable\0\0\0\0\0\0")
assert b"\xac\xed\x00\x05ur\x00\x03[[BK\xfd\x19\x15gg\xdb7\x02\x00\x00xp\x00\x00\x00\x06ur\x00\x02[B" in start
assert sc.pickleFile(path, 3).getNumPartitions() == 2
assert sorted(sc.pickleFile(path).collect()) == list(range(25))
empty = place()
sc.parallelize([], 2).saveAsPickleFile(empty)
assert sc.pickleFile(f"{path},{empty}").count() == 25
mixed = [None, "\u00fc", b"\0", {"a": [1, {2}]}, (1.5, datetime.date(2020, 1, 2))]
path = place()
sc.parallelize(mixed * 100, 3).map(lambda x: x).saveAsPickleFile(path, batchSize=0)
assert sorted(map(repr, sc.pickleFile(path).collect())) == sorted(map(repr, mixed * 100))
missing = sc.pickleFile(f"{directory}/missing")
fails(missing.count, Py4JJavaError, "org.apache.hadoop.mapred.InvalidInputException", "missing")
fails(lambda: sc.parallelize([1]).saveAsPickleFile(path), Py4JJavaError, "org.apache.hadoop.mapred.FileAlreadyExistsException")

# Sequence files: what becomes of values.
assert through_sequence_file([(1, "a"), (2, "\u00fc\0"), (-3, "\U0001d4b3")]) == [(1, "a"), (2, "\u00fc\0"), (-3, "\U0001d4b3")]
read = through_sequence_file([(1, b"ab"), (2, bytearray(b"cd"))])
assert read == [(1, b"ab"), (2, b"cd")] and type(read[0][1]) is bytearray
assert through_sequence_file([(None, True)]) == [(None, True)]
assert through_sequence_file([(2**40, 1.5)]) == [(2**40, 1.5)]
nested = {"a": 1, 2: None, 3.5: b"x", "n": {"k": True}}
assert through_sequence_file([(1, nested)]) == [(1, nested)]
fails(lambda: through_sequence_file([(1, [1, 2])]), Py4JJavaError, "Data of type java.util.ArrayList cannot be used")
fails(lambda: through_sequence_file([(1, 2**70)]), Py4JJavaError, "Data of type java.math.BigInteger cannot be used")
fails(lambda: through_sequence_file([(1, {2})]), Py4JJavaError, "Data of type java.util.HashSet cannot be used")
fails(lambda: through_sequence_file([(1, datetime.date(2020, 1, 2))]), Py4JJavaError, "Data of type datetime.date cannot be used")
fails(lambda: through_sequence_file([1, 2]), Py4JJavaError, "RDD element of type java.lang.Integer cannot be used")
fails(lambda: through_sequence_file([(1, 2, 3)]), Py4JJavaError, "RDD element of type [Ljava.lang.Object; cannot be used")
fails(lambda: through_sequence_file([]), Py4JJavaError, "empty collection")
fails(lambda: through_sequence_file([(1, "a"), ("b", "c")]), Py4JJavaError, "wrong key class: org.apache.hadoop.io.Text is not class org.apache.hadoop.io.IntWritable")
# A tuple is written as an array, which nobody can read.
path = place()
sc.parallelize([(1, (1, 2))]).saveAsSequenceFile(path)
fails(lambda: sc.sequenceFile(path).count(), Py4JJavaError, "org.apache.hadoop.io.ArrayWritable does not say what its elements are")

# Compressed, in blocks.
pairs = [(n, str(n) * 10) for n in range(5000)]
for codec in ["DefaultCodec", "GzipCodec", "BZip2Codec", "SnappyCodec", "Lz4Codec", "ZStandardCodec"]:
    path = place()
    sc.parallelize(pairs, 3).saveAsSequenceFile(path, f"org.apache.hadoop.io.compress.{codec}")
    assert parts(path) == ["_SUCCESS", "part-00000", "part-00001", "part-00002"]
    assert f"\x01\x01{chr(29 + len(codec) + 1)}org.apache.hadoop.io.compress.{codec}".encode() in content(f"{path}/part-00000")[:200], codec
    assert sc.sequenceFile(path).collect() == pairs, codec
assert sc.sequenceFile(path, batchSize=3).glom().map(len).sum() == 5000
fails(lambda: sc.parallelize(pairs).saveAsSequenceFile(place(), "org.example.Nope"), Py4JJavaError, "java.lang.ClassNotFoundException: org.example.Nope")

# Many splits of one file, which has markers.
path = place()
sc.parallelize([(n, "x" * 50) for n in range(20000)], 1).saveAsSequenceFile(path)
split = sc.sequenceFile(path, minSplits=8)
assert split.getNumPartitions() > 4 and split.keys().collect() == list(range(20000))

# Input that is something else.
fails(lambda: sc.sequenceFile(f"{directory}/missing"), Py4JJavaError, "org.apache.hadoop.mapred.InvalidInputException", "missing")
with open(f"{directory}/plain", "w") as file:
    file.write("hello world\n" * 100)
fails(lambda: sc.sequenceFile(f"{directory}/plain").count(), Py4JJavaError, "it is not a sequence file")
fails(lambda: sc.sequenceFile(path, "no.such.Key"), Py4JError, "no.such.Key is none of the Writable classes")
fails(lambda: sc.sequenceFile(path, keyConverter="no.such.Converter"), Py4JError, "the converter no.such.Converter cannot be used")

# Text.
values = [(1, "a"), (None, "b"), ("c", None), (None, None), (1.0, b"\x01\xff"), (True, {"a": 1}), (1e10, (1, 2)), (1e-5, "x"), ("", ""), (2**40, {1: {2: 3}})]
path = place()
sc.parallelize(values, 1).saveAsHadoopFile(path, OLD + "TextOutputFormat")
assert content(f"{path}/part-00000") == (
    b"1\ta\nb\nc\n1.0\t01 ff\ntrue\t{a=1}\n"
    b"1.0E10\tArrayWritable [valueClass=interface org.apache.hadoop.io.Writable, values=[1, 2]]\n"
    b"1.0E-5\tx\n\t\n1099511627776\t{1={2=3}}\n"
)
path = place()
sc.parallelize([(1, "a")], 1).saveAsHadoopFile(path, OLD + "TextOutputFormat", conf={"mapreduce.output.textoutputformat.separator": " : "})
assert content(f"{path}/part-00000") == b"1 : a\n"
path = place()
sc.parallelize([(1, "a")], 1).saveAsHadoopFile(path, OLD + "TextOutputFormat", compressionCodecClass="org.apache.hadoop.io.compress.DefaultCodec")
assert content(f"{path}/part-00000.deflate") == b"x\x9c3\xe4L\xe4\x02\x00\x01\xaf\x00\xa6"
path = place()
sc.parallelize([(1, "a"), (2, "b")], 2).saveAsNewAPIHadoopFile(path, NEW_OUT + "TextOutputFormat")
assert parts(path) == ["_SUCCESS", "part-r-00000", "part-r-00001"] and content(f"{path}/part-r-00001") == b"2\tb\n"
path = place()
sc.parallelize([(1, "a"), (2, "b")], 2).saveAsNewAPIHadoopFile(path, NEW_OUT + "TextOutputFormat", conf={"mapreduce.output.fileoutputformat.compress": "true"})
assert parts(path) == ["_SUCCESS", "part-r-00000.deflate", "part-r-00001.deflate"]

lines = f"{directory}/lines.txt"
with open(lines, "wb") as file:
    file.write(b"one\ntwo\r\nthree")
expected = [(0, "one"), (4, "two"), (9, "three")]
classes = (IO + "LongWritable", IO + "Text")
old = sc.hadoopFile(lines, OLD + "TextInputFormat", *classes)
assert old.collect() == expected and old.getNumPartitions() == 2
new = sc.newAPIHadoopFile(lines, NEW_IN + "TextInputFormat", *classes)
assert new.collect() == expected and new.getNumPartitions() == 1
small = {"mapreduce.input.fileinputformat.split.maxsize": "5"}
assert sc.newAPIHadoopFile(lines, NEW_IN + "TextInputFormat", *classes, conf=small).getNumPartitions() == 3
for key in ["mapreduce.input.fileinputformat.inputdir", "mapred.input.dir"]:
    assert sc.hadoopRDD(OLD + "TextInputFormat", *classes, conf={key: lines}).collect() == expected
assert sc.newAPIHadoopRDD(NEW_IN + "TextInputFormat", *classes, conf={"mapreduce.input.fileinputformat.inputdir": lines}).collect() == expected
fails(lambda: sc.hadoopRDD(OLD + "TextInputFormat", *classes), Py4JJavaError, "java.io.IOException: No input paths specified in job")
fails(lambda: sc.newAPIHadoopFile(f"{directory}/missing", NEW_IN + "TextInputFormat", *classes), Py4JJavaError, "org.apache.hadoop.mapreduce.lib.input.InvalidInputException")

# Sequence files by both interfaces, compressed record by record, with classes that are said.
for conf, flags in [
    ({}, b"\0\0"),
    ({"mapreduce.output.fileoutputformat.compress": "true"}, b"\x01\0"),
    ({"mapreduce.output.fileoutputformat.compress": "true", "mapreduce.output.fileoutputformat.compress.type": "BLOCK"}, b"\x01\x01"),
    ({"mapreduce.output.fileoutputformat.compress": "true", "mapreduce.output.fileoutputformat.compress.type": "NONE"}, b"\0\0"),
]:
    path = place()
    sc.parallelize(pairs, 2).saveAsNewAPIHadoopFile(path, NEW_OUT + "SequenceFileOutputFormat", IO + "IntWritable", IO + "Text", conf=conf)
    assert b"org.apache.hadoop.io.Text" + flags in content(f"{path}/part-r-00000")[:200]
    assert sc.newAPIHadoopFile(path, NEW_IN + "SequenceFileInputFormat", IO + "IntWritable", IO + "Text").collect() == pairs
    assert sc.hadoopFile(path, OLD + "SequenceFileInputFormat", IO + "IntWritable", IO + "Text").collect() == pairs
path = place()
sc.parallelize([], 2).saveAsHadoopFile(path, OLD + "SequenceFileOutputFormat", IO + "IntWritable", IO + "Text")
assert len(parts(path)) == 3 and sc.sequenceFile(path).collect() == []
wrong = lambda: sc.parallelize(pairs).saveAsNewAPIHadoopFile(place(), NEW_OUT + "SequenceFileOutputFormat", IO + "Text", IO + "Text")
fails(wrong, Py4JJavaError, "wrong key class: org.apache.hadoop.io.IntWritable is not class org.apache.hadoop.io.Text")

# By the properties of a job.
path = place()
sc.parallelize([(1, "a")], 1).saveAsHadoopDataset({
    "mapred.output.format.class": OLD + "SequenceFileOutputFormat",
    "mapreduce.job.output.key.class": IO + "IntWritable",
    "mapreduce.job.output.value.class": IO + "Text",
    "mapreduce.output.fileoutputformat.outputdir": path,
})
assert sc.sequenceFile(path).collect() == [(1, "a")]
path = place()
sc.parallelize([(1, "a")], 1).saveAsNewAPIHadoopDataset({"mapreduce.output.fileoutputformat.outputdir": path})
assert content(f"{path}/part-r-00000") == b"1\ta\n"
for save in ["saveAsHadoopDataset", "saveAsNewAPIHadoopDataset"]:
    fails(lambda: getattr(sc.parallelize([(1, 2)]), save)({}), Py4JJavaError, "org.apache.hadoop.mapred.InvalidJobConfException: Output directory not set")
fails(lambda: sc.parallelize(pairs).saveAsNewAPIHadoopFile(place(), OLD + "SequenceFileOutputFormat"), Py4JJavaError, "class org.apache.hadoop.mapred.SequenceFileOutputFormat not org.apache.hadoop.mapreduce.OutputFormat")
fails(lambda: sc.hadoopFile(lines, "com.example.Avro", *classes), Py4JError, "the format com.example.Avro is not built into Firesteel yet")

sc.stop()
print("all as expected")
