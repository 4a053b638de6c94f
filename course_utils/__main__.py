"""A course on data augmentation: looks at the machine, fetches data, runs lessons, cleans up."""

import argparse
import shutil
import sys

from course_utils import settings

# Below the cache, by the names that the kit gives: what can be computed or drawn again, and what
# takes a download. Whatever else lies there is the student's, predictions and pictures too.
COMPUTED = (
    *("features/*/*.npy", "pixels/*.npy", "pixels/*.json", "drawn/v[0-9]*", "drawn/.v[0-9]*"),
    *("models/*.keras", "machine.json"),
)
DOWNLOADED = (
    *("weights/*.npz", "photos/zip-*", "photos/.zip-*", "photos/kaggle", "photos/.kaggle.*"),
    "photos/kaggle-failed.json",
)


def doctor() -> int:
    """Prints what the machine has; 0 if the lessons can run, 1 if something is to be mended."""
    from course_utils.doctor import examine_machine

    findings = examine_machine()
    for finding in findings:
        print(finding)
    return 0 if all(finding.well for finding in findings) else 1


def fetch(*, source: str | None = None) -> int:
    """Gets what the lessons need, so that they then run without a network."""
    from course_utils import data, runtime, weights

    weights.load_vgg16_weights(source=source)
    print("VGG16's ImageNet weights are here, verified.")
    profile = settings.profile_override() or "auto"
    if profile == "auto":
        profile = "full" if runtime.device() == "GPU" else "quick"
    splits = data.load_car_or_truck(settings.load_settings(profile), download=True)
    print(f"{splits.source}\n{splits.counts.to_string()}")
    return 0


def run(numbers: list[str], *, in_place: bool) -> int:
    """Executes lessons; 1 if a cell fails."""
    from nbclient.exceptions import CellExecutionError

    from course_utils import lessons

    for path in lessons.choose_lessons(numbers):
        print(f"Running {path.name} …", flush=True)
        try:
            written = lessons.run_lesson(path, in_place=in_place)
        except CellExecutionError as error:
            print(f"{path.name} stopped in this cell:\n\n{error}", file=sys.stderr)
            print("If the machine is at fault: python -m course_utils doctor", file=sys.stderr)
            return 1
        print(f"{path.name} is done. Look at {written[-1]}")
    return 0


def exercises(*, test: str | None, answers: bool) -> int:
    """Prints every question with its aim and lesson, or the test of ten misconceptions."""
    from course_utils.exercises import misconceptions, report

    if test is None:
        print(report.write_report())
    else:
        seed = ("before", "after").index(test)
        print(misconceptions.write_test(answers=answers, seed=seed))
    return 0


def clean(*, everything: bool) -> int:
    """Removes what the kit wrote into the cache; own pictures, even there, are never touched."""
    from course_utils.files import folder_size

    folder = settings.cache_dir()
    freed = 0
    for pattern in (*COMPUTED, *DOWNLOADED) if everything else COMPUTED:
        for path in list(folder.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                freed += folder_size(path)
                shutil.rmtree(path)
            else:
                freed += path.lstat().st_size
                path.unlink()
            for above in path.parents:
                if above == folder or any(above.iterdir()):
                    break
                above.rmdir()
    kept = "" if everything else "; weights and downloaded photos stay (--all removes them too)"
    print(f"{freed / 1e6:,.0f} MB freed in {folder}{kept}.")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        arguments: The words after `python -m course_utils`; those of the process if `None`.
    """
    parser = argparse.ArgumentParser(prog="python -m course_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="look at the machine: what is well, what to do")
    fetching = commands.add_parser("fetch", help="get weights and photos now, to work offline")
    fetching.add_argument("--weights", help="a file or folder of VGG16's weights to take")
    running = commands.add_parser("run", help="execute lessons into runs/, as notebook and page")
    running.add_argument("lessons", nargs="+", help="numbers such as 02, or all")
    running.add_argument("--in-place", action="store_true", help="replace the notebook itself")
    cleaning = commands.add_parser("clean", help="remove computed files from the cache")
    cleaning.add_argument("--all", action="store_true", help="weights and downloaded photos too")
    asking = commands.add_parser("exercises", help="what the exercises ask, for instructors")
    wanted = asking.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--report", action="store_true", help="list every question with its aim")
    wanted.add_argument("--test", choices=("before", "after"), help="ten questions for a class")
    asking.add_argument("--answers", action="store_true", help="with --test: the answers too")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "doctor":
            return doctor()
        if chosen.command == "fetch":
            return fetch(source=chosen.weights)
        if chosen.command == "run":
            return run(chosen.lessons, in_place=chosen.in_place)
        if chosen.command == "exercises":
            return exercises(test=chosen.test, answers=chosen.answers)
        return clean(everything=chosen.all)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"{parser.prog} {chosen.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
