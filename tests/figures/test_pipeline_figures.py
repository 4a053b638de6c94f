import numpy as np
import pandas as pd
import pytest

from course_utils.figures.pipelines import plot_draws, plot_pipelines

EVERY = "every epoch"
SITES = {
    "layers in the pipeline": [("augment", "CPU", EVERY), ("head learns", "device", EVERY)],
    "stored features": [
        ("augment", "device", "once for each view"),
        ("read features", "CPU", EVERY),
        ("head learns", "device", EVERY),
    ],
}


def test_every_step_is_drawn_and_told():
    figure = plot_pipelines(SITES, device="GPU", title="Who does what")
    (ax,) = figure.axes
    written = [text.get_text() for text in ax.texts]
    for site, steps in SITES.items():
        assert any(text.replace("\n", " ") == site for text in written)
        for what, where, when in steps:
            assert f"{what}\n{where}\n{when}" in written
            assert f"{what} ({where}, {when})" in figure.alt_text
    assert len(ax.patches) == sum(map(len, SITES.values()))
    assert "The device here is the GPU." in figure.alt_text


def test_blocks_are_told_apart_by_more_than_their_color():
    figure = plot_pipelines(SITES, device="CPU", title="Who does what")
    dashed = [block for block in figure.axes[0].patches if block.get_linestyle() != "-"]
    assert len(dashed) == 1
    # Lightness differs, so that print in gray shows it; where and how often are also written.
    colors = {block.get_facecolor()[:3] for block in figure.axes[0].patches}
    grays = sorted(np.dot(color, (0.2126, 0.7152, 0.0722)) for color in colors)
    assert len(grays) == 2 and grays[1] - grays[0] > 0.03


def test_every_draw_is_counted():
    random = np.random.default_rng(0)
    draws = {
        name: pd.DataFrame(
            {"flipped": random.random(50) < 0.5, "factor": random.uniform(0.5, 1.5, 50)}
        )
        for name in ("in the model", "in the pipeline")
    }
    draws["in the model"].loc[0, "factor"] = 1.5001  # by rounding
    figure = plot_draws(draws, title="What was drawn")
    assert len(figure.axes) == 2
    for ax, (site, drawn) in zip(figure.axes, draws.items(), strict=True):
        assert sum(bar.get_height() for bar in ax.patches) == 50
        mirrored = f"{drawn['flipped'].mean():.0%} mirrored"
        assert ax.get_title(loc="left") == f"{site}\n{mirrored}"
        assert f"{site}: 50 draws, {mirrored}" in figure.alt_text
    with pytest.raises(ValueError, match="the columns flipped, factor"):
        plot_draws({"in the model": draws["in the model"][["factor"]]}, title="Half")
