"""How much memory this process uses, which PySpark's collections ask for again and again."""

import os

PAGE = os.sysconf("SC_PAGE_SIZE")
FILE = "/proc/self/statm"


def get_used_memory():
    """In MiB: the same as PySpark's, without a search for a library and a page of text each time."""
    descriptor = os.open(FILE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 256).split()[1]) * PAGE >> 20
    finally:
        os.close(descriptor)


def replace(known):
    """Puts it where PySpark's modules look for theirs."""
    if os.path.exists(FILE) and known.has("shuffle:get_used_memory"):
        for module in (known.module("shuffle"), known.module("rdd")):
            module.get_used_memory = get_used_memory
