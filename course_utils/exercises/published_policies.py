"""The questions of exercise 03 about published runs: an interval, and three bets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from course_utils.core import environment
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import (
    Misread,
    count_blanks,
    quote,
    read_choice,
    read_number,
)
from course_utils.exercises.vehicle_questions import POLICIES, TASKS

# --- the published table ---------------------------------------------------------------------


def _load_table() -> pd.DataFrame:
    path = environment.data_dir() / "results" / "exercise-policies.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the published runs in {path}, found no such file. Get it with the course's "
            "repository, or run studies/exercise_policies.py."
        )
    return pd.read_csv(path, comment="#")


def load_select() -> pd.DataFrame:
    """Returns the published runs, measured on the half of the validation photos to choose by.

    Returns:
        A DataFrame, one row for each of 4 questions, 6 policies and 20 seeds, with the columns
        `question`, `policy`, `seed`, `accuracy` and `dead_head`.
    """
    table = _load_table().rename(columns={"select": "accuracy"})
    return table[["question", "policy", "seed", "accuracy", "dead_head"]]


def _pair(table: pd.DataFrame, question: str, policy: str, rival: str) -> pd.DataFrame:
    """Returns accuracies by seed where both heads live: columns `policy` and `rival`."""
    alive = table[(table["question"] == question) & ~table["dead_head"]]
    wide = alive.pivot(index="seed", columns="policy", values="accuracy")
    return wide[[policy, rival]].dropna()


# --- q2: read an interval --------------------------------------------------------------------

COMPARED = ("paint", "color", "none")
SAYS = ("better", "worse", "cannot tell")


def compute_interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Returns the mean of paired differences and both ends of its 95% interval (Student's t)."""
    from scipy import stats

    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    return float(np.mean(differences)), float(low), float(high)


def _read_interval(low: float, high: float) -> str:
    return SAYS[2] if low <= 0 <= high else SAYS[0] if low > 0 else SAYS[1]


def _observe_interval(mean, low, high, says) -> dict[str, Any]:
    numbers = {"mean": mean, "low": low, "high": high}
    return {
        **{name: read_number(value, name) for name, value in numbers.items()},
        "says": read_choice(says, SAYS, "`says`"),
    }


def _judge_interval(observed: Mapping[str, Any]) -> str | None:
    given = [read_number(observed[name], name) for name in ("mean", "low", "high")]
    verdict = read_choice(observed["says"], SAYS, "`says`")
    if max(map(abs, given)) > 1:
        raise Misread(
            "Expected fractions from -1 to 1, such as 0.012 for 1.2 percentage points; divide by "
            "100."
        )
    if given[1] > given[2]:
        return "The low end is above the high end: swap the two."
    question, policy, rival = COMPARED
    pair = _pair(load_select(), question, policy, rival)
    differences = (pair[policy] - pair[rival]).to_numpy()
    true, true_low, true_high = compute_interval(differences)
    reach = (true_high - true_low) / 2
    table = load_select()
    both = [
        table[(table["question"] == question) & (table["policy"] == each)].set_index("seed")
        for each in (policy, rival)
    ]
    with_dead = (both[0]["accuracy"] - both[1]["accuracy"]).mean()
    found = (given[2] - given[1]) / 2
    if abs(given[0] + true) < 0.002 < abs(given[0] - true):
        return f"The sign is turned round: the task asks for {policy} minus {rival}."
    if abs(given[0] - with_dead) < 0.002 < abs(true - with_dead):
        return (
            "Dead heads are among your runs. They predict one class whatever the policy; leave out "
            "each seed for which either head died."
        )
    if abs(given[0] - true) > 0.003:
        return (
            f"A mean difference of {given[0]:+.3f} is not that of the pairs in which no head died."
        )
    if not given[1] <= given[0] <= given[2]:
        return "The mean is not within your interval: is it an interval of differences?"
    # Student's t, the normal's 1.96, two standard errors and a bootstrap are all near.
    if not 0.75 * reach < found < 1.25 * reach:
        spread = np.std(differences, ddof=1)
        if found > 1.5 * reach and abs(found / spread - 2) < 0.4:
            return (
                "Your interval spans where single runs fall: that is the standard deviation. The "
                "standard error says how sure the mean is; it is smaller by √n."
            )
        if found < 0.75 * reach:
            return "Your interval is too narrow for 95 %: about two standard errors either way."
        return "Your interval is too wide for 95 %: about two standard errors either way."
    ends = (given[0] - given[1], given[2] - given[0])
    if min(ends) < 0.5 * reach or max(ends) > 1.5 * reach:
        return (
            "The mean is not in the middle of your interval: go about two standard errors down and "
            "as many up."
        )
    # Another good method may just miss 0, or meet it: what its interval says is right as well.
    fitting = {_read_interval(true_low, true_high), _read_interval(*given[1:])}
    if verdict not in fitting:
        return f"The interval is right, but it does not say `{verdict}`. Is 0 within it?"
    return None


