"""Published histories that exercises read curves from."""

import pandas as pd

from course_utils.core import environment


def load_histories() -> dict[str, pd.DataFrame]:
    """Returns the runs of `data/results/exercise-histories.csv` by name, as `train` gives them.

    Raises:
        FileNotFoundError: If the table is not there.
    """
    path = environment.data_dir() / "results" / "exercise-histories.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the published histories in {path}, found no such file. Get it with the "
            "course's repository, or run studies/exercise_histories.py."
        )
    table = pd.read_csv(path, comment="#", index_col="epoch")
    # Whether a head is dead is for the student to find out.
    kept = table.drop(columns=["run", "dead_head"])
    return {name: kept[table["run"] == name] for name in table["run"].unique()}
