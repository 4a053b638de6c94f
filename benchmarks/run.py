"""Times the kit and writes one table of ratios, benchmarks/RESULTS.md.

    python benchmarks/run.py [NAME …] [--peers-python PATH]

Rivals take turns in one run and each number is a median over rounds, so that the ratios hold where
seconds do not. Each part is kept in runs/benchmarks/ when it is done; the table is made of what
lies there, so that one part can be measured again.

Parts: lesson, in-model, fine-tuning, features, augmentation, explorer, growth, start-up, compare,
drawing, cache.
"""

import argparse
import datetime
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from measuring import Row, tell_load

from course_utils.core import backend, environment
from course_utils.core.files import atomic_write

# By part: the module with its `measure`, and what the part is about. A module is imported when
# its part is measured: the explorer's needs Playwright, which the others do without.
PARTS = {
    "lesson": ("lesson_speed", "A whole lesson: plain `fit` against stored features"),
    "in-model": ("in_model_speed", "`train` in the model against plain `fit`"),
    "fine-tuning": ("fine_tuning_speed", "Lesson 08's table: plain `fit` against stored features"),
    "features": ("feature_throughput", "Photos a second through front and frozen base"),
    "augmentation": ("augmentation_speed", "Each transformation, in the model and in tf.data"),
    "explorer": ("explorer_latency", "From a key press to the new picture"),
    "growth": ("memory", "Time and memory against photos and seeds"),
    "start-up": ("start_up", "Until a lesson's first cell has run"),
    "compare": ("compare_speed", "Many seeds side by side against one plain run"),
    "drawing": ("drawing_speed", "Drawing the embedded vehicles"),
    "cache": ("cache_cost", "Checking what is kept"),
}
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "ipywidgets", "matplotlib")
NOTES = Path(__file__).with_name("NOTES.md")  # what was tried and what is not done, by hand


@dataclass(frozen=True)
class Measured:
    """A part of the table, as it is kept.

    Args:
        date: When it was measured.
        machine: Processor, cores, device, versions of packages.
        command: What measured it.
        load: The load average before and after.
        rows: Its lines.
    """

    date: str
    machine: str
    command: str
    load: str
    rows: list[dict[str, str]]


def describe_machine() -> str:
    """Returns processor, device and versions in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = sys.version.split()[0]
    return f"{backend.processor()}, {backend.device()}; Python {python}, {versions}"


def find_part(name: str) -> Path:
    """Returns where a part is kept."""
    return environment.project_dir() / "runs" / "benchmarks" / f"{name}.json"


def run_part(name: str, chosen: argparse.Namespace) -> None:
    """Measures a part and keeps it."""
    before = tell_load()
    measure: Callable[[argparse.Namespace], list[Row]]
    measure = importlib.import_module(PARTS[name][0]).measure
    rows = [asdict(row) for row in measure(chosen)]
    command = "python benchmarks/run.py " + name
    if chosen.peers_python and name == "features":
        command += " --peers-python …"
    measured = Measured(
        f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        describe_machine(),
        command,
        f"{before} → {tell_load()}",
        rows,
    )
    with atomic_write(find_part(name)) as beside:
        beside.write_text(json.dumps(asdict(measured), ensure_ascii=False), encoding="utf-8")


def write_results() -> str:
    """Returns the report of all parts that are kept."""
    kept = {
        name: Measured(**json.loads(find_part(name).read_text(encoding="utf-8")))
        for name in PARTS
        if find_part(name).is_file()
    }
    machines = dict.fromkeys(part.machine for part in kept.values())
    lines = [
        "# What the kit takes, measured",
        "",
        "`python benchmarks/run.py` wrote this. Read the ratios: the rivals of a row took turns in",
        "one run, each number is the median over rounds, and so is each ratio: the median of the",
        "rounds' ratios, which need not be that of the two medians beside it. The load average",
        "before and after a part, how many processes wanted one of the cores, says how far seconds",
        "can be trusted. *A by B* is A divided by B.",
        "",
        *(f"- Machine: {machine}" for machine in machines),
        "",
        "| part | what | measured | ratio | remark |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, part in kept.items():
        lines.append(f"| **{name}** | **{PARTS[name][1]}** | | | load {part.load}, {part.date} |")
        lines += [f"| | {' | '.join(row.values())} |" for row in part.rows]
    lines += ["", "Commands:", "", *(f"- `{part.command}`" for part in kept.values())]
    missing = [name for name in PARTS if name not in kept]
    if missing:
        lines += ["", f"Not measured yet: {', '.join(missing)}."]
    return "\n".join(lines) + "\n\n" + NOTES.read_text(encoding="utf-8")


def main() -> None:
    """Measures the parts that are asked for, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="NAME", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--peers-python", type=Path, help="a Python that has the peers")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"Expected parts from {', '.join(PARTS)}, received {', '.join(unknown)}.")
    failed = []
    for name in chosen.parts or PARTS:
        print(f"{name}: {PARTS[name][1]} …", flush=True)
        try:
            run_part(name, chosen)
        except Exception as error:  # One part's missing browser is not to cost the others.
            print(f"{name} failed, its earlier rows stay: {error}", flush=True)
            failed.append(name)
    report = write_results()
    with atomic_write(Path(__file__).with_name("RESULTS.md")) as beside:
        beside.write_text(report, encoding="utf-8")
    print(report)
    sys.exit(f"Failed: {', '.join(failed)}." if failed else 0)


if __name__ == "__main__":
    main()
