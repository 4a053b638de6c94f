"""A process without network and without the machine's files, in which students' code runs.

Bubblewrap (`bwrap`) gives it a file system of its own: Python, the kit and VGG16's weights to read,
and a small folder in memory to write. Where Bubblewrap is missing, `unshare` of util-linux gives
it no network, no other processes, and a file system that it can read but not write. Time, memory,
processes and output are watched from outside, and an answer that exceeds a limit is stopped.
"""

import ast
import contextlib
import fcntl
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

import course_utils
from course_utils.core.cache import find_stored
from course_utils.core.environment import project_dir
from course_utils.exercises.framework.questions import GRADING
from course_utils.grading.messages import PREFIX, Malformed, read_length, unpack
from course_utils.models import vgg16

BWRAP, UNSHARE, NOTHING = "bwrap", "unshare", "none"
WATCH_EVERY = 0.1  # seconds
WRITABLE = 512 * 10**6  # bytes in the sandbox's own folder
# Of questions, and of their modules' functions: not for the sandbox.
HIDDEN = {"code": "", "explanation": "", "hints": (), "judge": None, "measure": None}
HIDDEN_FUNCTIONS = ("_judge", "judge_", "_measure", "score_bet")


@dataclass(frozen=True)
class Limits:
    """What a student's process may use.

    Args:
        seconds: For each question, the notebook's cells before it included.
        start: Seconds until TensorFlow is imported, on top.
        memory: Bytes of all its processes together.
        output: Bytes that it may print.
        processes: How many, itself included.
    """

    seconds: float = 60
    start: float = 120
    memory: int = 3 * 10**9
    output: int = 10**6
    processes: int = 32


class Stopped(Exception):
    """A student's process is no more; the message says why."""


def find_isolation() -> str:
    """Returns what this machine isolates with: `"bwrap"`, `"unshare"`, or `"none"`."""
    tried = {
        BWRAP: ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "true"],
        UNSHARE: [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "true",
        ],
    }
    for name, command in tried.items():
        if shutil.which(command[0]) and not subprocess.run(command, capture_output=True).returncode:
            return name
    return NOTHING


def write_stripped(folder: Path) -> None:
    """Writes the exercises' modules without solutions, hints, and what decides.

    Args:
        folder: Where to; it stands for `course_utils/exercises` in the sandbox.
    """
    source = Path(course_utils.__file__).parent / "exercises"
    for path in source.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Question":
                for keyword in node.keywords:
                    if keyword.arg in HIDDEN:
                        keyword.value = ast.parse(repr(HIDDEN[keyword.arg]), mode="eval").body
            elif isinstance(node, ast.FunctionDef) and node.name.startswith(HIDDEN_FUNCTIONS):
                node.body = ast.parse("raise NotImplementedError('not in the sandbox')").body
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")


class Sandbox:
    """Starts processes that observe answers; a context manager.

    Args:
        isolation: What `find_isolation` returned.
        limits: Of each process.
        hidden: Folders that such a process must not read, as the students' notebooks.
    """

    def __init__(self, isolation: str, limits: Limits, hidden: tuple[Path, ...] = ()):
        self.isolation, self.limits, self.hidden = isolation, limits, hidden
        self._folder = TemporaryDirectory(prefix="course-grading-")

    def __enter__(self) -> "Sandbox":
        self.stripped = Path(self._folder.name) / "exercises"
        write_stripped(self.stripped)
        # Where such a process may write: a folder in memory, or, where nothing isolates, this one.
        self.own = Path("/tmp") if self.isolation == BWRAP else Path(self._folder.name) / "own"
        self.own.mkdir(exist_ok=True)
        return self

    def __exit__(self, *_) -> None:
        self._folder.cleanup()

    def start(self, job: bytes) -> "Session":
        """Starts a process for a job, which is one line of JSON."""
        return Session(self, job)

    def command(self, commands: int, results: int) -> tuple[list[str], dict[str, str]]:
        """Returns the command line of such a process, and its environment."""
        weights = find_stored(vgg16.STORED_NAME)
        prepared = weights.parents[1] if weights else None
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.own),
            "TMPDIR": str(self.own),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(project_dir()),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MPLCONFIGDIR": str(self.own / "matplotlib"),
            "COURSE_CACHE_DIR": str(self.own / "course-cache"),
            "COURSE_DATA_DIR": "synthetic",
            "COURSE_PROFILE": "quick",
            "CUDA_VISIBLE_DEVICES": "-1",
            GRADING: "1",
        }
        if prepared:
            environment["COURSE_PREPARED_DIR"] = str(prepared)
        child = [
            sys.executable, "-m", "course_utils.grading.child", str(commands), str(results)
        ]  # fmt: skip
        if self.isolation == BWRAP:
            return [*self._bwrap(prepared), *child], environment
        if self.isolation == UNSHARE:
            return [*self._unshare(), *child], environment
        return child, environment

    def _bwrap(self, prepared: Path | None) -> list[str]:
        kit = project_dir()
        read = {Path("/usr"), Path("/etc/ld.so.cache"), Path("/etc/fonts")}
        read |= set(_list_pythons())
        read |= {kit / "data" / "results", kit / "notebooks", kit / "pyproject.toml"}
        read |= {prepared / vgg16.STORED_NAME} if prepared else set()
        command = [
            *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
            *("--uid", "1000", "--gid", "1000", "--proc", "/proc", "--dev", "/dev"),
            *("--size", str(WRITABLE), "--tmpfs", "/tmp"),
        ]
        for link in ("/bin", "/lib", "/lib64", "/sbin"):
            if os.path.islink(link):
                command += ["--symlink", os.readlink(link), link]
            elif os.path.isdir(link):
                command += ["--ro-bind", link, link]
        for path in sorted(each for each in read if each.exists()):
            command += ["--ro-bind", str(path), str(path)]
        package = str(kit / "course_utils")
        command += ["--ro-bind", package, package]
        command += ["--ro-bind", str(self.stripped), f"{package}/exercises"]
        # No byte-code of the modules that were stripped.
        return [*command, "--chdir", "/tmp", "--"]

    def _unshare(self) -> list[str]:
        keep = [project_dir(), self.own, *_list_pythons()]
        lines = [
            "set -e",
            f"mount -t tmpfs -o size={WRITABLE} tmpfs '{self.own}'",
            f"mount --bind '{self.stripped}' '{project_dir() / 'course_utils' / 'exercises'}'",
            # Every other mount becomes read-only; some of the system's own cannot be changed.
            "while read -r _ place _; do",
            f"  [ \"$place\" = '{self.own}' ] ||"
            ' mount -o remount,bind,ro "$place" 2>/dev/null || :',
            "done < /proc/self/mounts",
        ]
        lines += [
            f"mount -t tmpfs -o size=1m,ro tmpfs '{each}'"
            for each in (*self.hidden, Path.home())
            if each.is_dir() and not any(part.is_relative_to(each) for part in keep)
        ]
        # Without capabilities, what is read-only stays so.
        drop = "setpriv --no-new-privs --bounding-set=-all --inh-caps=-all"
        lines += [f"cd '{self.own}'", f'exec {drop} "$@"']
        options = ("--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--fork")
        script = "\n".join(lines)
        return ["unshare", *options, "--kill-child", "--mount-proc", "sh", "-c", script, "sh"]


