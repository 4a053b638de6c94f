"""A course on data augmentation: looks at the machine, fetches data, runs and checks lessons,
draws their figures, cleans up.

Longer than 350 lines because it has a short function and a parser for each command.
"""

import argparse
import os
import sys
from pathlib import Path

from course_utils.core import environment, settings
from course_utils.core.files import check_writable


def doctor() -> int:
    """Prints what the machine has; 0 if the lessons can run, 1 if something has to be fixed."""
    from course_utils.lessons.doctor import check_environment

    findings = check_environment()
    for finding in findings:
        print(finding)
    return 0 if all(finding.well for finding in findings) else 1


def fetch(*, source: str | None = None) -> int:
    """Gets what the lessons need, so that they then run without a network."""
    from course_utils.core import backend
    from course_utils.data import dataset, kaggle
    from course_utils.models import vgg16

    vgg16.load_vgg16_weights(source=source)
    print("VGG16's ImageNet weights are here, verified.")
    kaggle.forget_failure()
    splits = dataset.load_car_or_truck(
        settings.load_settings(backend.choose_profile()), download=True
    )
    print(f"{splits.source}\n{splits.counts.to_string()}")
    return 0


def fetch_all(out: Path, *, source: str | None = None) -> int:
    """Prepares a folder for a class; 1 if a cell of a lesson failed on the way."""
    from course_utils.core import backend
    from course_utils.lessons import prepare

    check_writable(out)
    if backend.device() == "GPU":
        print(
            "ATTENTION: with the GPU here lessons train in the model and store no features. For a "
            "class without GPUs, set CUDA_VISIBLE_DEVICES=-1 first."
        )
    outcomes = prepare.prepare_folder(out, source=source)
    print(prepare.describe_folder(out))
    print(f"Students read it where it is mounted: COURSE_PREPARED_DIR={out.resolve()}")
    for name, value in environment.overrides().items():
        print(f"It was made under {name}={value}: students need the same.")
    return _report_failures(outcomes)


def check(numbers: list[str], out: Path) -> int:
    """Executes notebooks and says how each went; 1 if a cell failed."""
    from course_utils.core import backend
    from course_utils.data import dataset
    from course_utils.lessons import notebooks
    from course_utils.lessons.check import SLOWEST, check_notebooks, choose_at_once
    from course_utils.models import vgg16

    paths = notebooks.choose_lessons(numbers or ["all"])
    check_writable(out)
    check_writable(environment.cache_dir())
    # Here, once, and not by two notebooks at the same time.
    print(dataset.load_car_or_truck(settings.load_settings(backend.choose_profile())).source)
    vgg16.load_vgg16_weights()
    at_once = min(len(paths), choose_at_once())
    print(f"{len(paths)} notebooks, {at_once} at a time.", flush=True)
    outcomes = check_notebooks(paths, out, at_once=at_once)
    for outcome in outcomes:
        print(f"\n{outcome.name}: {outcome.page}")
        for cell in outcome.cells[:SLOWEST]:
            print(f"  {cell}")
    return _report_failures(outcomes)


def _report_failures(outcomes) -> int:
    failed = [outcome for outcome in outcomes if outcome.failures]
    for outcome in failed:
        print(f"\n{outcome.name} FAILED; its page shows where: {outcome.page}", file=sys.stderr)
        # What fails after the first cell often follows from it.
        print(f"  {outcome.failures[0]}", file=sys.stderr)
    return 1 if failed else 0


def figures(out: Path, *, only: str | None, file_format: str, photos: str, checked: bool) -> int:
    """Draws the figures, or compares them with the committed ones; 1 if one has drifted."""
    from course_utils.lessons import figure_files

    entries = figure_files.choose_entries(only)
    check_writable(out)
    if not checked:
        figure_files.write_figures(entries, out, photos=photos, file_format=file_format)
        print(f"In {out}, with their {figure_files.MANIFEST}: {_count_figures(entries)}.")
        return 0
    page = out / "drift.html"
    page.unlink(missing_ok=True)
    drifts = figure_files.find_drift(entries, complete=only is None)
    if not drifts:
        print(f"As committed: {_count_figures(entries)}.")
        return 0
    for drift in drifts:
        print(f"{drift.name}: {drift.why}")
    print(f"Look at {figure_files.write_page(drifts, page)}")
    return 1


def _count_figures(entries) -> str:
    return f"{len(entries)} figure{'s' if len(entries) > 1 else ''}"


