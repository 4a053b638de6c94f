"""The numbers of each profile."""

from dataclasses import dataclass

from course_utils.core.checks import check_choice


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The numbers of one profile.

    Args:
        profile: `"quick"` or `"full"`.
        train_photos: How many training photos to use; `None` means all.
        valid_photos: How many validation photos to use; `None` means all.
        synthetic_train_photos: How many training photos the synthetic dataset has.
        synthetic_valid_photos: How many validation photos the synthetic dataset has.
        views: How many augmented versions of each training photo are stored, when training runs
            on stored features.
        batch_size: Photos per training step.
        epochs: How often training uses each training photo.
        image_size: (height, width) in pixels.
        seed: The lessons' seed, the same as in Kaggle's lesson.
    """

    profile: str
    train_photos: int | None
    valid_photos: int | None
    synthetic_train_photos: int
    synthetic_valid_photos: int
    views: int
    batch_size: int
    epochs: int = 30
    image_size: tuple[int, int] = (128, 128)
    seed: int = 31415


PROFILES = {
    # 300 + 200 clean photos and 300 × 3 augmented ones go through the base: minutes on a CPU.
    "quick": Settings(
        profile="quick",
        train_photos=300,
        valid_photos=200,
        synthetic_train_photos=300,
        synthetic_valid_photos=200,
        views=3,
        # Smaller batches, so that few photos still give many training steps.
        batch_size=16,
    ),
    "full": Settings(
        profile="full",
        train_photos=None,
        valid_photos=None,
        synthetic_train_photos=4000,
        synthetic_valid_photos=2000,
        # No measurable difference from 30 views: data/results/views-differences-….csv.
        views=8,
        batch_size=64,
    ),
}


def load_settings(profile: str) -> Settings:
    """Returns the settings of a profile.

    Args:
        profile: `"quick"` or `"full"`.

    Raises:
        ValueError: If there is no such profile.
    """
    hint = (
        "Correct the notebook's profile, or the environment variable COURSE_PROFILE if it is set; "
        "start_lesson also takes 'auto'."
    )
    return PROFILES[check_choice("profile", profile, PROFILES, hint)]
