"""A program in a terminal of its own, as somebody uses it who types and reads."""

import os
import pty
import re
import select
import time

PROMPT = r"(?m)^(>>> |In \[\d+\]: )"


class Terminal:
    """Runs a command, with these variables beside those that there are."""

    def __init__(self, command, **variables):
        self.seen = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, dict(os.environ, TERM="dumb", **variables))

    def read(self, pattern):
        """Reads until the pattern has come, and gives what came before its end."""
        # Nothing here takes a second, but machines that run tests may be busy.
        deadline = time.monotonic() + 120
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"{pattern} has not come: {self.seen}")
            piece = self._piece()
            if not piece:
                raise AssertionError(f"the shell has ended before {pattern}: {self.seen}")
            self.seen += piece.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        text, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return text

    def write(self, text):
        os.write(self.terminal, text.encode())

    def enter(self, line, answer):
        """Enters a line, and waits for what it prints at the beginning of a line, and the next prompt."""
        self.write(line + "\n")
        text = self.read(rf"(?m)^{answer}\s*$")
        self.read(PROMPT)
        return text

    def exit_code(self):
        """Waits for the end."""
        while self._piece():
            pass
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _piece(self):
        try:
            return os.read(self.terminal, 65536)
        except OSError:
            # How a terminal says that nobody writes to it any more.
            return b""
