"""A terminal with a command in it, for what commands do only there."""

import codecs
import os
import pty
import signal
import subprocess
import termios
import time

from harness import PATIENCE, environment_without_aws


# What programs ask, besides the terminal, whether they should write in colour. On CI some do, whatever the terminal.
ABOUT_COLOUR = {"CI", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "NO_COLOR"}


def a_terminals_environment(**variables: str) -> dict[str, str]:
    """The environment of somebody at a terminal that is able to show colours, with these variables besides."""
    inherited = {name: value for name, value in environment_without_aws().items() if name not in ABOUT_COLOUR}
    return inherited | {"TERM": "xterm-256color"} | variables


class Terminal:
    """A terminal with a command in it. `screen` is everything that the command wrote, control sequences included."""

    def __init__(self, command: list, *, stdin: int | None = None, **variables: str):
        self.controller, inside = pty.openpty()
        # What is typed need not be seen twice: wscat draws the line that is being edited itself.
        attributes = termios.tcgetattr(inside)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(inside, termios.TCSANOW, attributes)
        # Nothing is drawn for a terminal without a size.
        termios.tcsetwinsize(inside, (24, 100))
        streams = {"stdin": inside if stdin is None else stdin, "stdout": inside, "stderr": inside}
        arguments = [str(part) for part in command]
        self.child = subprocess.Popen(arguments, env=a_terminals_environment(**variables), start_new_session=True, **streams)
        os.close(inside)
        os.set_blocking(self.controller, False)
        self.screen = ""
        # A read may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def type(self, line: str):
        os.write(self.controller, f"{line}\n".encode())

    def wait_for(self, text: str):
        self.wait_until(lambda: text in self.screen, repr(text))

    def wait_until(self, condition, what: str):
        """Reads what the command writes until the condition holds of the screen."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what} never appeared in the terminal:\n{self.screen}"
            if not self._read():
                raise AssertionError(f"the command ended, and {what} never appeared in the terminal:\n{self.screen}")

    def _read(self) -> bool:
        """Reads what there is, or waits a moment. Whether more may come."""
        try:
            self.screen += self._decoder.decode(os.read(self.controller, 65536))
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:  # EIO: the command has ended.
            return False
        return True

    def interrupt(self) -> int:
        """Ctrl-C. Returns the command's exit code once it has written its last."""
        self.child.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Waits for the command to end of its own accord, and returns its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"the command was to end; its terminal:\n{self.screen}"
        return self.child.wait(PATIENCE)

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.controller)
