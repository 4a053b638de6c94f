"""What the lessons of the course on data augmentation call.

Importing this package imports neither TensorFlow nor Keras: each name below is loaded when it is
first used.
"""

import importlib

# Each name and the module that it is in, by role.
_EXPORTS = {
    # The lesson and the student's guesses.
    "set_seed": "core.backend",
    "start_lesson": "core.backend",
    "check_environment": "lessons.doctor",
    "bet": "lessons.guesses",
    "guess": "lessons.guesses",
    "reveal": "lessons.guesses",
    "score_bet": "lessons.guesses",
    "describe_claims": "lessons.claims",
    "load_claim": "lessons.claims",
    "describe_fine_tuning": "lessons.fine_tuning",
    "describe_tricks": "lessons.tricks",
    "load_results": "lessons.published",
    # Photos.
    "load_car_or_truck": "data.dataset",
    "splits_from_arrays": "data.dataset",
    "prepare_photos": "data.ready",
    "make_synthetic_vehicles": "data.synthetic.dataset",
    "redraw_vehicles": "data.synthetic.dataset",
    "find_vehicles": "data.synthetic.dataset",
    "PerClass": "data.synthetic.parameters",
    # Augmentation.
    "AugmentationExplorer": "augmentation.explorer.widget",
    "Augmentation": "augmentation.policy",
    # Models and training.
    "build_classifier": "models.classifier",
    "load_vgg16_base": "models.vgg16",
    "fit": "training.fit",
    "predict": "training.predict",
    "train": "training.train",
    # Comparing policies.
    "compare": "evaluation.compare",
    "find_equivalent_photos": "evaluation.equivalent_photos",
    "evaluate_affinity": "evaluation.affinity",
    "evaluate_reliability": "evaluation.calibration",
    "evaluate_robustness": "evaluation.robustness",
    "evaluate_subgroups": "evaluation.subgroups",
    "grad_cam": "evaluation.grad_cam",
    "predict_views": "evaluation.averaging",
    # Figures.
    "plot_confusion": "figures.comparisons",
    "plot_differences": "figures.comparisons",
    "plot_pairs": "figures.comparisons",
    "plot_subgroups": "figures.comparisons",
    "plot_curves": "figures.curves",
    "plot_photo_counts": "figures.curves",
    "plot_seed_bands": "figures.curves",
    "plot_classes": "figures.photos",
    "plot_epochs": "figures.photos",
    "plot_photos": "figures.photos",
    "plot_policies": "figures.photos",
    "plot_views": "figures.photos",
    "plot_draws": "figures.pipelines",
    "plot_pipelines": "figures.pipelines",
    "plot_reliability": "figures.reliability",
    "plot_equivalent_photos": "figures.trends",
    "plot_robustness": "figures.trends",
    "plot_views_needed": "figures.trends",
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
