"""Hadoop's configuration and file systems, and the levels of log4j. Every expected value is what Spark 4.3.0 gives."""

import os
import tempfile

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext

sc = SparkContext(appName="Hadoop's file systems", conf=SparkConf().set("spark.hadoop.my.key", "mine"))
directory = tempfile.mkdtemp()
jvm, conf = sc._jvm, sc._jsc.hadoopConfiguration()
Path, FileSystem, URI = jvm.org.apache.hadoop.fs.Path, jvm.org.apache.hadoop.fs.FileSystem, jvm.java.net.URI


def fails(call, error, text):
    try:
        call()
    except Py4JError as caught:
        assert type(caught) is error and text in str(caught), (type(caught), caught)
    else:
        raise AssertionError(f"it did not fail: {text}")


# The configuration, by both contexts.
assert conf.get("my.key") == "mine" and conf.get("no.such") is None and conf.get("no.such", "d") == "d"
assert conf.get("fs.defaultFS") == "file:///"
conf.set("a.b", "c")
conf.setInt("i", 3)
conf.setBoolean("t", True)
again = sc._jsc.sc().hadoopConfiguration()
assert (again.get("a.b"), again.get("i"), again.getInt("i", 0), again.getBoolean("t", False)) == ("c", "3", 3, True)
assert again.getInt("none", 7) == 7 and again.getLong("i", 0) == 3 and again.getBoolean("i", True) is True
conf.setIfUnset("a.b", "d")
assert conf.get("a.b") == "c"
fails(lambda: conf.getInt("a.b", 0), Py4JJavaError, 'java.lang.NumberFormatException: For input string: "c"')
fails(lambda: conf.set("x", None), Py4JJavaError, "java.lang.IllegalArgumentException: The value of property x must not be null")
everything = {entry.getKey(): entry.getValue() for entry in conf.iterator()}
assert everything["my.key"] == "mine" and everything["i"] == "3" and len(everything) == conf.size()
conf.unset("a.b")
assert conf.get("a.b") is None
own = jvm.org.apache.hadoop.conf.Configuration(conf)
own.set("my.key", "other")
assert (own.get("my.key"), conf.get("my.key")) == ("other", "mine")

# What is set counts from then on.
with open(f"{directory}/lines.txt", "w") as file:
    file.write("one\ntwo\nthree\n")
assert sc.textFile(f"{directory}/lines.txt", 4).getNumPartitions() > 1
conf.set("mapreduce.input.fileinputformat.split.minsize", "1000000")
assert sc.textFile(f"{directory}/lines.txt", 4).getNumPartitions() == 1
conf.unset("mapreduce.input.fileinputformat.split.minsize")
assert sc.textFile(f"{directory}/lines.txt", 4).getNumPartitions() > 1
conf.set("mapreduce.output.fileoutputformat.compress", "true")
sc.parallelize(["a"], 1).saveAsTextFile(f"{directory}/text")
assert os.path.exists(f"{directory}/text/part-00000.deflate")
conf.unset("mapreduce.output.fileoutputformat.compress")
conf.set("mapreduce.input.fileinputformat.inputdir", f"{directory}/lines.txt")
read = sc.hadoopRDD("org.apache.hadoop.mapred.TextInputFormat", "org.apache.hadoop.io.LongWritable", "org.apache.hadoop.io.Text")
assert read.collect() == [(0, "one"), (4, "two"), (8, "three")]

# Paths and addresses.
for text, shown, name, uri, parent in [
    ("/a/b", "/a/b", "b", "/a/b", "/a"),
    ("file:///a/b", "file:/a/b", "b", "file:///a/b", "file:/a"),
    ("s3a://b/k//j", "s3a://b/k/j", "j", "s3a://b/k/j", "s3a://b/k"),
    ("/", "/", "", "/", "None"),
]:
    path = Path(text)
    assert (path.toString(), str(path), path.getName(), path.toUri().toString(), str(path.getParent())) == (shown, shown, name, uri, parent)
assert str(Path("/a", "b")) == "/a/b" and str(Path(Path("/a"), "b/c")) == "/a/b/c" and str(Path(URI("s3a://b/k"))) == "s3a://b/k"
assert Path("/a").isAbsolute() and not Path("a").isAbsolute() and Path("/a/b").depth() == 2 and str(Path("/a/b").suffix("x")) == "/a/bx"
assert Path("/a").equals(Path("/a/")) and not Path("/a").equals(Path("/b"))
fails(lambda: Path(""), Py4JJavaError, "java.lang.IllegalArgumentException: Can not create a Path from an empty string")
uri = URI("hdfs://h:12/x")
assert (uri.getScheme(), uri.getHost(), uri.getPort(), uri.getAuthority(), uri.getPath(), uri.toString()) == ("hdfs", "h", 12, "h:12", "/x", "hdfs://h:12/x")
assert URI("/x").getScheme() is None and URI.create("file:///x").toString() == "file:///x"

