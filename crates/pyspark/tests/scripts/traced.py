"""`traced.py FILE SCRIPT ARGUMENTS…` runs a script, and appends to FILE which members of Java's classes it has called.

A line for each: the class of the object, or the class that was named, and the member as `name/number of arguments`.
"""

import runpy
import sys

from py4j import java_gateway, protocol

file, script = sys.argv[1:3]
called = set()
classes = {}


def class_of(client, target):
    """The class of an object, which is asked for once: numbers of objects are never used again."""
    if target not in classes:
        answer = send(client, f"c\n{target}\ngetClass\ne\n")
        if not answer.startswith(protocol.SUCCESS + protocol.REFERENCE_TYPE):
            return "java.lang.Object"
        classes[target] = send(client, f"c\n{answer[2:]}\ngetName\ne\n")[2:]
        send(client, f"m\nd\n{answer[2:]}\ne\n")
    return classes[target]


def traced(client, command, *arguments, **keywords):
    parts = command.split("\n")[:-2]
    line = None
    if parts[0] == "i":
        line = f"{parts[1]} new/{len(parts) - 2}"
    elif parts[0] == "c":
        arity = len(parts) - 3
        if parts[1].startswith("z:"):
            line = f"{parts[1][2:]} static {parts[2]}/{arity}"
        elif not parts[1].startswith(("t", "j", "p")):
            line = f"{class_of(client, parts[1])} {parts[2]}/{arity}"
    answer = send(client, command, *arguments, **keywords)
    is_value = answer[:1] == protocol.SUCCESS and answer[1:2] not in (protocol.METHOD_TYPE, protocol.CLASS_TYPE)
    if parts[:2] == ["r", "m"] and is_value:
        line = f"{parts[2]} static {parts[3]}"
    if line is not None:
        called.add(line)
    return answer


send = java_gateway.GatewayClient.send_command
java_gateway.GatewayClient.send_command = traced

sys.argv = sys.argv[2:]
try:
    runpy.run_path(script, run_name="__main__")
finally:
    with open(file, "a") as output:
        output.writelines(f"{line}\n" for line in sorted(called))
