"""A terminal that runs a command, for behaviour that needs a terminal."""

import codecs
import os
import pty
import signal
import subprocess
import termios
import time

from harness import PATIENCE, environment_without_aws


# Variables that decide about colour besides the terminal. With `CI`, some programs write colour to any terminal.
ABOUT_COLOUR = {"CI", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "NO_COLOR"}


def a_terminals_environment(**variables: str) -> dict[str, str]:
    """The environment of a user at a colour terminal, with additional variables."""
    inherited = {name: value for name, value in environment_without_aws().items() if name not in ABOUT_COLOUR}
    return inherited | {"TERM": "xterm-256color"} | variables


class Terminal:
    """A terminal that runs a command. `screen` is the whole output of the command, control sequences included."""

    def __init__(self, command: list, *, stdin: int | None = None, **variables: str):
        self.controller, inside = pty.openpty()
        # Without echo, because wscat itself draws the line that is being edited.
        attributes = termios.tcgetattr(inside)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(inside, termios.TCSANOW, attributes)
        # Programs draw nothing for a terminal without a size.
        termios.tcsetwinsize(inside, (24, 100))
        streams = {"stdin": inside if stdin is None else stdin, "stdout": inside, "stderr": inside}
        arguments = [str(part) for part in command]
        self.child = subprocess.Popen(arguments, env=a_terminals_environment(**variables), start_new_session=True, **streams)
        os.close(inside)
        os.set_blocking(self.controller, False)
        self.screen = ""
        # A read may end inside a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def type(self, line: str):
        os.write(self.controller, f"{line}\n".encode())

    def wait_for(self, text: str):
        self.wait_until(lambda: text in self.screen, repr(text))

    def wait_until(self, condition, what: str):
        """Reads the output of the command until the condition on the screen is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what} never appeared in the terminal:\n{self.screen}"
            if not self._read():
                raise AssertionError(f"the command ended, and {what} never appeared in the terminal:\n{self.screen}")

    def _read(self) -> bool:
        """Reads the available output, or waits a moment. Returns False once the command has ended."""
        try:
            self.screen += self._decoder.decode(os.read(self.controller, 65536))
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:  # EIO: the command has ended.
            return False
        return True

    def interrupt(self) -> int:
        """Sends Ctrl-C, reads the rest of the output, and returns the command's exit code."""
        self.child.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Waits until the command ends by itself, and returns its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"the command did not end; its terminal:\n{self.screen}"
        return self.child.wait(PATIENCE)

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.controller)
