"""Ten beliefs about augmentation that do not hold, and the short test made from them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Misconception:
    """One belief that does not hold.

    Args:
        key: The name that questions refer to it by.
        stem: The test's question.
        right: The answer that holds.
        belief: The answer of someone who has the misconception.
        third: Another answer that does not hold.
        why: What is wrong with the belief.
    """

    key: str
    stem: str
    right: str
    belief: str
    third: str
    why: str


MISCONCEPTIONS = {
    each.key: each
    for each in (
        Misconception(
            "copies equal new data",
            "You have 500 photos and could either collect 500 more, or mirror those you have. "
            "For a model that is to meet new vehicles:",
            "new photos bring vehicles that the model has not seen; mirrored ones do not",
            "the two are worth the same, as both give 1,000 photos",
            "mirrored photos are worth more, since their labels are certain",
            "A transformed copy shows the same vehicle. It teaches what may be ignored; new photos "
            "also show what else there is.",
        ),
        Misconception(
            "made once",
            "A `RandomFlip` layer stands in a model that trains for 30 epochs. A photo is:",
            "mirrored or not, decided again each time it is used",
            "mirrored or not once, before training, and stays so",
            "used twice an epoch, once as it is and once mirrored",
            "Online augmentation samples again at every use.",
        ),
        Misconception(
            "predict augments too",
            "The model with `RandomFlip` inside is asked by `model.predict` about a photo. The "
            "layer:",
            "hands the photo on as it is",
            "mirrors it half of the time, as in training",
            "mirrors it and takes the mean of both predictions",
            "Keras's random layers act only with `training=True`, which `fit` says and `predict` "
            "does not.",
        ),
        Misconception(
            "smaller gap is better",
            "With augmentation the gap between valid and train loss has halved; the valid loss is "
            "the same. The model has become:",
            "no better on new photos, as far as this shows",
            "better, since it overfits less",
            "worse, since it learns less",
            "A gap also shrinks when only the train loss rises; a model that knows nothing has "
            "none.",
        ),
        Misconception(
            "higher train loss is harm",
            "With augmentation the loss on clean train photos ends higher than without. This is:",
            "to be expected: changing photos are harder to memorize",
            "a sign that the augmentation harms, and should be taken out",
            "a sign that the learning rate is too small",
            "Knowing the train photos memorized is not what the model is for; valid decides.",
        ),
        Misconception(
            "stronger is better",
            "Rotation by up to 10° has helped. Rotation by up to 90° will:",
            "have to be measured; it may well harm",
            "help more, since the photos vary more",
            "do the same, since it is the same transformation",
            "Beyond what a camera takes, photos become ones that the model will never be asked "
            "about, and some lose what tells their class.",
        ),
        Misconception(
            "flip is always safe",
            "Mirroring left to right keeps the label:",
            "in some tasks: it depends on what is asked",
            "in every task, since the thing itself stays what it is",
            "in no task, since the photo is another one",
            "Ask which way a vehicle faces, or read a letter, and the mirror image has another "
            "label.",
        ),
        Misconception(
            "cures any bias",
            "In your train photos all trucks stand before trees. A strong augmentation of flip, "
            "contrast and rotation will:",
            "leave this bias: none of the three makes the trees mean less",
            "cure it, since the photos become more varied",
            "turn it round, so that cars go with trees",
            "An augmentation closes the weakness that it names, and no other.",
        ),
        Misconception(
            "one run proves",
            "One run with augmentation reached 0.88, one without 0.87. So augmentation:",
            "may or may not have helped: the next seed could turn this round",
            "helped, by one point",
            "did not help, since one point is too little to matter",
            "Two runs of the same policy differ as well. Several seeds, paired, give an interval.",
        ),
        Misconception(
            "augment then split",
            "To have more photos you add mirrored copies. The valid photos are split off:",
            "before that, and only train is mirrored",
            "after that, so that both piles are varied",
            "before or after, as long as the split is random",
            "Else a photo stands in train and its mirror image in valid: the model has seen it.",
        ),
    )
}


def write_test(*, answers: bool = False, seed: int = 1) -> str:
    """Returns the test as Markdown: ten questions with three answers each.

    Args:
        answers: Whether each question is followed by its answer and what the belief misses.
        seed: Of the order of questions and answers: one for before, another for after.
    """
    random = np.random.default_rng(seed)
    parts = ["# What does augmentation do?\n"]
    listed = list(MISCONCEPTIONS.values())
    for number, place in enumerate(random.permutation(len(listed)), start=1):
        asked = listed[place]
        options = [asked.right, asked.belief, asked.third]
        order = random.permutation(3)
        lines = [f"{letter}. {options[each]}" for letter, each in zip("abc", order, strict=True)]
        parts.append(f"**{number}.** {asked.stem}\n\n" + "\n".join(f"- {line}" for line in lines))
        if answers:
            letter = "abc"[list(order).index(0)]
            believed = "abc"[list(order).index(1)]
            parts.append(
                f"*Answer {letter}.* Who says {believed} believes: {asked.key}. {asked.why}"
            )
    return "\n\n".join(parts)
