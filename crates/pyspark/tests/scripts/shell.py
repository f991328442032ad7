"""Drives bin/pyspark through a terminal: `shell.py PATH-OF-PYSPARK DIRECTORY [OPTIONS]`."""

import os
import re
import sys
import time

from terminal import PROMPT, Terminal

pyspark, directory, options = sys.argv[1], sys.argv[2], sys.argv[3:]
startup = os.path.join(directory, "startup.py")
with open(startup, "w") as file:
    file.write("started_with = sc.appName\n")
shell = Terminal([pyspark, *options], PYTHONSTARTUP=startup)

banner = shell.read(PROMPT)
for line in [r"version 4\.3\.0", "Using Python version", r"Spark context available as 'sc' \(master = local\[2\], app id = local-\d+\)\.", "SparkSession available as 'spark'"]:
    assert re.search(line, banner), (line, banner)
shell.enter("started_with", "'PySparkShell'")
shell.enter("sc.parallelize(range(10)).map(lambda n: n * n).sum()", "285")
shell.enter("spark.version, spark.conf.get('spark.app.name'), spark.sparkContext is sc", r"\('4\.3\.0', 'PySparkShell', True\)")
shell.enter("sc.getConf().get('spark.x.y')", "'z z'")
shell.enter("spark.sql('select 1')", r"py4j\.Py4JException: .* there is no SQL and there are no DataFrames, only data sets \(RDDs\)")
# Ctrl-C ends the job at hand and nothing else.
shell.write(f"sc.parallelize([1]).map(lambda n: [open({directory + '/runs'!r}, 'w').close(), __import__('time').sleep(1e6)]).count()\n")
while not os.path.exists(directory + "/runs"):
    time.sleep(0.02)
shell.write("\x03")
shell.read(r"(?m)^KeyboardInterrupt\s*$")
shell.read(r"(?m)^>>> $")
shell.enter("sc.parallelize(range(10)).count()", "10")
shell.enter("sc.statusTracker().getActiveJobsIds()", r"\[\]")
shell.write("exit(3)\n")
code = shell.exit_code()
assert code == 3, code
print("all as expected")
