"""Drives bin/pyspark with IPython through a terminal: `ipython.py PATH-OF-PYSPARK DIRECTORY [OPTIONS]`."""

import os
import re
import sys

from terminal import PROMPT, Terminal

pyspark, directory, options = sys.argv[1], sys.argv[2], sys.argv[3:]
runs = os.path.join(directory, "runs")
os.mkfifo(runs)
# Settings and history of IPython's go there too.
shell = Terminal([pyspark, *options], IPYTHONDIR=os.path.join(directory, "ipython"))

banner = shell.read(PROMPT)
for line in [r"IPython \d", r"version 4\.3\.0", "Spark context available as 'sc'", "SparkSession available as 'spark'"]:
    assert re.search(line, banner), (line, banner)
shell.enter("sc.parallelize(range(10)).map(lambda n: n * n).sum()", r"Out\[1\]: 285")
shell.enter("spark.sparkContext is sc, sc.master", r"Out\[2\]: \(True, 'local\[2\]'\)")
# Names are completed, and what was entered is known. What completes warns that it may change in later releases.
COMPLETED = "[it.text for it in get_ipython().Completer.completions('sc.paral', 8)]"
shell.enter(f"import warnings; warnings.simplefilter('ignore'); {COMPLETED}", r"Out\[3\]: \['parallelize'\]")
shell.enter("In[1], Out[1]", r"Out\[4\]: \('sc\.parallelize\(range\(10\)\)\.map\(lambda n: n \* n\)\.sum\(\)', 285\)")
# What a task throws is shown with its line.
shell.enter("sc.parallelize([0]).map(lambda n: 1 / n).collect()", r".*ZeroDivisionError: division by zero(?s:.*)")
# Ctrl-C ends the job at hand and nothing else.
endless = f"[open({runs!r}, 'w').close(), __import__('threading').Event().wait()]"
shell.write(f"sc.parallelize([1]).map(lambda n: {endless}).count()\n")
# Returns when the task has opened the other end.
open(runs).close()
shell.write("\x03")
shell.read(r"(?m)^KeyboardInterrupt\b.*$")
shell.read(PROMPT)
shell.enter("sc.parallelize(range(10)).count(), sc.statusTracker().getActiveJobsIds()", r"Out\[\d+\]: \(10, \[\]\)")
shell.write("exit\n")
code = shell.exit_code()
assert code == 0, code
print("all as expected")
