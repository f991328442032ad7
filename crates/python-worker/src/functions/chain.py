"""The loops of a chain's parts, one within the other, around the lines of its end."""


class Chain:
    """Writes the loops. Elements are `x` within the innermost one, and an `End` that is raised there is the end of the input."""

    def __init__(self, code, parts):
        self.code = code
        self.parts = parts

    def open(self, of_lists=None):
        """Begins the loops. `of_lists` may write another innermost loop, for lists that a function of the user's gives."""
        last = max((index for index, part in enumerate(self.parts) if part.is_loop), default=None)
        for index, part in enumerate(self.parts):
            part.begin(self.code, index)
        self.code.block("try:")
        self.code.block("for x in source:")
        for index, part in enumerate(self.parts):
            part.find(self.code, index)
            if index == last and of_lists is not None:
                of_lists(List(self, index))
            part.add(self.code, index)

    def close(self, *lines):
        """Ends the loops; these lines follow them."""
        self.code.depth = 2
        self.code.end()
        self.code.add("except End: pass")
        self.code.add(*lines)


class List:
    """What a function of the user's has given, where that is a list, and the parts that follow it are no loops."""

    def __init__(self, chain, index):
        self.code = chain.code
        self.index = index
        self.part, *self.following = chain.parts[index:]
        self.name = f"many{index}"
        # Does each of its elements reach the end?
        self.keeps_all = not any(part.drops for part in self.following)

    def block(self, condition):
        """Lines for such lists, if the condition holds for them. What they do not continue with is done as for everything else."""
        self.code.block(f"if (type({self.name}) is list or type({self.name}) is tuple) and {condition}:")

    def open(self):
        """Begins the loop over its elements."""
        self.part.add_loop(self.code, self.index)
        for index, part in enumerate(self.following, self.index + 1):
            part.find(self.code, index)
            part.add(self.code, index)

    def close(self):
        """Ends the loop and the block."""
        self.code.end()
        # While the function makes the next one, none of the elements is to be held by this one.
        self.code.add(f"{self.name} = None", "continue")
        self.code.end()
