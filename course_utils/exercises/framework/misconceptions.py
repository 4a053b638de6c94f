"""Ten beliefs about augmentation that do not hold, and two parallel tests made from them.

Each belief has two items: one for the test before the course, one for the test after it. Both ask
for the same idea in another situation, so that nobody can remember the first test's letter.
"""

from dataclasses import dataclass

FORMS = ("before", "after")
LETTERS = "abc"


@dataclass(frozen=True)
class Item:
    """One question of a test.

    Args:
        stem: The question.
        right: The option that holds.
        belief: The option of someone who has the misconception.
        third: Another option that does not hold.
    """

    stem: str
    right: str
    belief: str
    third: str


@dataclass(frozen=True)
class Misconception:
    """One belief that does not hold.

    Args:
        key: The name that questions refer to it by.
        before: Its item in the test before the course.
        after: Its item in the test after the course.
        why: What is wrong with the belief.
    """

    key: str
    before: Item
    after: Item
    why: str


MISCONCEPTIONS = {
    each.key: each
    for each in (
        Misconception(
            "copies equal new data",
            Item(
                "You have 500 photos of vehicles. You can collect 500 more, or mirror those that "
                "you have. Which helps a model more with vehicles that it has never seen?",
                "collecting, since only new photos show new vehicles",
                "both help as much, since either way it gets 1,000 photos",
                "mirroring, since the labels of the copies are certain",
            ),
            Item(
                "Team A trains on 200 photos, each in five changed copies. Team B trains on 1,000 "
                "different photos. Which team has shown its model more vehicles?",
                "team B, since copies show the same vehicles again",
                "neither, since both trained on 1,000 different images",
                "team A, since changed copies are harder to recognize",
            ),
            "A transformed copy shows the same vehicle. It teaches what may be ignored; new photos "
            "also show what else there is.",
        ),
        Misconception(
            "made once",
            Item(
                "A model with a `RandomFlip` layer trains for 30 epochs. A photo is:",
                "mirrored or not by a new draw at each use",
                "mirrored or not by one draw, made before training",
                "used twice in each epoch, once as it is and once mirrored",
            ),
            Item(
                "A model with `RandomContrast` sees a photo in epoch 1 and again in epoch 2. The "
                "contrast in epoch 2 is:",
                "drawn again, so most likely another one",
                "the one of epoch 1, since the layer keeps its draw",
                "that of the photo, since a photo is changed only once",
            ),
            "Online augmentation makes a new random draw at every use.",
        ),
        Misconception(
            "predict augments too",
            Item(
                "You call `model.predict` on a photo. The model has a `RandomFlip` layer inside. "
                "The layer:",
                "passes the photo on as it is",
                "mirrors it half of the time, as it does in training",
                "mirrors it and averages the two probabilities",
            ),
            Item(
                "You call `model.evaluate` twice on the same photos. The model has a "
                "`RandomRotation` layer inside. The two losses are:",
                "the same, since only training augments",
                "different, since the layer turns the photos again",
                "different, since the model has learned in between",
            ),
            "Keras's random layers act only with `training=True`, which `fit` passes and `predict` "
            "does not.",
        ),
        Misconception(
            "smaller gap is better",
            Item(
                "With augmentation the gap between validation and training loss is half as large; "
                "the validation loss is the same. On new photos, the model is:",
                "no better, as far as this shows",
                "better, since it overfits less than it did",
                "worse, since it has learned less than it did",
            ),
            Item(
                "Policy P ends with a gap of 0.05 and a validation loss of 0.40, policy Q with a "
                "gap of 0.15 and a validation loss of 0.33. On new photos, which is better?",
                "Q, by its validation loss",
                "P, since a smaller gap means less overfitting",
                "neither, since loss and gap make up for each other",
            ),
            "A gap also shrinks when only the training loss rises; a model that knows nothing has "
            "none.",
        ),
        Misconception(
            "higher train loss is harm",
            Item(
                "With augmentation the loss on clean training photos ends higher than without. "
                "This is:",
                "expected: changing photos are harder to memorize",
                "a sign of harm: the augmentation should be taken out again",
                "a sign that the learning rate of the model is too small",
            ),
            Item(
                "You add a flip. The training loss rises from 0.10 to 0.16, the validation loss "
                "falls from 0.36 to 0.32. You should:",
                "keep the flip, as the validation loss says",
                "drop the flip, since the model fits its photos less well",
                "train longer, until the training loss is 0.10 again",
            ),
            "The model's purpose is not to memorize its training photos; the validation loss "
            "decides.",
        ),
        Misconception(
            "stronger is better",
            Item(
                "Rotation by up to 10° has helped. Rotation by up to 90° will:",
                "have to be measured; it may harm",
                "help more, since the photos vary more",
                "help as much, since it is still rotation",
            ),
            Item(
                "A little zoom has helped. A colleague wants to set every slider to its maximum. "
                "You expect that this:",
                "may well harm, and has to be measured",
                "helps more, since the model sees more variety",
                "changes nothing, since the photos stay the same",
            ),
            "Beyond what a camera takes, photos become ones that the model will never be asked "
            "about, and some lose what shows their class.",
        ),
        Misconception(
            "flip is always safe",
            Item(
                "Mirroring a photo left to right keeps its label:",
                "in some tasks; it depends on the question",
                "in every task, since the object stays what it is",
                "in no task, since the mirrored photo is another one",
            ),
            Item(
                "A model should say whether a hand in a photo is a left or a right one. A random "
                "horizontal flip in training is:",
                "wrong, since it swaps the labels",
                "safe, since a mirrored hand is still a hand",
                "needed, since hands are seen from both sides",
            ),
            "Ask which way a vehicle faces, or read a letter, and the mirror image has another "
            "label.",
        ),
        Misconception(
            "cures any bias",
            Item(
                "In your training photos all trucks stand before trees. You train with a strong "
                "augmentation of flip, contrast and rotation. The bias:",
                "stays, since none of these hides the trees",
                "goes away, since the photos become more varied",
                "turns round, so that now cars go with the trees",
            ),
            Item(
                "All cars were photographed at noon, all trucks at dusk. Which augmentation makes "
                "the model look less at the light?",
                "one that varies brightness and color",
                "any strong one, since variety cures a one-sided dataset",
                "a flip, since it doubles the photos of either kind",
            ),
            "An augmentation closes the weakness that it varies, and no other.",
        ),
        Misconception(
            "one run proves",
            Item(
                "One run with augmentation reached an accuracy of 0.88, one run without reached "
                "0.87. The augmentation:",
                "may have helped or not: another seed could differ",
                "has helped, by one percentage point of accuracy",
                "has not helped, since one percentage point is too little",
            ),
            Item(
                "You train the same model twice, with two seeds, and get accuracies of 0.86 and "
                "0.88. This shows that:",
                "runs differ by chance alone",
                "the second seed is the better one for this task",
                "something went wrong, since equal runs must agree",
            ),
            "Two runs of the same policy differ as well. Several seeds, paired, give an interval.",
        ),
        Misconception(
            "augment then split",
            Item(
                "To have more photos you add mirrored copies. When do you split off the validation "
                "photos?",
                "before, and you mirror training photos only",
                "after, so that both parts become more varied",
                "before or after, if the split itself is random",
            ),
            Item(
                "A dataset on the web already contains five rotated copies of each photo, all "
                "mixed. You split it at random. The validation accuracy will be:",
                "too high, since copies are on both sides",
                "trustworthy, since the split is random",
                "too low, since rotated photos are harder",
            ),
            "Otherwise a photo may be in train and its mirror image in valid: the model has seen "
            "it.",
        ),
    )
}