# The file system.
fs = FileSystem.get(conf)
assert (fs.getUri().toString(), fs.getScheme()) == ("file:///", "file")
assert str(fs.getWorkingDirectory()) == f"file:{os.getcwd()}" and str(fs.makeQualified(Path("/a"))) == "file:/a"
assert fs.exists(Path(directory)) and not fs.exists(Path(f"{directory}/none")) and not fs.exists(Path(f"{directory}/lines.txt/x"))
assert fs.isFile(Path(f"{directory}/lines.txt")) and fs.isDirectory(Path(directory)) and not fs.isFile(Path(directory))
for other in [Path(directory).getFileSystem(conf), FileSystem.get(URI("file:///"), conf), FileSystem.getLocal(conf)]:
    assert other.exists(Path(f"file://{directory}"))
sc.parallelize(range(25), 2).saveAsPickleFile(f"{directory}/saved")
saved = Path(f"{directory}/saved")
listed = {status.getPath().getName(): status for status in fs.listStatus(saved)}
assert {"_SUCCESS", "part-00000", "part-00001"} <= set(listed) and all(status.isFile() and not status.isDirectory() for status in listed.values())
first = listed["part-00000"]
assert str(first.getPath()) == f"file:{directory}/saved/part-00000" and first.getLen() == os.path.getsize(f"{directory}/saved/part-00000")
assert abs(first.getModificationTime() - os.path.getmtime(f"{directory}/saved/part-00000") * 1000) < 2 and first.getBlockSize() == 33554432
assert str(fs.getFileStatus(saved).getPath()) == f"file:{directory}/saved" and fs.getFileStatus(saved).isDirectory()
assert sorted(status.getPath().getName() for status in fs.globStatus(Path(f"{directory}/saved/part-*"))) == ["part-00000", "part-00001"]
assert fs.globStatus(Path(f"{directory}/none")) is None and len(fs.globStatus(Path(f"{directory}/none*"))) == 0
summary = fs.getContentSummary(saved)
assert summary.getLength() == sum(os.path.getsize(f"{directory}/saved/{name}") for name in listed) and summary.getFileCount() == len(listed)
fails(lambda: fs.listStatus(Path("/no/such")), Py4JJavaError, "java.io.FileNotFoundException")
fails(lambda: fs.getFileStatus(Path("/no/such")), Py4JJavaError, "java.io.FileNotFoundException")
fails(lambda: fs.exists(Path("s3a://b/k")), Py4JJavaError, "java.lang.IllegalArgumentException: Wrong FS: s3a://b/k, expected: file:///")
fails(lambda: Path("foo://b/k").getFileSystem(conf), Py4JJavaError, 'org.apache.hadoop.fs.UnsupportedFileSystemException: No FileSystem for scheme "foo"')

# Changes.
at = lambda name: Path(f"{directory}/{name}")
assert fs.mkdirs(at("m/n")) and fs.isDirectory(at("m/n")) and fs.mkdirs(at("m/n"))
assert fs.rename(at("m/n"), at("m/o")) and fs.exists(at("m/o")) and not fs.exists(at("m/n"))
fails(lambda: fs.rename(at("none"), at("m/p")), Py4JJavaError, "java.io.FileNotFoundException")
fails(lambda: fs.delete(at("m"), False), Py4JJavaError, "java.io.IOException")
assert fs.delete(at("none"), True) is False and fs.delete(at("m"), True) is True and not fs.exists(at("m"))
assert fs.mkdirs(at("r1")) and fs.mkdirs(at("r2")) and fs.rename(at("r1"), at("r2")) and os.listdir(f"{directory}/r2") == []
for name in ["f1", "f2"]:
    assert fs.createNewFile(at(name)) is True
assert fs.createNewFile(at("f1")) is False and fs.rename(at("f1"), at("f2")) is False and fs.exists(at("f1"))
assert fs.rename(at("f1"), at("r2")) and "f1" in os.listdir(f"{directory}/r2") and not fs.exists(at("f1"))

# Levels.
log4j, log4j2 = jvm.org.apache.log4j, jvm.org.apache.logging.log4j
assert str(log4j.Level.WARN) == "WARN" and log4j.Level.toLevel("INFO").toString() == "INFO"
assert log4j.Logger.getRootLogger().getName() == "" and log4j.LogManager.getLogger("a").getName() == "a"
assert log4j.Logger.getLogger("never set").getLevel() is None
log4j.LogManager.getRootLogger().setLevel(log4j.Level.INFO)
log4j.Logger.getLogger("program").info("this is seen: 1")
log4j.Logger.getLogger("org").setLevel(log4j.Level.OFF)
assert str(log4j.Logger.getLogger("org").getLevel()) == "OFF"
log4j.Logger.getLogger("program").error("this is hidden: 1")
log4j2.core.config.Configurator.setLevel("org.apache.spark", log4j2.Level.WARN)
assert log4j2.LogManager.getLogger("org.apache.spark").getLevel().toString() == "WARN"
log4j2.LogManager.getLogger("program").warn("this is seen: 2")
log4j2.LogManager.getLogger("program").info("this is hidden: 2")
sc.setLogLevel("error")
log4j.Logger.getLogger("program").warn("this is hidden: 3")
sc.setLogLevel("WARN")
log4j.Logger.getLogger("program").warn("this is seen: 3")
fails(lambda: sc.setLogLevel("LOUD"), Py4JJavaError, "Supplied level LOUD did not match one of: ALL,DEBUG,ERROR,WARN,INFO,OFF,FATAL,TRACE")

sc.stop()
print("all as expected")
