"""Functions of C that are operators of Python, which a loop applies without a call: they do the same, and no trace has them."""

import operator
import types

SIGNS = {operator.add: "+", operator.mul: "*", operator.and_: "&", operator.or_: "|", operator.xor: "^"}


def sign_of(function):
    """The operator that a function of two values is; None if it is another function."""
    return SIGNS.get(function) if type(function) is types.BuiltinFunctionType else None


def applied(function, name, left, right):
    """An expression: what a function of this name gives for two values."""
    sign = sign_of(function)
    return f"{name}({left}, {right})" if sign is None else f"{left} {sign} {right}"
