"""Functions that are written when they are needed, out of the parts that they are made of.

A chain of functions costs a call, a generator or both for each part and element. One function with all parts in its loop costs only
the calls of the user's own.
"""

import linecache

# By their shapes. A worker that lives long may see many programs' chains: it starts anew with this number of them.
MADE = {}
MOST_MADE = 200

# What no element is.
NOTHING = object()


class Code:
    """The lines of a function that is being written, and the values that they name.

    Functions of the same shape have the same lines, which are written and compiled once; only values are collected again.
    """

    def __init__(self, shape):
        self.shape = shape
        self.made = MADE.get(shape)
        self.parameters = ()
        self.lines = []
        self.depth = 0
        self.values = {}

    def add(self, *lines):
        if self.made is None:
            self.lines.extend("    " * self.depth + line for line in lines)

    def begin(self, *parameters):
        """The function's first line."""
        self.parameters = parameters
        self.depth = 1

    def block(self, line):
        self.add(line)
        self.depth += 1

    def end(self):
        self.depth -= 1

    def call(self, result, call):
        """A call of a function of the user's. PySpark makes an error of its own of a StopIteration, which would end a loop."""
        self.block("try:")
        self.add(f"{result} = {call}")
        self.end()
        self.block("except StopIteration as stop:")
        self.add("fail(stop)")
        self.end()

    def ending(self, *lines):
        """What a loop of C takes for the end of its input if it raises StopIteration, where PySpark has such a loop."""
        self.block("try:")
        self.add(*lines)
        self.end()
        self.block("except StopIteration:")
        self.add("raise End from None")
        self.end()

    def function(self, title):
        """The function, with its values."""
        if self.made is None:
            if len(MADE) == MOST_MADE:
                MADE.clear()
            name = f"<firesteel: {title} ({len(MADE)})>"
            # Defaults are variables of the function itself, which are found sooner than those around it.
            parameters = ", ".join([*self.parameters, *(f"{value}={value}" for value in self.values)])
            head = [f"def make({', '.join(self.values)}):", f"    def run({parameters}):"]
            lines = [*head, *("    " + line for line in self.lines), "    return run"]
            source = "\n".join(lines) + "\n"
            namespace = {}
            exec(compile(source, name, "exec"), namespace)
            # So tracebacks show the lines.
            linecache.cache[name] = (len(source), None, source.splitlines(True), name)
            self.made = MADE[self.shape] = namespace["make"]
        return self.made(**self.values)


class End(Exception):
    """The input counts as ended, from within nested loops."""
