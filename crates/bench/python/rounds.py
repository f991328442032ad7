"""A script's view of a comparison: it is told when to work, and tells what it measured; the protocol of src/rounds.rs.

A script has the work twice: with data sets, for whichever engine runs it, and plain, in processes of Python alone. Both are of the same
functions and give the same answer.
"""

import os
import sys
import time


def main(with_data_sets, plain):
    """Runs what the first argument asks for; the others are name=value. Both functions get a dictionary of these and `serve`."""
    role, *words = sys.argv[1:]
    parameters = dict(word.split("=", 1) for word in words)
    if role == "plain":
        plain(parameters, lambda work: serve(parameters, sys.stdin, work))
    else:
        # Spark's spark-submit passes no input on to its program, but it has one, and is the parent.
        with open(f"/proc/{os.getppid()}/fd/0") as commands:
            with_data_sets(parameters, lambda work: serve(parameters, commands, work))


def serve(parameters, commands, work):
    """Does rounds until there are no more. `work` gives a value and an answer, as `timed` does."""
    for _ in range(int(parameters.get("warm-up", 0))):
        work()
    say("@ready")
    for line in commands:
        if line == "go\n":
            value, answer = work()
            say(f"@sample {value} {answer}")


def timed(work, answer=lambda result: result, value=lambda seconds: seconds):
    """Times the work, and nothing of what makes an answer of its result; `value` makes the measure's number of seconds."""
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    return value(seconds), answer(result)


def ranges(length, parts):
    """The numbers up to `length`, in so many parts."""
    return [range(length * part // parts, length * (part + 1) // parts) for part in range(parts)]


def say(line):
    print(line, flush=True)
