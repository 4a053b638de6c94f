"""A real JupyterLab and a real browser, for the tests of what a student sees and presses."""

import contextlib
import functools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def leave_out(reason):
    """Skips where someone works without a browser; fails where the tests must have run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; with CI=true the browser tests must run", pytrace=False)
    pytest.skip(reason)


# For one file of tests: while Playwright runs, its event loop runs too, and the explorer would wait
# with its words in whatever test came next.
@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        leave_out("playwright is not installed: pip install playwright")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        leave_out("no Chromium found: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield launched
        launched.close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *words):
        pass


@pytest.fixture(scope="session")
def site_address(tmp_path_factory):
    """Where the built site is served, on this machine alone."""
    from course_utils.lessons import site

    for name in site.BUILDERS:
        pytest.importorskip(name)
    built = site.build_site(tmp_path_factory.mktemp("served") / "site").parent
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(built)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Lab:
    """A running JupyterLab.

    Args:
        folder: What it serves.
        address: Where it listens.
        token: What it asks for.
        settings: The folder of its settings, read whenever a page is loaded.
    """

    def __init__(self, folder: Path, address: str, token: str, settings: Path):
        self.folder, self.address, self.token = folder, address, token
        self._settings = settings

    def choose_theme(self, theme: str) -> None:
        """Chooses the theme of the pages opened from now on."""
        self._set("themes", {"theme": theme})

    def set_quiet(self) -> None:
        """Asks no questions about news, and looks for no updates."""
        self._set("notification", {"fetchNews": "false", "checkForUpdates": False})

    def _set(self, plugin: str, values: dict) -> None:
        file = (
            self._settings / "@jupyterlab" / "apputils-extension" / f"{plugin}.jupyterlab-settings"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def write_notebook(self, name: str, cells: list[str]) -> None:
        """Writes a notebook of code cells into the folder that is served."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.folder / name)

    def open_notebook(self, page, name: str) -> None:
        """Opens a notebook, without side bars, and waits for its kernel."""
        page.goto(f"{self.address}/lab/tree/{name}?token={self.token}&reset")
        page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
        page.evaluate(
            """async () => {
                const app = window.jupyterapp;
                await app.restored;
                app.shell.collapseLeft();
                app.shell.collapseRight();
                const session = app.shell.currentWidget.sessionContext;
                await session.ready;
                await session.session.kernel.info;
            }"""
        )

    def run_all_cells(self, page) -> None:
        """Runs the notebook in front and waits until every cell has run."""
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab on a free port of this machine, with a token and settings of its own."""
    home = tmp_path_factory.mktemp("lab")
    with start_lab(home) as running:
        yield running


@contextlib.contextmanager
def start_lab(home: Path):
    """Starts JupyterLab in a folder and stops it at the end."""
    folder, settings = home / "notebooks", home / "settings"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_TOKEN": token,
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with open(home / "log.txt", "w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for_server(process, f"{address}/api/status?token={token}", home / "log.txt")
            running = Lab(folder, address, token, settings)
            running.set_quiet()
            yield running
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_server(process, address, log, *, seconds=60):
    """Returns once the server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab stopped:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab did not answer in {seconds} s:\n{log.read_text()[-2000:]}")
