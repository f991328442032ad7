"""Reads each line of an event log with Spark's own JsonProtocol and prints what Spark writes for the event it got."""

import sys

from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway

gateway = launch_gateway(SparkConf())
protocol = gateway.jvm.org.apache.spark.util.JsonProtocol
try:
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            sys.stdout.buffer.write(
                protocol.sparkEventToJsonString(protocol.sparkEventFromJson(line)).encode() + b"\n"
            )
finally:
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
