"""The real programs as child processes, as a user starts them.

Run as a program, it starts the demo and then a command that finds the server in FRONTDESK_URL and FRONTDESK_API_KEY:

    python3 tests/sdk/serving.py npm --prefix tests/node test
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("FRONTDESK_PROGRAMS", ROOT / "target" / "release"))
PATIENCE_SECONDS = 60
# The greeting's last line: all that is printed at start has been printed.
GREETED = "Ctrl-C stops it."


def environment(**more):
    """The user's environment without settings of their own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    return own | more


def program(name):
    path = PROGRAMS / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `tests/run build`, or set FRONTDESK_PROGRAMS to its folder")
    return str(path)


def run(name, *arguments, stdin="", env=None):
    """Runs a program to its end."""
    return subprocess.run(
        [program(name), *map(str, arguments)],
        input=stdin,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def eventually(what, holds, seconds=PATIENCE_SECONDS):
    """Waits until it holds; returns what held."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"never came true: {what}")


class Server:
    """A running `frontdesk`, with a data directory of its own and any free port."""

    def __init__(self, folder, *arguments, env=None):
        self.data = pathlib.Path(folder) / "data"
        self.log_file = pathlib.Path(folder) / "log"
        self.printed = []
        command = [program("frontdesk"), *arguments, "--port", "0", "--data-dir", str(self.data)]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                command, env=environment(**(env or {})), stdout=subprocess.PIPE, stderr=log, text=True
            )
        # Somebody must read on, or the program would wait for a full pipe.
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.printed.append(line)

    def wait_until_ready(self):
        eventually("the greeting", lambda: self._alive() and GREETED in self.greeting)
        assert self.status("/readyz") == 200
        return self

    def _alive(self):
        assert self.process.poll() is None, f"it ended by itself: {self.log}"
        return True

    @property
    def greeting(self):
        return "".join(self.printed)

    @property
    def log(self):
        return self.log_file.read_text()

    @property
    def url(self):
        return re.search(r"listens on (http://\S+)", self.greeting)[1]

    @property
    def key(self):
        return re.search(r"Development API key.*: (\S+)", self.greeting)[1]

    def get(self, path):
        """A GET without a key: status and text."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENCE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def status(self, path):
        return self.get(path)[0]

    def metric(self, name):
        """A metric's value, labels included in the name; 0 while nothing was counted."""
        _, text = self.get("/metrics")
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(found[1]) if found else 0.0

    def tell(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(PATIENCE_SECONDS)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def demo(*arguments, env=None):
    """`frontdesk demo`, ready; gone afterwards with everything it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, "demo", *arguments, env=env)
        try:
            yield server.wait_until_ready()
        finally:
            server.close()


def main(command):
    # So that a stopped test run takes the server with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with demo() as server:
        found = {"FRONTDESK_URL": server.url, "FRONTDESK_API_KEY": server.key}
        return subprocess.run(command, env=environment(**found)).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
