"""The questions of exercise 03: choosing a policy for a task, and how sure one may be of it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_utils import settings
from course_utils.augmentation import Augmentation
from course_utils.exercises import probes
from course_utils.exercises.questions import (
    Misread,
    Question,
    count_blanks,
    quote,
    read_choice,
    read_number,
)
from course_utils.exercises.vehicle_questions import POLICIES, TASKS, measure_policies

MARGIN = 0.03  # of accuracy: what 200 valid photos and ten starts cannot tell from nothing
TRAIN, VALID = 200, 200  # pictures in the exercise itself
BASELINE = "none"
SEES_NOTHING = 0.01  # mean change of a pixel below which a policy leaves photos as they are


# --- q1: a policy for each question ----------------------------------------------------------


def measure_choice(base, splits: Mapping, policies: Mapping, **options) -> pd.DataFrame:
    """Measures a student's policies and, for comparison, no augmentation at all.

    Args:
        base: The frozen base.
        splits: What `build_question_splits` returned.
        policies: From each question to an `Augmentation`; blank ones are left out.
        **options: For `measure_policies`.

    Returns:
        A DataFrame, one row a question: accuracy on valid `without` and `with` the policy, mean
        over living heads, and `dead`, how many heads of the policy died; empty where every policy
        is blank. `attrs["settings"]` keeps what was measured.
    """
    chosen = {
        question: {BASELINE: Augmentation(), "chosen": policy}
        for question, policy in policies.items()
        if isinstance(policy, Augmentation) and question in splits
    }
    table = pd.DataFrame(columns=["without", "with", "dead"])
    if chosen:
        runs = measure_policies(base, splits, chosen, **options)
        alive = runs["valid"].where(~runs["dead_head"])
        means = alive.groupby([runs["question"], runs["policy"]]).mean().unstack()
        dead = runs[runs["policy"] == "chosen"].groupby("question")["dead_head"].sum()
        table = pd.DataFrame(
            {"without": means[BASELINE], "with": means["chosen"], "dead": dead}
        ).reindex(list(chosen))
    table.attrs["settings"] = {name: each["chosen"].to_json() for name, each in chosen.items()}
    return table


_LOST = {
    "flip": {
        "heading": "A mirrored vehicle faces the other way, and keeps its label all the same",
    },
    "light": {
        "light": "Day and dusk differ by their light, and that is what the policy varies",
        "paint": "Bright and dark paint differ by their light, and that is what the policy varies",
    },
    "colour": {
        "paint": "The tone of the paint is what is asked for, and the policy changes it",
        "light": "Dusk has a colour of its own, and the policy changes colours",
    },
}


def _explain_loss(policy: Augmentation, question: str) -> str:
    kinds = {
        "flip": policy.flip is not None,
        "light": policy.brightness or policy.contrast or policy.rand_augment,
        "colour": policy.hue or policy.saturation or policy.grayscale or policy.rand_augment,
    }
    for kind, used in kinds.items():
        if used and question in _LOST[kind]:
            return f"{_LOST[kind][question]}."
    return (
        "It does not touch what is asked for directly, so it may just be too strong for so few "
        "photos and so small a head: try less of it."
    )


def _judge_policies(policies, measured) -> str | None:
    if not isinstance(policies, Mapping):
        raise Misread(f"Expected a dict from question to policy, received {quote(policies)}.")
    missing = [question for question in TASKS if question not in policies]
    if missing:
        return f"There is no policy for {', '.join(missing)} yet."
    for question in TASKS:
        policy = policies[question]
        if not isinstance(policy, Augmentation):
            raise Misread(
                f"Expected a `cu.Augmentation` for {question}, received {quote(policy)}. Write for "
                "example `cu.Augmentation(contrast=0.3)`."
            )
    for question in TASKS:
        transform = probes.read_transformation(policies[question])
        batch = np.repeat(probes.make_full_range(), 4, axis=0)
        change = np.abs(probes.run(transform, batch, training=True) - batch).mean()
        if change < SEES_NOTHING:
            return (
                f"The policy for {question} leaves photos as good as unchanged. Declare at least "
                "one thing that does not matter."
            )
    kept = measured.attrs.get("settings", {}) if isinstance(measured, pd.DataFrame) else {}
    if kept != {name: policies[name].to_json() for name in TASKS}:
        return "These are not the policies that were measured. Run the measuring cell again."
    for question in TASKS:
        row = measured.loc[question]
        if np.isnan(row["with"]):
            return (
                f"Under the policy for {question} every head died: nothing was left to be learned. "
                f"{_explain_loss(policies[question], question)}"
            )
        if row["with"] < row["without"] - MARGIN:
            return (
                f"For {question} the policy costs accuracy: {row['without']:.2f} without, "
                f"{row['with']:.2f} with it. {_explain_loss(policies[question], question)}"
            )
    return None


Q1 = Question(
    name="q1",
    title="A policy for each question",
    aim="choose for each task what may vary, and bear it out by measured accuracy",
    lesson="04",
    judge=_judge_policies,
    praise="Each policy declares something irrelevant, and none lost more than three points of "
    "accuracy. The same pictures, four tasks: no policy is good or bad by itself.",
    hints=(
        "Say for each question what may change without changing the answer.",
        "Heading must not be mirrored; light and paint had better keep their light and colours.",
        "A flip for type, light and paint; for heading a change of colours.",
    ),
    explanation="A flip keeps type, light and paint, and destroys heading. Changing light is "
    "harmless for heading, and takes away what light and paint are told by, at least when it is "
    "strong. Turning and zooming keep every one of the answers, and still cost accuracy here when "
    "strong: what is admissible need not help. So the measurement decides, within its noise of "
    "about three points.",
    code="""policies = {
    "type": cu.Augmentation(flip="horizontal"),
    "heading": cu.Augmentation(hue=180, saturation=0.4),
    "light": cu.Augmentation(flip="horizontal"),
    "paint": cu.Augmentation(flip="horizontal"),
}""",
    misconceptions=("flip is always safe", "stronger is better"),
    context=("measured",),
)


# --- the published table ---------------------------------------------------------------------


def _load_table() -> pd.DataFrame:
    path = settings.data_dir() / "results" / "exercise-policies.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the published runs in {path}, found no such file. Get it with the course's "
            "repository, or run benchmarks/exercise_policies.py."
        )
    return pd.read_csv(path, comment="#")


def load_select() -> pd.DataFrame:
    """Returns the published runs, measured on the half of the valid pictures to choose by.

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

