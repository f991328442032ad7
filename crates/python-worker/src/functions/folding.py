"""Ends of a chain that make one value of all elements, or none: `reduce`, `fold`, `aggregate` and `foreach`."""

from firesteel_functions.code import NOTHING
from firesteel_functions.merging import unwrapped
from firesteel_functions.operators import applied, sign_of
from firesteel_functions.recognition import closed_over


class Reduce:
    """Gives a value at most; nothing happens until it is asked for."""

    title = "reduce"

    def __init__(self, function):
        self.function = function

    def shape(self):
        return type(self), sign_of(self.function)

    def next_total(self):
        return applied(self.function, "function", "total", "x")

    def add(self, code, chain):
        code.values.update(function=self.function, nothing=NOTHING)
        code.begin("source", "split")
        code.add("total = nothing")
        chain.open()
        code.block("if total is nothing:")
        code.add("total = x")
        code.end()
        code.block("else:")
        code.call("total", self.next_total())
        code.end()
        chain.close("x = None", "if total is not nothing: yield total")


class Fold(Reduce):
    """The same with a value to begin with, which the task has to itself."""

    title = "fold"

    def __init__(self, function, zero):
        super().__init__(function)
        self.zero = zero

    def add(self, code, chain):
        code.values.update(function=self.function, zero=self.zero)
        code.begin("source", "split")
        code.add("total = zero")
        chain.open()
        code.call("total", self.next_total())
        chain.close("x = None", "yield total")


class Foreach(Reduce):
    """Everything happens at once."""

    title = "foreach"

    def add(self, code, chain):
        code.values["function"] = self.function
        code.begin("source", "split")
        chain.open()
        code.call("_", "function(x)")
        chain.close("return iter([])")


def folding_of(known, name, function):
    """The end that a function on a partition's elements is, if it is one."""
    if name not in ("rdd:RDD.reduce.func", "rdd:RDD.fold.func", "rdd:RDD.aggregate.func", "rdd:RDD.foreach.processPartition"):
        return None
    held = closed_over(function)
    user_s = unwrapped(known, held["seqOp"] if name == "rdd:RDD.aggregate.func" else held["op" if "fold" in name else "f"])
    if user_s is None:
        return None
    if name == "rdd:RDD.reduce.func":
        return Reduce(user_s)
    if name == "rdd:RDD.foreach.processPartition":
        return Foreach(user_s)
    return Fold(user_s, held["zeroValue"])