def run(numbers: list[str], out: Path, *, in_place: bool) -> int:
    """Executes lessons; 1 if a cell fails."""
    from nbclient.exceptions import CellExecutionError

    from course_utils.core.machine import check_machine
    from course_utils.lessons import notebooks

    paths = notebooks.choose_lessons(numbers)
    check_machine()
    for folder in [environment.cache_dir(), *([] if in_place else [out])]:
        check_writable(folder)
    for path in paths:
        print(f"Running {path.name} …", flush=True)
        try:
            written = notebooks.run_lesson(path, out, in_place=in_place)
        except CellExecutionError as error:
            print(f"{path.name} stopped in this cell:\n\n{error}", file=sys.stderr)
            print("If the machine is at fault: python -m course_utils doctor", file=sys.stderr)
            return 1
        print(f"{path.name} is done. Look at {written[-1]}")
    return 0


def project(out: Path) -> int:
    """Writes what lesson 06 starts from: pictures, and the weights of a base."""
    from course_utils.lessons.project import write_project

    for sentence in write_project(out):
        print(sentence)
    return 0


def exercises(*, test: str | None, answers: bool, sheet: str | None, score: Path | None) -> int:
    """Prints every question with its aim, a test of ten misconceptions, or a class's scores."""
    from course_utils.exercises.framework import misconceptions, report, scores

    if score:
        print(scores.describe_scores(scores.score_class(scores.read_answers(score))))
    elif sheet:
        print(misconceptions.write_sheet(sheet))
    elif test:
        print(misconceptions.write_test(form=test, answers=answers))
    else:
        print(report.write_report())
    return 0


def start(folder: Path) -> int:
    """Puts working copies of the notebooks into a folder, or updates those there."""
    from course_utils.lessons.workspace import start_folder

    for update in start_folder(folder):
        print(update)
    print(f"Work there: jupyter lab {folder}")
    return 0


def export(numbers: list[str], file_format: str, out: Path) -> int:
    """Writes lessons as slides, pages or PDF files."""
    from course_utils.lessons import export, notebooks

    for path in notebooks.choose_lessons(numbers):
        print(f"Look at {export.export_lesson(path, file_format, out)}", flush=True)
    return 0


def share(path: Path) -> int:
    """Writes the student's guesses and bets to a file without a name."""
    from course_utils.lessons.class_results import share_guesses

    print(f"{share_guesses(path)} guesses and bets in {path}. Hand it in only if you want to.")
    return 0


def class_results(folder: Path, out: Path) -> int:
    """Gathers a class's guesses and bets as one page, and the guesses as a file for the lessons."""
    from course_utils.lessons import class_results, guesses

    students, unread = class_results.read_class(folder)
    for path, why in unread.items():
        print(f"Not read: {path}: {why}")
    page = class_results.write_class_page(
        students, class_results.read_outcomes(), out / "class.html"
    )
    told = class_results.write_class_guesses(students, out / guesses.CLASS_FILE)
    print(f"{len(students)} students. Look at {page}")
    print(f"Lessons show the class's guesses if {told} is in the prepared folder or the cache.")
    return 0


def grade(folder: Path, out: Path, *, at_once: int, memory: float, unsafe: bool) -> int:
    """Grades a folder of students' notebooks; 1 if a file could not be read."""
    if sys.platform == "win32":
        raise RuntimeError(
            "Expected Linux or macOS, found Windows, which cannot keep students' code apart in the "
            "way that grading does. Run the command in WSL."
        )
    from course_utils.grading import sandbox, submissions
    from course_utils.grading.exercises import load_exercises
    from course_utils.grading.grade import grade_all, write_page, write_table

    if not folder.is_dir():
        raise ValueError(f"Expected a folder of notebooks, received {folder}.")
    isolation = sandbox.find_isolation()
    if isolation == sandbox.NOTHING and not unsafe:
        raise RuntimeError(
            "Nothing here can isolate students' code. Install Bubblewrap (on Debian: apt install "
            "bubblewrap), or say --without-isolation, if you trust every student with this machine."
        )
    kit = load_exercises()
    found, unread = submissions.read_submissions(folder, kit)
    print(f"{len(found)} submissions, isolated by {isolation}, {at_once} at a time.", flush=True)
    limits = sandbox.Limits(memory=int(memory * 1e9))

    def report(submission, marks) -> None:
        right = sum(mark.state == "right" for mark in marks)
        text = f"{submission.student}, exercise {submission.number}: {right} of {len(marks)} right"
        print(text, flush=True)

    with sandbox.Sandbox(isolation, limits, (folder.resolve(), out.resolve())) as place:
        marks = grade_all(found, kit, place, at_once=at_once, report=report)
    write_table(marks, out / "grades.csv")
    write_page(marks, unread, out / "grades.html")
    for path, why in unread.items():
        print(f"Not read: {path}: {why}")
    print(f"Look at {out / 'grades.html'} and {out / 'grades.csv'}")
    return 1 if unread else 0