COMPARED = ("paint", "colour", "none")
SAYS = ("better", "worse", "cannot tell")


def compute_interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Returns the mean of paired differences and both ends of its 95 % interval (Student's t)."""
    from scipy import stats

    mean, error = np.mean(differences), stats.sem(differences)
    reach = error * stats.t.ppf(0.975, len(differences) - 1)
    return float(mean), float(mean - reach), float(mean + reach)


def _judge_interval(mean, low, high, says) -> str | None:
    given = [
        read_number(each, name) for each, name in ((mean, "mean"), (low, "low"), (high, "high"))
    ]
    verdict = read_choice(says, SAYS, "says")
    if max(map(abs, given)) > 1:
        raise Misread("Expected shares from -1 to 1, such as 0.012 for 1.2 points; divide by 100.")
    if given[1] > given[2]:
        return "The low end lies above the high end: swap the two."
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
        return f"The sign is turned round: {policy} minus {rival} was asked for."
    if abs(given[0] - with_dead) < 0.002 < abs(true - with_dead):
        return (
            "Dead heads are among your runs. They answer one class whatever the policy; leave out "
            "each seed of which either head died."
        )
    if abs(given[0] - true) > 0.003:
        return f"A mean difference of {given[0]:+.3f} is not that of the pairs that live."
    if not given[1] <= given[0] <= given[2]:
        return "The mean does not lie within your interval: is it an interval of differences?"
    # Student's t, the normal's 1.96, two standard errors and a bootstrap all lie near.
    if not 0.75 * reach < found < 1.25 * reach:
        spread = np.std(differences, ddof=1)
        if found > 1.5 * reach and abs(found / spread - 2) < 0.4:
            return (
                "Your interval spans where single runs fall: that is the standard deviation. How "
                "sure the mean is, the standard error tells, smaller by √n."
            )
        if found < 0.75 * reach:
            return "Your interval is too narrow for 95 %: about two standard errors either way."
        return "Your interval is too wide for 95 %: about two standard errors either way."
    expected = SAYS[2] if true_low < 0 < true_high else SAYS[0] if true > 0 else SAYS[1]
    if verdict != expected:
        return f"The interval is right, and says something else than `{verdict}`. Where does 0 lie?"
    return None


Q2 = Question(
    name="q2",
    title="Read an interval",
    aim="compute a paired difference with its interval, and say no more than it says",
    lesson="05",
    judge=_judge_interval,
    praise="The interval is about other starts of the head, on these very photos. Another draw of "
    "photos could move it as a whole.",
    hints=(
        '`runs.pivot(index="seed", columns="policy", values="accuracy")` after leaving out '
        "dead heads puts the two side by side.",
        "Standard error: `differences.std(ddof=1) / len(differences) ** 0.5`.",
        "The mean, and about 2.2 standard errors either way. If 0 lies inside, nobody can tell.",
    ),
    explanation="Both policies share the seed, so a run with one is paired with a run with the "
    "other, and the differences vary less than the runs. The interval of their mean is two "
    "standard errors either way, a little more with Student's t. With 0 inside, these runs cannot "
    "tell which is better; that is not to say that they are equal. With the dead heads left in, "
    "colour would seem three points better: three of `none`'s heads died, and no more than that.",
    code="""living = runs[(runs["question"] == "paint") & ~runs["dead_head"]]
pairs = living.pivot(index="seed", columns="policy", values="accuracy")
differences = (pairs["colour"] - pairs["none"]).dropna()
mean = differences.mean()
reach = 2.2 * differences.std(ddof=1) / len(differences) ** 0.5
low, high = mean - reach, mean + reach
says = "cannot tell" if low < 0 < high else "better" if mean > 0 else "worse\"""",
    misconceptions=("one run proves",),
)


# --- q3: three bets --------------------------------------------------------------------------

KNOWS_NOTHING = 0.25  # the score of someone who says 0.5 each time


def settle_bet(question: str, policy: str) -> bool:
    """Whether a policy's mean accuracy over living heads beat flip's on the sealed pictures."""
    table = _load_table()
    alive = table[(table["question"] == question) & ~table["dead_head"]]
    means = alive.groupby("policy")["sealed"].mean()
    return bool(means[policy] > means["flip"])


def score_bets(bets) -> pd.DataFrame:
    """Returns the bets beside what the sealed pictures say.

    Args:
        bets: Triples of a question, a policy of the published table, and how sure one is, from 0
            to 1, that it beats flip.

    Returns:
        A DataFrame, one row a bet: `question`, `policy`, `sure`, `won` and `score`, the square of
        how far off the sureness was (Brier): 0 at best, 1 at worst; empty for blank bets.
    """
    columns = ["question", "policy", "sure", "won", "score"]
    if not isinstance(bets, list | tuple) or count_blanks(bets)[0]:
        return pd.DataFrame(columns=columns)
    rows = []
    for question, policy, sure in _read_bets(bets):
        won = settle_bet(question, policy)
        rows.append((question, policy, sure, won, (sure - won) ** 2))
    return pd.DataFrame(rows, columns=columns)


def _read_bets(bets) -> list[tuple[str, str, float]]:
    if not isinstance(bets, list | tuple):
        raise Misread(f"Expected a list of three bets, received {quote(bets)}.")
    if any(not isinstance(bet, list | tuple) or len(bet) != 3 for bet in bets):
        raise Misread('Expected each bet as ("paint", "light", 0.7), received ' + quote(bets) + ".")
    read = []
    for question, policy, sure in bets:
        named = read_choice(question, tuple(TASKS), "a question")
        chosen = read_choice(policy, tuple(POLICIES), "a policy")
        share = read_number(sure, "how sure you are")
        if not 0 <= share <= 1:
            raise Misread(
                f"Expected how sure you are from 0 to 1, received {share:g}. Write 0.7 for 70 %."
            )
        read.append((named, chosen, share))
    return read


def _judge_bets(bets) -> str | None:
    read = _read_bets(bets)
    if len(read) != 3:
        return f"Three bets are asked for; these are {len(read)}."
    if any(policy == "flip" for _, policy, _ in read):
        return "Flip cannot beat itself. Choose another policy."
    if len({question for question, _, _ in read}) < 3:
        return "Bet on three different questions: one kind of luck is to count once only."
    sureness = [sure for _, _, sure in read]
    if all(sure == 0.5 for sure in sureness):
        return (
            "Half sure of everything: that is a score of 0.25 without looking at a number. Where "
            "does the select half speak clearly?"
        )
    scores = score_bets(bets)
    worst = scores.loc[scores["score"].idxmax()]
    if scores["score"].mean() >= KNOWS_NOTHING:
        how = "beat flip" if worst["won"] else "did not beat flip"
        if worst["sure"] in (0.0, 1.0):
            return (
                f"All or nothing, and lost: for {worst['question']} on the sealed pictures "
                f"{worst['policy']} {how}. Nothing in a table of runs makes one quite certain."
            )
        return (
            f"On the sealed pictures {worst['policy']} {how} for {worst['question']}. Your mean "
            f"score of {scores['score'].mean():.2f} is no better than the 0.25 of knowing nothing."
        )
    return None


Q3 = Question(
    name="q3",
    title="Three bets",
    aim="say how sure one is, and be scored on photos that played no part in choosing",
    lesson="05",
    judge=_judge_bets,
    praise="Your sureness scored better than knowing nothing, on photos that you did not choose "
    "by. `score_bets(bets)` shows each bet.",
    hints=(
        "Look at the means of the select half. A bet against a policy is one too: 0.1 says that "
        "it hardly beats flip.",
        "How far is the difference from 0, in standard errors? Near 0, stay near 0.5.",
        "For heading, anything but a flip beats it, nearly for certain.",
    ),
    explanation="Flip destroys heading, so nearly any other policy beats it there. For type and "
    "paint flip is ahead on the select half; a policy that is behind by many standard errors "
    "deserves a low sureness, one that is nearly level something near a half. The score is the "
    "square of how far off you were: it rewards saying what you know, and punishes bluster.",
    code="""bets = [
    ("heading", "colour", 0.97),
    ("type", "camera", 0.05),
    ("light", "flip and camera", 0.05),
]""",
    misconceptions=("one run proves",),
)


# --- q4: the policy card ---------------------------------------------------------------------

FIELDS = ("task", "policy", "ignores", "breaks", "bias that stays", "measured")
FEWEST_WORDS = 4


def _judge_card(card) -> str | None:
    if not isinstance(card, Mapping):
        raise Misread(f"Expected a dict with {', '.join(FIELDS)}, received {quote(card)}.")
    missing = [field for field in FIELDS if field not in card]
    if missing:
        return f"The card says nothing about: {', '.join(missing)}."
    policy = card["policy"]
    if not isinstance(policy, Augmentation):
        raise Misread(f"Expected a `cu.Augmentation` as policy, received {quote(policy)}.")
    if not policy.active:
        return "The card's policy changes nothing. Write one for a policy that does something."
    texts = {field: card[field] for field in FIELDS if field != "policy"}
    for field, text in texts.items():
        if not isinstance(text, str):
            raise Misread(f"Expected words for `{field}`, received {quote(text)}.")
        if len(set(text.casefold().split())) < FEWEST_WORDS:
            return f"`{field}` says too little: write a sentence that someone else could use."
    if len({text.strip().casefold() for text in texts.values()}) < len(texts):
        return "Two fields say the same. Each asks for something else."
    task = texts["task"].casefold()
    asks_direction = any(
        word in task for word in ("facing", "faces", "heading", "direction", "left or right")
    )
    if asks_direction and policy.flip in ("horizontal", "horizontal_and_vertical"):
        return "The task asks for a direction, and the policy mirrors: it destroys the answer."
    if not any(character.isdigit() for character in texts["measured"]):
        return "`measured` has no number. What came out, over how many runs?"
    return None


def plot_policy_card(card: Mapping, photo: np.ndarray):
    """Shows a policy card: one photo, eight views of it, and the card's words.

    Args:
        card: As question 4 asks for it.
        photo: float32 in [0, 1], shape (height, width, 3).

    Returns:
        A figure with its alt text; `None` while the card is not finished.
    """
    from course_utils.figures import plot_photos

    if not isinstance(card, Mapping) or not isinstance(card.get("policy"), Augmentation):
        return None
    transform = probes.read_transformation(card["policy"])
    views = probes.run(transform, np.repeat(photo[None], 7, axis=0), training=True)
    captions = ["the photo", *[f"view {number}" for number in range(1, 8)]]
    fig = plot_photos(
        np.concatenate([photo[None], views]), captions, columns=4, title="My policy card"
    )
    words = [f"{field}: {card[field]}" for field in FIELDS if field != "policy" and field in card]
    words.insert(1, card["policy"].describe())
    fig.alt_text = " ".join(["My policy card.", *words])
    fig.set_size_inches(6.4, 5.0)
    fig.supxlabel("\n".join(_wrap(line) for line in words), fontsize=8, x=0.02, ha="left")
    return fig


def _wrap(line: str) -> str:
    import textwrap

    return textwrap.fill(line, 105, subsequent_indent="    ")


Q4 = Question(
    name="q4",
    title="A policy card",
    aim="write down a policy so that others can use it: what for, what it breaks, what it leaves",
    lesson="04",
    judge=_judge_card,
    praise="The card is complete. Whether it is true, no check can say: give it to someone who "
    "knows the photos.",
    hints=(
        "`breaks` is a task or a photo for which the policy would be wrong.",
        "`bias that stays` is something that train photos may be one-sided about and that this "
        "policy does not vary.",
        "`measured` holds numbers: an accuracy with and without, over how many runs.",
    ),
    explanation="A policy is a statement about a task, so the card names the task first. What it "
    "ignores and what it breaks are two sides of one thing. The bias that stays keeps others from "
    "believing that augmentation cures everything: a flip does nothing against trucks that always "
    "stand before trees.",
    code="""card = {
    "task": "Is the vehicle a car or a truck?",
    "policy": cu.Augmentation(flip="horizontal"),
    "ignores": "which way the vehicle is turned",
    "breaks": "reading a number plate, or asking which way it drives",
    "bias that stays": "trucks photographed before trees, cars before buildings",
    "measured": "accuracy 0.90 with and 0.86 without, means of 13 to 15 living heads",
}""",
    misconceptions=("cures any bias",),
)

q1, q2, q3, q4 = QUESTIONS = (Q1, Q2, Q3, Q4)
