# Says which Python and which PySpark this is, and becomes PySpark's daemon (arguments: "daemon", its module, the module of workers)
# or a single worker ("worker", its module).
#
# Between two tasks PySpark's daemon has a worker collect garbage, for which Python looks at every object that there is. What
# modules have brought lives as long as its process and is 99 % of them: it is frozen, so that nothing looks at it again and forks
# share its memory.
import gc
import importlib
import importlib.util
import os
import runpy
import struct
import sys
import traceback
import types

import pyspark

# Some of these start threads when they are imported, which must not be before a fork.
START_THREADS = ("numpy", "pandas", "pyarrow")
# PySpark's daemon takes modules of this beginning only.
WORKER = "pyspark_worker_of_firesteel"

main_of_worker = None


def say_versions():
    for text in ("%d.%d" % sys.version_info[:2], pyspark.__version__):
        data = text.encode()
        sys.stdout.buffer.write(struct.pack("!i", len(data)) + data)
    sys.stdout.buffer.flush()


def main(infile, outfile):
    global main_of_worker
    if main_of_worker is None:
        main_of_worker = importlib.import_module(worker).main
        gc.collect()
        gc.freeze()
    try:
        try:
            main_of_worker(infile, outfile)
        finally:
            outfile.flush()
    except SystemExit:
        raise
    except BaseException:
        # A worker that can no longer write must not return into the code of the daemon that it was forked from, which would
        # end all other workers.
        try:
            traceback.print_exc()
        finally:
            os._exit(1)


say_versions()
if sys.argv[1] == "worker":
    start = sys.argv[2]
    sys.argv[1:] = []
else:
    start, worker = sys.argv[2:]
    module = types.ModuleType(WORKER)
    module.main = main
    sys.modules[WORKER] = module
    sys.argv[1:] = [WORKER]
    if worker == "pyspark.worker" and not any(map(importlib.util.find_spec, START_THREADS)):
        importlib.import_module(worker)
    gc.collect()
    gc.freeze()
runpy.run_module(start, run_name="__main__", alter_sys=True)
