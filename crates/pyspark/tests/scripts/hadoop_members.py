"""Each way to read and write files of Hadoop's formats, in few lines: what is printed is compared with Spark's."""

import tempfile

from pyspark import SparkContext

sc = SparkContext(appName="Hadoop's formats")
directory = tempfile.mkdtemp()
IO = "org.apache.hadoop.io."
OLD = "org.apache.hadoop.mapred."
NEW_IN, NEW_OUT = "org.apache.hadoop.mapreduce.lib.input.", "org.apache.hadoop.mapreduce.lib.output."
CLASSES = (IO + "IntWritable", IO + "Text")
pairs = sc.parallelize([(1, "a"), (2, "\u00fc"), (-3, "")], 2)


def shown(what, rdd):
    print(what, rdd.getNumPartitions(), sorted(rdd.collect()))


pairs.saveAsSequenceFile(f"{directory}/sequence")
pairs.saveAsHadoopFile(f"{directory}/old", OLD + "SequenceFileOutputFormat", *CLASSES)
pairs.saveAsNewAPIHadoopFile(f"{directory}/new", NEW_OUT + "SequenceFileOutputFormat", *CLASSES)
pairs.saveAsHadoopDataset(
    {
        "mapred.output.format.class": OLD + "TextOutputFormat",
        "mapreduce.job.output.key.class": IO + "IntWritable",
        "mapreduce.job.output.value.class": IO + "Text",
        "mapreduce.output.fileoutputformat.outputdir": f"{directory}/text",
    }
)
pairs.saveAsPickleFile(f"{directory}/pickled")

for written in ["sequence", "old", "new"]:
    path = f"{directory}/{written}"
    shown(f"{written} by sequenceFile", sc.sequenceFile(path))
    shown(f"{written} by hadoopFile", sc.hadoopFile(path, OLD + "SequenceFileInputFormat", *CLASSES))
    shown(f"{written} by newAPIHadoopFile", sc.newAPIHadoopFile(path, NEW_IN + "SequenceFileInputFormat", *CLASSES))
    conf = {"mapreduce.input.fileinputformat.inputdir": path}
    shown(f"{written} by newAPIHadoopRDD", sc.newAPIHadoopRDD(NEW_IN + "SequenceFileInputFormat", *CLASSES, conf=conf))

# The other formats of text, and sequence files as texts.
import os

lines, text, long = f"{directory}/lines", IO + "Text", IO + "LongWritable"
os.mkdir(lines)
for name, content in [("a", "k\tv\nalone\n\ttwo\tvalues\n\nx=1\tpi pe|y\n"), ("b", "last\tline without end"), ("empty", "")]:
    with open(f"{lines}/{name}", "w", newline="") as file:
        file.write(content)
for old, new in [("", ""), ("lib.", "")]:
    for name, classes in [("KeyValueText", (text, text)), ("NLine", (long, text)), ("CombineText", (long, text)), ("SequenceFileAsText", (text, text))]:
        if bool(old) != (name in ("NLine", "CombineText")):
            continue
        path = f"{directory}/sequence" if name == "SequenceFileAsText" else lines
        shown(f"{name} by newAPIHadoopFile", sc.newAPIHadoopFile(path, f"{NEW_IN}{name}InputFormat", *classes))
        by_old = sc.hadoopFile(path, f"{OLD}{old}{name}InputFormat", *classes)
        print(name, "by hadoopFile", sorted(by_old.collect()))
for separator in ["|", "=", " ", "\t\t"]:
    conf = {"mapreduce.input.keyvaluelinerecordreader.key.value.separator": separator}
    shown(repr(separator), sc.newAPIHadoopFile(lines, NEW_IN + "KeyValueTextInputFormat", text, text, conf=conf))
for number in ["2", "3", "100"]:
    conf = {"mapreduce.input.lineinputformat.linespermap": number}
    shown(number, sc.newAPIHadoopFile(lines, NEW_IN + "NLineInputFormat", long, text, conf=conf))
    print([sorted(part) for part in sc.newAPIHadoopFile(f"{lines}/a", NEW_IN + "NLineInputFormat", long, text, conf=conf).glom().collect()])
shown("text", sc.textFile(f"{directory}/text"))
shown("pickled", sc.pickleFile(f"{directory}/pickled"))
sc.stop()
