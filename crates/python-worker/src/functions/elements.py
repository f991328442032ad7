"""What is done to one element at a time: map, flatMap, filter and what PySpark makes of these.

Each part adds its lines to a loop whose element is `x`; those of the next part follow at the same depth, or in its own loop.
"""

import types

from pyspark import rddsampler

from firesteel_functions.recognition import closed_over


class Part:
    is_loop = False
    # Do some elements go no further?
    drops = False

    def __init__(self, function):
        self.function = function

    def begin(self, code, index):
        """Lines before the loop."""

    def find(self, code, index):
        """Lines that find what a loop of this part's own is over."""

    def name(self, code, index, value):
        """Gives the loop a value, by a name of its own."""
        name = f"f{index}"
        code.values[name] = value
        return name


class Map(Part):
    title = "map"

    def add(self, code, index):
        code.call("x", f"{self.name(code, index, self.function)}(x)")


class MapValues(Part):
    title = "mapValues"

    def add(self, code, index):
        code.call("x", f"x[0], {self.name(code, index, self.function)}(x[1])")


class Filter(Part):
    title = "filter"
    drops = True

    def add(self, code, index):
        code.call("kept", f"{self.name(code, index, self.function)}(x)")
        code.ending("if not kept: continue")


class FlatMap(Part):
    title = "flatMap"
    is_loop = True

    def find(self, code, index):
        code.call(f"many{index}", f"{self.name(code, index, self.function)}(x)")

    def add(self, code, index):
        code.ending(f"many{index} = iter(many{index})")
        self.add_loop(code, index)

    def add_loop(self, code, index):
        code.block(f"for x in many{index}:")


class FlatMapValues(Part):
    title = "flatMapValues"
    is_loop = True

    def find(self, code, index):
        code.add(f"pair{index} = x")
        code.call(f"many{index}", f"{self.name(code, index, self.function)}(x[1])")

    def add(self, code, index):
        code.call(f"many{index}", f"iter(many{index})")
        self.add_loop(code, index)

    def add_loop(self, code, index):
        code.block(f"for x in many{index}:")
        # A generator in PySpark, of which a StopIteration cannot come.
        code.block("try:")
        code.add(f"x = (pair{index}[0], x)")
        code.end()
        code.block("except StopIteration as stop:")
        code.add('raise RuntimeError("generator raised StopIteration") from stop')
        code.end()


class Sample(Part):
    """Without replacement: each element is there by a chance of its own."""

    title = "sample"
    drops = True

    def begin(self, code, index):
        sampler = self.name(code, index, self.function.__self__)
        code.add(f"{sampler}.initRandomGenerator(split)")
        code.add(f"random{index}, fraction{index} = {sampler}._random.random, {sampler}._fraction")

    def add(self, code, index):
        code.add(f"if not random{index}() < fraction{index}: continue")


def sample_of(known, step):
    """The part that a method of PySpark's sampler is, if it is one."""
    if type(step) is not types.MethodType or type(step.__self__) is not rddsampler.RDDSampler:
        return None
    own = rddsampler.RDDSampler.func
    is_known = known.has("rddsampler:RDDSampler.func", "rddsampler:RDDSamplerBase.getUniformSample")
    if not is_known or step.__func__ is not own or step.__self__._withReplacement:
        return None
    return Sample(step)


def part_of(known, name, function):
    """The part that a partition's function is, if it is one."""
    wanted = {"rdd:RDD.map.func": Map, "rdd:RDD.flatMap.func": FlatMap, "rdd:RDD.filter.func": Filter}.get(name)
    if wanted is None:
        return None
    inner = closed_over(function)["f"]
    inner_name = known.name_of(inner)
    if wanted is Map and inner_name == "rdd:RDD.mapValues.map_values_fn":
        return MapValues(closed_over(inner)["f"])
    if wanted is FlatMap and inner_name == "rdd:RDD.flatMapValues.flat_map_fn":
        return FlatMapValues(closed_over(inner)["f"])
    return wanted(inner)
