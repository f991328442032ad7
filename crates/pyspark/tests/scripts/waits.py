"""Runs until it is told to end."""

import signal
import sys

print("ready", flush=True)
signal.pause()
sys.exit(9)
