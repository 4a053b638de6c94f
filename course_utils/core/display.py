"""How a value of the kit shows its widgets in a notebook."""


def view_widget(widget) -> dict[str, dict]:
    """Returns the part of a MIME bundle that shows a widget.

    Widgets of ipywidgets 8 have a `_repr_mimebundle_` that gives it. Those of version 7, which
    Colab has, do not.

    Args:
        widget: Any widget of ipywidgets.
    """
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view}
