"""Fails the first time that it is started in a directory."""

import os
import sys

if not os.path.exists("was-here"):
    open("was-here", "w").close()
    sys.exit(3)
print("all as expected")
