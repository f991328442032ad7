"""Which of PySpark's own functions are known here, word for word.

A program's functions come pickled with their code, PySpark's own among them. One of these is known if its code is that of the
function in the installed PySpark, and the text of that function one of those that were read when its equivalent was written.
Whatever differs, by a release that is not known or by somebody's change, is unknown, and runs as it is.
"""

import hashlib
import importlib
import types
import typing

from firesteel_functions.digests import DIGESTS

RDD_MODULES = ("pyspark.core.rdd", "pyspark.rdd")


def text_at(lines, first):
    """The text of the function whose first line has this number: all that is indented further, without the indentation."""
    start = lines[first - 1]
    indent = len(start) - len(start.lstrip())
    end = first
    while end < len(lines):
        line = lines[end]
        stripped = line.lstrip()
        # The end of arguments that take several lines stands below the function's first.
        if stripped and len(line) - len(stripped) <= indent and not stripped.startswith(")"):
            break
        end += 1
    return "\n".join(line[indent:].rstrip() for line in lines[first - 1 : end]).rstrip()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_of(module, path):
    """The code of `Class.function.inner` of a module; None if there is nothing of that name."""
    names = path.split(".")
    found = module
    while names and not isinstance(found, types.FunctionType):
        found = getattr(found, names.pop(0), None)
    code = getattr(found, "__code__", None)
    for name in names:
        if code is not None:
            code = next((c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == name), None)
    return code


class Known:
    """The known functions of the installed PySpark."""

    def __init__(self):
        self.modules = {}
        self.names = set()
        self.unknown = {}
        self._by_code = {}
        for name in DIGESTS:
            module_name, path = name.split(":")
            module, lines = self._module(module_name)
            code = code_of(module, path)
            if code is None or code.co_firstlineno > len(lines):
                self.unknown[name] = None
                continue
            found = digest(text_at(lines, code.co_firstlineno))
            if found in DIGESTS[name]:
                self.names.add(name)
                self._by_code[code] = name
            else:
                self.unknown[name] = found

    def _module(self, name):
        if name not in self.modules:
            names = RDD_MODULES if name == "rdd" else ("pyspark." + name,)
            module, lines = None, []
            for full_name in names:
                try:
                    module = importlib.import_module(full_name)
                    # The import system's own way to the text, which there is in archives too.
                    lines = (module.__loader__.get_source(full_name) or "").splitlines()
                    break
                except ImportError:
                    pass
            self.modules[name] = module, lines
        return self.modules[name]

    def module(self, name):
        return self._module(name)[0]

    def has(self, *names):
        return self.names.issuperset(names)

    def name_of(self, function):
        """The name of a function that came pickled or is PySpark's own object; None if it is unknown.

        What it calls must be PySpark's too: its code may have been given other globals.
        """
        if type(function) is not types.FunctionType:
            return None
        name = self._by_code.get(function.__code__)
        if name is None or function.__defaults__ or function.__kwdefaults__:
            return None
        own, theirs = vars(self.module(name.split(":")[0])), function.__globals__
        for used in function.__code__.co_names:
            if used in theirs and used in own and theirs[used] is not own[used]:
                if not isinstance(own[used], typing.TypeVar):
                    return None
        return name


def closed_over(function):
    """What a function has of the functions around it, by name."""
    return {name: cell.cell_contents for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())}
