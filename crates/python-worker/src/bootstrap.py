# Says which Python and which PySpark this is, and becomes PySpark's daemon (arguments: "daemon", its module, the module of workers)
# or a single worker ("worker", its module).
#
# Between two tasks PySpark's daemon has a worker collect garbage, for which Python looks at every object that there is. What
# modules have brought lives as long as its process and is 99 % of them: it is frozen, so that nothing looks at it again and forks
# share its memory.
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
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

# The texts of modules with equivalents of PySpark's functions, if those are wanted.
TEXTS = json.loads(os.environ.pop("FIRESTEEL_PYTHON_FUNCTIONS", "{}"))
CODES = {}

main_of_worker = None


class Texts(importlib.abc.ExecutionLoader):
    """Finds modules among the texts."""

    def find_spec(self, name, path=None, target=None):
        if name not in TEXTS:
            return None
        # Without a place of its own, so that nothing in any directory is taken for a part of it.
        return importlib.machinery.ModuleSpec(name, self, origin=self.get_filename(name), is_package=self.is_package(name))

    def is_package(self, name):
        return "." not in name

    def get_source(self, name):
        return TEXTS[name]

    def get_code(self, name):
        if name not in CODES:
            CODES[name] = super().get_code(name)
        return CODES[name]

    def get_filename(self, name):
        return name.replace(".", "/") + ".py"


def import_worker():
    module = importlib.import_module(worker)
    if TEXTS and worker == "pyspark.worker":
        importlib.import_module("firesteel_functions").install(module)
    return module


def say_versions():
    for text in ("%d.%d" % sys.version_info[:2], pyspark.__version__):
        data = text.encode()
        sys.stdout.buffer.write(struct.pack("!i", len(data)) + data)
    sys.stdout.buffer.flush()


def main(infile, outfile):
    global main_of_worker
    if main_of_worker is None:
        main_of_worker = import_worker().main
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
texts = Texts()
sys.meta_path.insert(0, texts)
if sys.argv[1] == "worker":
    start = sys.argv[2]
    sys.argv[1:] = []
    # It becomes the main module, which gets what it imports; up to 3.5 it imports nothing that could be replaced.
    if TEXTS and start == "pyspark.worker" and importlib.util.find_spec("pyspark.worker_util"):
        importlib.import_module("firesteel_functions").install(importlib.import_module("pyspark.worker_util"))
else:
    start, worker = sys.argv[2:]
    module = types.ModuleType(WORKER)
    module.main = main
    sys.modules[WORKER] = module
    sys.argv[1:] = [WORKER]
    if worker == "pyspark.worker" and not any(map(importlib.util.find_spec, START_THREADS)):
        import_worker()
    for name in TEXTS:
        # Not again in each fork.
        texts.get_code(name)
    gc.collect()
    gc.freeze()
runpy.run_module(start, run_name="__main__", alter_sys=True)