def _list_pythons() -> list[Path]:
    """Returns the folders that Python runs from."""
    real = Path(os.path.realpath(sys.executable)).parents[1]
    return [Path(sys.prefix), Path(sys.base_prefix), real]


class Session:
    """One process in a sandbox.

    Args:
        sandbox: Where it runs.
        job: What it works on, one line of JSON.
    """

    def __init__(self, sandbox: Sandbox, job: bytes):
        self.limits, self.printed = sandbox.limits, 0
        commands, self._commands = os.pipe()
        self._results, results = os.pipe()
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self._results, fcntl.F_SETPIPE_SZ, 1 << 20)
        line, environment = sandbox.command(commands, results)
        self._process = subprocess.Popen(
            line,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(commands, results),
            start_new_session=True,
        )
        os.close(commands)
        os.close(results)
        self._started = False
        self.said = b""  # the beginning of what it printed, for when it does not start
        self._send(job)

    def ask(self, command: bytes) -> dict[str, Any]:
        """Sends a command and returns the values that come back.

        Raises:
            Stopped: If the process ended or had to be stopped.
        """
        self._send(command)
        end = time.monotonic() + self.limits.seconds + (0 if self._started else self.limits.start)
        received = bytearray()
        wanted = PREFIX
        with selectors.DefaultSelector() as ready:
            ready.register(self._results, selectors.EVENT_READ)
            ready.register(self._process.stdout, selectors.EVENT_READ)
            looked = 0.0
            while len(received) < wanted:
                for key, _ in ready.select(WATCH_EVERY):
                    if key.fileobj == self._results:
                        part = os.read(self._results, min(1 << 20, wanted - len(received)))
                        if not part:
                            self._stop(f"The process ended by itself{self._quote_end()}.")
                        received += part
                        if wanted == PREFIX and len(received) == PREFIX:
                            try:
                                wanted += read_length(bytes(received))
                            except Malformed as malformed:
                                self._stop(str(malformed))
                    elif not self._drain():
                        ready.unregister(self._process.stdout)
                now = time.monotonic()
                if now > end:
                    self._stop(f"It took longer than {self.limits.seconds:g} s.")
                if now - looked > WATCH_EVERY:
                    looked = now
                    self._watch()
        self._started = True
        try:
            return unpack(bytes(received))
        except Malformed as malformed:
            self._stop(str(malformed))

    def close(self) -> None:
        """Ends the process and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        for each in (self._commands, self._results):
            with contextlib.suppress(OSError):
                os.close(each)

    def _send(self, line: bytes) -> None:
        data = line + b"\n"
        try:
            while data:
                data = data[os.write(self._commands, data) :]
        except BrokenPipeError:
            self._stop(f"The process ended by itself{self._quote_end()}.")

    def _drain(self) -> bool:
        """Reads what was printed; False at its end."""
        part = os.read(self._process.stdout.fileno(), 1 << 16)
        self.printed += len(part)
        if len(self.said) < 4_000:
            self.said += part
        if self.printed > self.limits.output:
            self._stop(f"It printed more than {self.limits.output / 1e6:g} MB.")
        return bool(part)

    def _watch(self) -> None:
        memory = count = 0
        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(self._process.pid)
            for each in (parent, *parent.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    memory += each.memory_info().rss
                    count += 1
        if memory > self.limits.memory:
            self._stop(f"It took more than {self.limits.memory / 1e9:g} GB of memory.")
        if count > self.limits.processes:
            self._stop(f"It started more than {self.limits.processes} processes.")

    def _quote_end(self) -> str:
        return (
            ""
            if self._started
            else f" before it began: {self.said[-400:].decode(errors='replace')!r}"
        )

    def _stop(self, why: str):
        self.close()
        raise Stopped(why)