def site(out: Path, *, make_frames: bool) -> int:
    """Builds the static site, or makes the frames that its explorer plays."""
    from course_utils.lessons import site as building

    if make_frames:
        from course_utils.lessons.frames import write_frames

        print(
            f"Made {write_frames(building.site_dir() / 'frames')}. Look at them, and commit them."
        )
        return 0
    print(f"Open {building.build_site(out)}, or put the folder on any web server.")
    return 0


def clean(*, everything: bool) -> int:
    """Removes what the kit wrote into the cache."""
    from course_utils.core.manifest import clean_cache

    freed = clean_cache(everything=everything)
    kept = "" if everything else "; weights and downloaded photos stay (--all removes them too)"
    print(f"{freed / 1e6:,.0f} MB freed in {environment.cache_dir()}{kept}.")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        arguments: The words after `python -m course_utils`; those of the process if `None`.
    """
    parser = argparse.ArgumentParser(
        prog="python -m course_utils", description=__doc__.split("\n\n")[0]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="look at the machine: what is well, what to do")
    fetching = commands.add_parser("fetch", help="get weights and photos now, to work offline")
    fetching.add_argument("--weights", help="a file or folder of VGG16's weights to take")
    fetching.add_argument("--all", action="store_true", help="prepare a folder for a whole class")
    fetching.add_argument("--out", type=Path, help="that folder (data/prepared)")
    running = commands.add_parser("run", help="execute lessons into runs/, as notebook and page")
    running.add_argument("lessons", nargs="+", help="numbers such as 02, or all")
    places = running.add_mutually_exclusive_group()
    places.add_argument("--out", type=Path, help="folder for notebooks and pages (runs)")
    places.add_argument("--in-place", action="store_true", help="replace the notebook itself")
    checking = commands.add_parser("check", help="execute lessons and exercises, and measure them")
    checking.add_argument("lessons", nargs="*", help="numbers such as 02 or exercises/01 (all)")
    checking.add_argument("--out", type=Path, help="folder for the pages (runs/check)")
    checking.add_argument("--data", help="a folder or archive of photos, or synthetic")
    checking.add_argument(
        "--cell-minutes", type=float, help="how long a cell may take (30; in the full profile 300)"
    )
    checking.add_argument("--profile", help="quick or full, whatever a notebook says")
    drawing = commands.add_parser("figures", help="draw the figures of the lessons and the README")
    drawing.add_argument("--out", type=Path, help="folder for the files (runs/figures)")
    drawing.add_argument("--only", help="the name of one figure")
    drawing.add_argument("--format", choices=("png", "svg", "pdf"), default="png")
    drawing.add_argument("--data", help="a folder or archive of photos (synthetic)")
    drawing.add_argument("--check", action="store_true", help="compare with docs/figures instead")
    starting = commands.add_parser("start", help="working copies of the notebooks, or their update")
    starting.add_argument("folder", type=Path, help="where to; what you have written there stays")
    exporting = commands.add_parser("export", help="write lessons as slides, pages or PDF files")
    exporting.add_argument("lessons", nargs="+", help="numbers such as 02, or all")
    exporting.add_argument("--to", choices=("slides", "html", "pdf"), default="html")
    exporting.add_argument("--out", type=Path, help="folder for the files (runs/export)")
    sharing = commands.add_parser("share", help="your guesses and bets as a file without a name")
    sharing.add_argument("file", type=Path, help="the file, such as guesses.json")
    gathering = commands.add_parser("class", help="the guesses and bets of a class as one page")
    gathering.add_argument("folder", type=Path, help="with one file for each student, from share")
    gathering.add_argument("--out", type=Path, help="folder for the page (runs/class)")
    grading = commands.add_parser("grade", help="grade a folder of students' exercise notebooks")
    grading.add_argument("folder", type=Path, help="the folder, as it comes out of an LMS")
    grading.add_argument("--out", type=Path, help="folder for the table and the page (runs/grades)")
    grading.add_argument("--at-once", type=int, default=2, help="processes at the same time (2)")
    grading.add_argument("--memory", type=float, default=3, help="GB for each process (3)")
    grading.add_argument(
        "--without-isolation", action="store_true", help="where nothing isolates: run them anyway"
    )
    publishing = commands.add_parser("site", help="build the course as a static site")
    publishing.add_argument("--out", type=Path, help="its folder (runs/site)")
    publishing.add_argument("--frames", action="store_true", help="make its explorer's pictures")
    cleaning = commands.add_parser("clean", help="remove computed files from the cache")
    cleaning.add_argument("--all", action="store_true", help="weights and downloaded photos too")
    starting = commands.add_parser("project", help="pictures and weights for a project of your own")
    starting.add_argument("--out", type=Path, default=Path("project"), help="its folder (project)")
    asking = commands.add_parser("exercises", help="what the exercises ask, for instructors")
    wanted = asking.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--report", action="store_true", help="list every question with its aim")
    wanted.add_argument("--test", choices=("before", "after"), help="ten questions for a class")
    wanted.add_argument("--sheet", choices=("before", "after"), help="an answer sheet to print")
    wanted.add_argument("--score", type=Path, help="a class's answers (CSV): what has changed")
    asking.add_argument("--answers", action="store_true", help="with --test: the answers too")
    chosen = parser.parse_args(arguments)
    try:
        return _run_command(commands.choices[chosen.command], chosen)
    except BrokenPipeError:
        # Whoever read along (`| head`) has enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, ValueError, RuntimeError) as error:
        print(f"{parser.prog} {chosen.command}: {error}", file=sys.stderr)
        return 1


def _run_command(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> int:
    runs = environment.project_dir() / "runs"
    if chosen.command == "doctor":
        return doctor()
    if chosen.command == "fetch":
        if chosen.all:
            return fetch_all(
                chosen.out or environment.data_dir() / "prepared", source=chosen.weights
            )
        if chosen.out:
            parser.error("--out goes with --all; the cache is where COURSE_CACHE_DIR says")
        return fetch(source=chosen.weights)
    if chosen.command == "run":
        return run(chosen.lessons, chosen.out or runs, in_place=chosen.in_place)
    if chosen.command == "check":
        with environment.using(**_asked_for(chosen)):
            return check(chosen.lessons, chosen.out or runs / "check")
    if chosen.command == "figures":
        if chosen.check and (chosen.data or chosen.format != "png"):
            parser.error(
                "--check compares PNG files of synthetic vehicles: leave --data and --format"
            )
        return figures(
            chosen.out or runs / "figures",
            only=chosen.only,
            file_format=chosen.format,
            photos=chosen.data or environment.SYNTHETIC,
            checked=chosen.check,
        )
    if chosen.command == "site":
        if chosen.frames and chosen.out:
            parser.error("--frames writes to docs/site/frames: leave --out")
        return site(chosen.out or runs / "site", make_frames=chosen.frames)
    if chosen.command == "project":
        return project(chosen.out)
    if chosen.command == "exercises":
        if chosen.answers and not chosen.test:
            parser.error("--answers goes with --test; nothing else shows them")
        return exercises(
            test=chosen.test, answers=chosen.answers, sheet=chosen.sheet, score=chosen.score
        )
    if chosen.command == "start":
        return start(chosen.folder)
    if chosen.command == "export":
        return export(chosen.lessons, chosen.to, chosen.out or runs / "export")
    if chosen.command == "share":
        return share(chosen.file)
    if chosen.command == "class":
        return class_results(chosen.folder, chosen.out or runs / "class")
    if chosen.command == "grade":
        return grade(
            chosen.folder,
            chosen.out or runs / "grades",
            at_once=max(1, chosen.at_once),
            memory=chosen.memory,
            unsafe=chosen.without_isolation,
        )
    return clean(everything=chosen.all)


def _asked_for(chosen: argparse.Namespace) -> dict[str, str]:
    """Returns the environment variables that the options stand for."""
    asked = {}
    if chosen.data:
        # A path on the command line counts from where the command was given.
        named = (
            chosen.data
            if chosen.data == environment.SYNTHETIC
            else str(Path(chosen.data).resolve())
        )
        asked["COURSE_DATA_DIR"] = named
    if chosen.profile:
        asked["COURSE_PROFILE"] = chosen.profile
    if chosen.cell_minutes:
        asked["COURSE_CELL_MINUTES"] = str(chosen.cell_minutes)
    return asked


if __name__ == "__main__":
    sys.exit(main())