Q2 = Question(
    name="q2",
    title="Read an interval",
    aim="compute a paired difference with its interval, and say no more than it says",
    lesson="03",
    observe=_observe_interval,
    judge=_judge_interval,
    praise="The interval is about other random initializations of the head, on these photos. Other "
    "photos could move all of it.",
    hints=(
        '`runs.pivot(index="seed", columns="policy", values="accuracy")` after leaving out '
        "dead heads puts the two side by side.",
        "Standard error: `differences.std(ddof=1) / len(differences) ** 0.5`.",
        "The mean, and about 2.2 standard errors either way. If 0 is inside, you can't tell.",
    ),
    explanation="Both policies share the seed, so a run with one is paired with a run with the "
    "other, and the differences vary less than the runs. The interval of their mean is two "
    "standard errors either way, a little more with Student's t. With 0 inside, these runs cannot "
    "tell which is better; that does not mean that they are equal. With the dead heads left in, "
    "color would seem three percentage points better, only because three of `none`'s heads died.",
    code="""living = runs[(runs["question"] == "paint") & ~runs["dead_head"]]
pairs = living.pivot(index="seed", columns="policy", values="accuracy")
differences = (pairs["color"] - pairs["none"]).dropna()
mean = differences.mean()
reach = 2.2 * differences.std(ddof=1) / len(differences) ** 0.5
low, high = mean - reach, mean + reach
says = "cannot tell" if low < 0 < high else "better" if mean > 0 else "worse\"""",
    misconceptions=("one run proves",),
)


# --- q3: three bets --------------------------------------------------------------------------

KNOWS_NOTHING = 0.25  # the score of someone who says 0.5 each time


def score_bet(question: str, policy: str) -> bool:
    """Whether a policy's mean accuracy, dead heads left out, beat flip's on the held-out half."""
    table = _load_table()
    alive = table[(table["question"] == question) & ~table["dead_head"]]
    means = alive.groupby("policy")["sealed"].mean()
    return bool(means[policy] > means["flip"])


def score_bets(bets) -> pd.DataFrame:
    """Returns the bets beside what the held-out photos say.

    Args:
        bets: Triples of a question, a policy of the published table, and how sure one is, from 0
            to 1, that it beats flip.

    Returns:
        A DataFrame, one row a bet: `question`, `policy`, `sure`, `won` and `score`, the square of
        how far off the sureness was (Brier): 0 at best, 1 at worst; empty for blank bets.
    """
    columns = ["question", "policy", "sure", "won", "score"]
    if not isinstance(bets, list | tuple) or not bets or count_blanks(bets)[0]:
        return pd.DataFrame(columns=columns)
    rows = []
    for question, policy, sure in _read_bets(bets):
        won = score_bet(question, policy)
        rows.append((question, policy, sure, won, (sure - won) ** 2))
    return pd.DataFrame(rows, columns=columns)


def _read_bets(bets) -> list[tuple[str, str, float]]:
    if not isinstance(bets, list | tuple):
        raise Misread(
            f'Expected a list of three bets such as ("paint", "light", 0.7), received '
            f"{quote(bets)}."
        )
    if any(not isinstance(bet, list | tuple) or len(bet) != 3 for bet in bets):
        raise Misread('Expected each bet as ("paint", "light", 0.7), received ' + quote(bets) + ".")
    read = []
    for question, policy, sure in bets:
        named = read_choice(question, tuple(TASKS), "the question")
        chosen = read_choice(policy, tuple(POLICIES), "the policy")
        share = read_number(sure, "how sure you are")
        if not 0 <= share <= 1:
            raise Misread(
                f"Expected how sure you are from 0 to 1, received {share:g}. Write 0.7 for 70%."
            )
        read.append((named, chosen, share))
    return read


def _observe_bets(bets) -> dict[str, Any]:
    return {"bets": [list(bet) for bet in _read_bets(bets)]}


def _judge_bets(observed: Mapping[str, Any]) -> str | None:
    read = _read_bets([tuple(bet) for bet in observed["bets"]])
    if len(read) != 3:
        return f"The task asks for three bets; these are {len(read)}."
    if any(policy == "flip" for _, policy, _ in read):
        return "Flip cannot beat itself. Choose another policy."
    if len({question for question, _, _ in read}) < 3:
        return "Bet on three different questions, so that one lucky guess counts only once."
    if all(sure == 0.5 for _, _, sure in read):
        return (
            "Half sure of everything: that scores 0.25 without looking at a number. For which "
            "question does the table above speak clearly?"
        )
    scores = score_bets(read)
    worst = scores.loc[scores["score"].idxmax()]
    if scores["score"].mean() >= KNOWS_NOTHING:
        how = "beat flip" if worst["won"] else "did not beat flip"
        if worst["sure"] in (0.0, 1.0):
            return (
                f"You were certain and lost: for {worst['question']}, on the held-out photos, "
                f"{worst['policy']} {how}. No table of runs makes anyone quite certain."
            )
        return (
            f"For {worst['question']}, on the held-out photos, {worst['policy']} {how}. Your mean "
            f"score of {scores['score'].mean():.2f} is no better than 0.25, the score of always "
            "saying 0.5."
        )
    return None


Q3 = Question(
    name="q3",
    title="Three bets",
    aim="say how sure one is, and be scored on photos that played no part in choosing",
    lesson="03",
    observe=_observe_bets,
    judge=_judge_bets,
    praise="Your bets scored better than saying 0.5 each time, on photos that you did not choose "
    "by. `score_bets(bets)` shows each bet.",
    hints=(
        "Look at the means in the table above. A bet against a policy counts too: 0.1 says that "
        "it hardly beats flip.",
        "How far is the difference from 0, in standard errors? Near 0, stay near 0.5.",
        "For heading, anything but a flip beats it, nearly for certain.",
    ),
    explanation="Flip destroys heading, so nearly any other policy beats it there. For type and "
    "paint, flip is ahead in the table above; a policy that is behind by many standard errors "
    "deserves a low number, one that is nearly level something near 0.5. The score is the square "
    "of how far off you were: saying what you believe scores best.",
    code="""bets = [
    ("heading", "color", 0.97),
    ("type", "camera", 0.05),
    ("light", "flip and camera", 0.05),
]""",
    misconceptions=("one run proves",),
)
