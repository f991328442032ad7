"""A task's function: a chain of PySpark's functions and the user's, of which neighbours that are known become one loop.

What stays exactly as it is: the order in which the user's functions see elements, one at a time and no sooner than the result is
asked for; which exceptions come out of it; and the iterators that a function of the user's on whole partitions gets.
"""

from pyspark import util

from firesteel_functions import elements, folding, merging, shuffling, sorting
from firesteel_functions.chain import Chain
from firesteel_functions.code import Code, End
from firesteel_functions.recognition import closed_over

# Python's compiler takes 20 blocks within each other.
MOST_LOOPS = 8
MOST_PARTS = 40

# Functions of PySpark's that take elements one by one, in the thread that asks for theirs.
TAKE_ONE_BY_ONE = (
    "rdd:RDD.count.<lambda>",
    "rdd:RDD.countByValue.countPartition",
    "rdd:RDD.saveAsTextFile.func",
    "rdd:RDD.sum.<lambda>",
    "rdd:RDD.take.takeUpToNumLeft",
    "rdd:RDD.treeAggregate.aggregatePartition",
)
GIVE_ONE = ("rdd:RDD.count.<lambda>", "rdd:RDD.sum.<lambda>")


def raises(stop):
    raise stop


def steps(known, function):
    """The functions on partitions that make up a task's function, in order."""
    found, waiting = [], [function]
    while waiting:
        function = waiting.pop()
        if known.name_of(function) == "rdd:PipelinedRDD.__init__.pipeline_func":
            held = closed_over(function)
            waiting += [held["func"], held["prev_func"]]
        else:
            found.append(function)
    return found


class Whole:
    """A function on a partition that stays a function, but takes elements one by one."""

    def __init__(self, run, name):
        self.run = run
        self.name = name


def part_or_end(known, step):
    """What a step is of a chain; None if it is unknown."""
    sample = elements.sample_of(known, step)
    name = known.name_of(step)
    if sample is not None or name is None:
        return sample
    function = step
    if name == "rdd:RDD.mapPartitions.func":
        function = closed_over(step)["f"]
        name = known.name_of(function)
    sort = sorting.sorting_of(name, function)
    if sort is not None:
        return Whole(sort, name)
    if name in TAKE_ONE_BY_ONE:
        return Whole(step, name)
    kinds = (elements.part_of, merging.merge_of, shuffling.shuffle_of, folding.folding_of)
    found = (kind(known, name, function) for kind in kinds)
    return next((part for part in found if part is not None), None)


def is_part(found):
    return isinstance(found, elements.Part)


def is_end(found):
    return isinstance(found, (merging.Merge, shuffling.ShuffleKeys, folding.Reduce))


def write(parts, end):
    """The function of these parts and this end; without an end, it gives the elements."""
    code = Code((*map(type, parts), end and end.shape()))
    code.values.update(fail=util.fail_on_stopiteration(raises), End=End)

    chain = Chain(code, parts)
    if end is None:
        code.begin("source", "split")
        chain.open()
        code.add("yield x")
        chain.close()
    else:
        end.add(code, chain)
    return code.function(", ".join(part.title for part in [*parts, *([end] if end else [])]))


def loop_of(parts, end):
    """As PySpark's functions: an iterator of what is no iterator fails at once, and merging is done at once."""
    run = write(parts, end)
    if isinstance(end, merging.Merge):

        def merged(split, iterator):
            merger = end.make()
            run(iter(iterator), split, merger)
            return merger.items()

        return merged
    return lambda split, iterator: run(iter(iterator), split)


def gives_one(found):
    """Does a step give a single element, so that nothing is won behind it?"""
    return isinstance(found, Whole) and found.name in GIVE_ONE


def fused(known, function):
    """An equivalent of a task's function; itself if nothing of it is known."""
    originals = steps(known, function)
    found = [part_or_end(known, step) for step in originals]
    made, begin = [], 0
    while begin < len(found):
        after, loops = begin, 0
        while after < len(found) and is_part(found[after]) and after - begin < MOST_PARTS and loops < MOST_LOOPS:
            loops += found[after].is_loop
            after += 1
        following = found[after] if after < len(found) else None
        if following is not None and is_end(following) and not (after and gives_one(found[after - 1])):
            made.append(loop_of(found[begin:after], following))
            after += 1
        elif after > begin and (after == len(found) or following is not None):
            made.append(loop_of(found[begin:after], None))
        elif isinstance(following, Whole):
            made.append(following.run)
            after += 1
        else:
            # A function of the user's may take elements in several threads, which a generator would not let it.
            after = max(after, begin + 1)
            made += originals[begin:after]
        begin = after
    if made == originals:
        return function

    def run(split, iterator):
        for step in made:
            iterator = step(split, iterator)
        return iterator

    return run
