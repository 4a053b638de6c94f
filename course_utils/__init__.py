"""What the lessons of the course on data augmentation call.

Importing this package imports neither TensorFlow nor Keras: each name below is loaded when it is
first used.
"""

import importlib

# Name → the module it lives in.
_EXPORTS = {
    "Augmentation": "augmentation",
    "AugmentationExplorer": "explorer",
    "ByClass": "vehicles",
    "bet": "predictions",
    "build_classifier": "model",
    "build_splits": "data",
    "compare": "comparison",
    "draw_vehicles": "vehicles",
    "examine_machine": "doctor",
    "find_worth": "photo_worth",
    "load_car_or_truck": "data",
    "load_vgg16_base": "weights",
    "measure_groups": "groups",
    "measure_sensitivity": "sensitivity",
    "plot_classes": "figures",
    "plot_confusion": "figures",
    "plot_curves": "figures",
    "plot_differences": "comparison_figures",
    "plot_draws": "figures",
    "plot_epochs": "figures",
    "plot_groups": "comparison_figures",
    "plot_pairs": "comparison_figures",
    "plot_photo_counts": "figures",
    "plot_photo_worth": "comparison_figures",
    "plot_photos": "figures",
    "plot_places": "figures",
    "plot_policies": "figures",
    "plot_seed_bands": "figures",
    "plot_sensitivity": "comparison_figures",
    "plot_views": "figures",
    "plot_views_needed": "comparison_figures",
    "predict": "predictions",
    "read_published": "results",
    "set_seed": "runtime",
    "settle_bet": "predictions",
    "show_prediction": "predictions",
    "start_lesson": "runtime",
    "train": "training",
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
