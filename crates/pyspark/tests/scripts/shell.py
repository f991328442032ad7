"""Drives bin/pyspark through a terminal: `shell.py PATH-OF-PYSPARK DIRECTORY [OPTIONS]`."""

import os
import pty
import re
import select
import signal
import sys
import time

pyspark, directory, options = sys.argv[1], sys.argv[2], sys.argv[3:]
startup = os.path.join(directory, "startup.py")
with open(startup, "w") as file:
    file.write("started_with = sc.appName\n")
pid, terminal = pty.fork()
if pid == 0:
    os.execve(pyspark, [pyspark, *options], dict(os.environ, PYTHONSTARTUP=startup, TERM="dumb"))

seen = ""


def read(pattern):
    """Reads until the pattern has come, and gives what came before its end."""
    global seen
    # Nothing here takes a second, but machines that run tests may be busy.
    deadline = time.monotonic() + 120
    while not (found := re.search(pattern, seen)):
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"{pattern} has not come: {seen}")
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            piece = b""
        if not piece:
            raise AssertionError(f"the shell has ended before {pattern}: {seen}")
        seen += piece.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    text, seen = seen[: found.end()], seen[found.end() :]
    return text


def enter(line, answer):
    """Enters a line, and waits for what it prints at the beginning of a line, and the next prompt."""
    os.write(terminal, line.encode() + b"\n")
    text = read(rf"(?m)^{answer}\s*$")
    read(r"(?m)^(>>> |In \[\d+\]: )")
    return text


banner = read(r"(?m)^(>>> |In \[\d+\]: )")
for line in [r"version 4\.3\.0", "Using Python version", r"Spark context available as 'sc' \(master = local\[2\], app id = local-\d+\)\.", "SparkSession available as 'spark'"]:
    assert re.search(line, banner), (line, banner)
enter("started_with", "'PySparkShell'")
enter("sc.parallelize(range(10)).map(lambda n: n * n).sum()", "285")
enter("spark.version, spark.conf.get('spark.app.name'), spark.sparkContext is sc", r"\('4\.3\.0', 'PySparkShell', True\)")
enter("sc.getConf().get('spark.x.y')", "'z z'")
enter("spark.sql('select 1')", r"py4j\.Py4JException: .* there is no SQL and there are no DataFrames, only data sets \(RDDs\)")
# Ctrl-C ends the job at hand and nothing else.
os.write(terminal, f"sc.parallelize([1]).map(lambda n: [open({directory + '/runs'!r}, 'w').close(), __import__('time').sleep(1e6)]).count()\n".encode())
while not os.path.exists(directory + "/runs"):
    time.sleep(0.02)
os.write(terminal, b"\x03")
read(r"(?m)^KeyboardInterrupt\s*$")
read(r"(?m)^>>> $")
enter("sc.parallelize(range(10)).count()", "10")
enter("sc.statusTracker().getActiveJobsIds()", r"\[\]")
os.write(terminal, b"exit(3)\n")
while True:
    try:
        if not os.read(terminal, 65536):
            break
    except OSError:
        break
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 3, status
print("all as expected")