# Which letter is right, and which is the belief's, item by item: each letter three or four times.
KEYS = {
    "before": (list("bcabacbacb"), list("abbabaccac")),
    "after": (list("cabacbabca"), list("bccbaaccab")),
}
ORDER = {"before": (3, 0, 7, 1, 9, 5, 2, 8, 4, 6), "after": (6, 2, 9, 4, 0, 8, 5, 1, 7, 3)}


@dataclass(frozen=True)
class Asked:
    """An item at its place in a test.

    Args:
        key: The misconception.
        item: The question.
        options: What a, b and c say.
        right: The letter that is right.
        believed: The letter of the misconception.
    """

    key: str
    item: Item
    options: tuple[str, str, str]
    right: str
    believed: str


def list_items(form: str) -> list[Asked]:
    """Returns the ten questions of a test, in order.

    Args:
        form: `"before"` or `"after"`.

    Example:
        >>> [asked.right for asked in list_items("before")]
        ['b', 'c', 'a', 'b', 'a', 'c', 'b', 'a', 'c', 'b']
    """
    listed = list(MISCONCEPTIONS.values())
    asked = []
    for place, right, believed in zip(ORDER[form], *KEYS[form], strict=True):
        item = getattr(listed[place], form)
        third = next(letter for letter in LETTERS if letter not in (right, believed))
        by_letter = {right: item.right, believed: item.belief, third: item.third}
        options = tuple(by_letter[letter] for letter in LETTERS)
        asked.append(Asked(listed[place].key, item, options, right, believed))
    return asked


def write_test(*, form: str = "before", answers: bool = False) -> str:
    """Returns a test as Markdown: ten questions with three options each.

    Args:
        form: `"before"` or `"after"`.
        answers: Whether each question is followed by its answer and what the belief misses.
    """
    parts = ["# What does augmentation do?\n"]
    for number, asked in enumerate(list_items(form), start=1):
        lines = [f"- {letter}. {text}" for letter, text in zip(LETTERS, asked.options, strict=True)]
        parts.append(f"**{number}.** {asked.item.stem}\n\n" + "\n".join(lines))
        if answers:
            parts.append(
                f"*Answer {asked.right}.* Anyone who says {asked.believed} believes: {asked.key}. "
                f"{MISCONCEPTIONS[asked.key].why}"
            )
    return "\n\n".join(parts)


def write_sheet(form: str) -> str:
    """Returns an answer sheet to print, as Markdown.

    Args:
        form: `"before"` or `"after"`.
    """
    rows = [f"| {number} | ○ | ○ | ○ |" for number in range(1, len(MISCONCEPTIONS) + 1)]
    return "\n".join(
        [
            f"# Answer sheet: {form} the course",
            "",
            "Write the same code name on both sheets, for example the last three digits of your "
            "phone number and your favorite color. It is needed to compare the two, and nobody has "
            "to know whose it is.",
            "",
            "Code name: ______________________",
            "",
            "Fill in one circle in each row. If you do not know, leave the row empty.",
            "",
            "| question | a | b | c |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )
