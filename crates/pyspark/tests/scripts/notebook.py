"""Runs a notebook, as Jupyter does, with the kernel that gets what bin/pyspark has set: `notebook.py DIRECTORY`."""

import asyncio
import os
import re
import sys

import nbformat
from nbclient import NotebookClient

directory = sys.argv[1]
runs = os.path.join(directory, "runs")
os.mkfifo(runs)
endless = f"[open({runs!r}, 'w').close(), __import__('threading').Event().wait()]"
CELLS = [
    "sc.master, spark.sparkContext is sc, sc.parallelize(range(10)).map(lambda n: n * n).sum()",
    "def inverse(n):\n    return 1 / n\n\nsc.parallelize([0]).map(inverse).collect()",
    f"sc.parallelize([1]).map(lambda n: {endless}).count()",
    "sc.parallelize(range(10)).count(), sc.statusTracker().getActiveJobsIds()",
]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
# Nothing here takes a second, but machines that run tests may be busy.
client = NotebookClient(notebook, timeout=120, startup_timeout=120, allow_errors=True, kernel_name="python3")


def result(cell):
    """What the cell gave, and nothing else."""
    (output,) = cell.outputs
    assert output.output_type == "execute_result", output
    return output.data["text/plain"]


def error(cell):
    """What the cell failed with: the exception's name, and what is shown, without colours."""
    (output,) = [output for output in cell.outputs if output.output_type == "error"]
    return output.ename, re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))


async def run():
    async with client.async_setup_kernel():
        cells = notebook.cells
        await client.async_execute_cell(cells[0], 0)
        assert result(cells[0]) == "('local[2]', True, 285)", cells[0]
        await client.async_execute_cell(cells[1], 1)
        name, shown = error(cells[1])
        assert name == "PythonException", name
        assert "ZeroDivisionError: division by zero" in shown and "in inverse" in shown, shown
        # Interrupted when the task has opened its end: the cell's job is cancelled, and the next one has the slots.
        waiting = asyncio.create_task(client.async_execute_cell(cells[2], 2))
        await asyncio.to_thread(lambda: open(runs).close())
        await client.km.interrupt_kernel()
        await waiting
        name, shown = error(cells[2])
        assert name == "KeyboardInterrupt", (name, shown)
        await client.async_execute_cell(cells[3], 3)
        assert result(cells[3]) == "(10, [])", cells[3]


asyncio.run(run())
print("all as expected")
