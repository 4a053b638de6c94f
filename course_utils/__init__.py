"""What the lessons of the course on data augmentation call.

Importing this package imports neither TensorFlow nor Keras: each name below is loaded when it is
first used.
"""

import importlib

# Name → the module it lives in.
_EXPORTS = {
    "Augmentation": "augmentation.policy",
    "AugmentationExplorer": "augmentation.explorer.widget",
    "PerClass": "data.synthetic.parameters",
    "bet": "lessons.guesses",
    "build_classifier": "models.classifier",
    "splits_from_arrays": "data.dataset",
    "compare": "evaluation.compare",
    "make_synthetic_vehicles": "data.synthetic.dataset",
    "check_environment": "lessons.doctor",
    "find_equivalent_photos": "evaluation.equivalent_photos",
    "load_car_or_truck": "data.dataset",
    "load_vgg16_base": "models.vgg16",
    "evaluate_subgroups": "evaluation.subgroups",
    "evaluate_robustness": "evaluation.robustness",
    "fit": "training.fit",
    "plot_classes": "figures.photos",
    "plot_confusion": "figures.comparisons",
    "plot_curves": "figures.curves",
    "plot_differences": "figures.comparisons",
    "plot_draws": "figures.pipelines",
    "plot_epochs": "figures.photos",
    "plot_subgroups": "figures.comparisons",
    "plot_pairs": "figures.comparisons",
    "plot_photo_counts": "figures.curves",
    "plot_equivalent_photos": "figures.trends",
    "plot_photos": "figures.photos",
    "plot_pipelines": "figures.pipelines",
    "plot_policies": "figures.photos",
    "plot_seed_bands": "figures.curves",
    "plot_robustness": "figures.trends",
    "plot_views": "figures.photos",
    "plot_views_needed": "figures.trends",
    "guess": "lessons.guesses",
    "prepare_photos": "data.ready",
    "load_results": "lessons.published",
    "set_seed": "core.backend",
    "score_bet": "lessons.guesses",
    "reveal": "lessons.guesses",
    "start_lesson": "core.backend",
    "train": "training.train",
}
__all__ = sorted(_EXPORTS)


def __getattr__(name: str):
    if name not in _EXPORTS:
        raise AttributeError(
            f"module 'course_utils' has no attribute {name!r}; it offers {', '.join(__all__)}"
        )
    return getattr(importlib.import_module(f"course_utils.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
