# Run by Python at the start of bin/pyspark (PYTHONSTARTUP): runs PySpark's own start of a shell, wherever this interpreter has PySpark.
# Its names, sc and spark among them, become those of the shell.


def _firesteel_shell():
    import importlib.util
    import os
    import sys

    found = importlib.util.find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        sys.stderr.write(
            "Error: {} has no PySpark; pip install pyspark==4.3.0, or name another interpreter by PYSPARK_DRIVER_PYTHON\n".format(
                sys.executable
            )
        )
        # As os._exit ends it, an interactive interpreter does not go on without a shell.
        sys.stderr.flush()
        os._exit(1)
    path = os.path.join(found.submodule_search_locations[0], "shell.py")
    with open(path, encoding="utf-8") as source:
        return compile(source.read(), path, "exec")


exec(_firesteel_shell())
