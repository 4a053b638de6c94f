import numpy as np
import pandas as pd
import pytest

from course_utils.figures import curves, trends


def make_robustness(policies=("none", "flip"), *, seeds=4):
    """Made-up robustness: accuracy falls by 0.01 a degree for the first, half for others."""
    rows = []
    for place, policy in enumerate(policies):
        for name, unit, strengths in (
            ("rotation", "degrees", (-20.0, 0.0, 20.0)),
            ("contrast", "percent", (-0.5, 0.0, 0.25)),
            ("flip", "choice", (0.0, 1.0)),
        ):
            for strength in strengths:
                for seed in range(seeds):
                    dead = place == 1 and seed == 3
                    fall = abs(strength) / 100 / (1 + place) + 0.01 * seed
                    shares = (0.5, 1.0) if dead else (0.9 - fall, 1 - 2 * fall)
                    rows.append([policy, name, unit, strength, seed, *shares, dead])
    names = ["policy", "transformation", "unit", "strength", "seed", "accuracy", "unchanged"]
    return pd.DataFrame(rows, columns=[*names, "dead_head"])


def test_robustness_shows_means_without_heads_that_died_in_the_units_of_the_sliders():
    figure = trends.plot_robustness(make_robustness(), title="Taught?")
    assert len(figure.axes) == 6
    rotation, contrast, _ = figure.axes[:3]
    lines = [line for line in rotation.lines if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in lines] == [[-20, 0, 20]] * 2
    # Seeds 0 to 3 of the first, 0 to 2 of the second, whose fourth head died.
    np.testing.assert_allclose(lines[0].get_ydata(), [0.9 - 0.2 - 0.015, 0.885, 0.685])
    np.testing.assert_allclose(lines[1].get_ydata(), [0.9 - 0.1 - 0.01, 0.89, 0.79])
    assert lines[0].get_linestyle() != lines[1].get_linestyle()
    assert lines[0].get_marker() != lines[1].get_marker()
    assert list(contrast.lines[1].get_xdata()) == [-50, 0, 25]
    flip = figure.axes[5]
    assert [text.get_text() for text in flip.get_xticklabels()] == ["as it is", "mirrored"]
    axes = [ax.get_xlabel() for ax in figure.axes[3:]]
    assert axes == ["rotation (degrees)", "contrast (percent)", "flip"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["none", "flip (1 of 4 heads died)"]
    said = figure.alt_text
    assert (
        "rotation (degrees), none: at -20 accuracy 0.69 and 0.57 unchanged; at 0 accuracy 0.89"
        in said
    )
    assert "flip, none: as it is accuracy 0." in said and "unchanged; mirrored accuracy 0." in said
    assert "contrast (percent), flip (1 of 4 heads died): at -50 accuracy 0.89" in said


def test_bands_are_students_interval_over_seeds():
    ax = trends.plot_robustness(make_robustness(), title="Taught?").axes[0]
    outline = ax.collections[1].get_paths()[0].vertices
    at_zero = sorted(set(np.round(outline[outline[:, 0] == 0][:, 1], 9)))
    # Three seeds 0.01 apart: 4.3027 standard errors of 0.01 / √3.
    reach = 4.302653 * 0.01 / np.sqrt(3)
    np.testing.assert_allclose(at_zero, [0.89 - reach, 0.89 + reach], rtol=1e-6)


def test_a_single_seed_is_a_line_without_a_band():
    table = make_robustness(("none",), seeds=1)
    figure = trends.plot_robustness(table, title="One seed")
    assert figure.to_png() and "nan" not in figure.alt_text


def test_more_policies_than_can_be_told_apart_or_heads_that_all_died_are_refused():
    with pytest.raises(ValueError, match="one to 6 curves, .* received 7: a, b"):
        trends.plot_robustness(make_robustness("abcdefg"), title="Many")
    dead = make_robustness(("none",)).assign(dead_head=True)
    with pytest.raises(ValueError, match="a head of 'none' that did not die"):
        trends.plot_robustness(dead, title="Dead")


@pytest.mark.parametrize("damage", ["column", "rows", "kind"])
@pytest.mark.parametrize(
    ("plot", "column", "source"),
    [
        (trends.plot_robustness, "unchanged", "evaluate_robustness"),
        (trends.plot_equivalent_photos, "held_out_loss", "load_results"),
        (trends.plot_views_needed, "views", "load_results"),
        (
            lambda table, title: curves.plot_seed_bands({"a": table}, title=title),
            "epoch",
            "results",
        ),
    ],
)
def test_a_table_of_another_kind_is_refused_by_name(plot, column, source, damage):
    table = make_robustness().drop(columns="unchanged")
    table = {"column": table, "rows": table[:0], "kind": {"policy": ["none"]}}[damage]
    with pytest.raises(ValueError, match=f"the columns .*{column}.* received .*{source}"):
        plot(table, title="Another")


def test_no_interval_of_a_fraction_passes_one():
    table = make_robustness(("none",)).assign(accuracy=lambda rows: 0.99 + 0.005 * rows["seed"])
    (band,) = trends.plot_robustness(table, title="Near one").axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].max() == 1


def test_equivalent_photos_draw_a_line_a_policy_over_a_logarithmic_axis():
    rows = [
        [policy, photos, seed, 1 / photos**0.25 + 0.01 * seed, 0.8 + 0.01 * seed, seed == 2]
        for policy in ("none", "flip")
        for photos in (100, 1000, 5000)
        for seed in range(3)
    ]
    names = [
        "policy",
        "train_photos",
        "seed",
        "held_out_loss",
        "held_out_binary_accuracy",
        "dead_head",
    ]
    figure = trends.plot_equivalent_photos(pd.DataFrame(rows, columns=names), title="Worth")
    loss, accuracy = figure.axes
    assert loss.get_xscale() == "log"
    assert [text.get_text() for text in loss.get_xticklabels()] == ["100", "1,000", "5,000"]
    np.testing.assert_allclose(loss.lines[0].get_ydata()[0], 100**-0.25 + 0.005)
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), [0.805] * 3)
    assert "none (3 of 9 heads died): with 100 training photos loss 0.32" in figure.alt_text


def make_views(numbers=(1, 4, 30), *, seeds=3):
    rows = [
        [
            "flip",
            views,
            seed,
            epoch,
            0.3 / views + 0.01 * seed,
            0.4 + 0.01 * seed / epoch,
            0.8,
            False,
        ]
        for views in numbers
        for seed in range(seeds)
        for epoch in (2, 1)
    ]
    names = ["policy", "views", "seed", "epoch", "gap", "val_loss", "val_binary_accuracy"]
    return pd.DataFrame(rows, columns=[*names, "dead_head"])


def test_views_needed_shows_the_end_of_training_and_the_band_of_the_most_views():
    figure = trends.plot_views_needed(make_views(), title="How many?")
    gap, loss, accuracy = figure.axes
    line = gap.lines[0]
    assert list(line.get_xdata()) == [1, 4, 30]
    np.testing.assert_allclose(line.get_ydata(), [0.31, 0.085, 0.02])
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [0.405] * 3)  # of epoch 2, not 1
    reach = 4.302653 * 0.005 / np.sqrt(3)
    (band,) = [patch for patch in loss.patches if patch.get_label().startswith("interval with 30")]
    low, high = band.get_y(), band.get_y() + band.get_height()
    np.testing.assert_allclose([low, high], [0.405 - reach, 0.405 + reach], rtol=1e-6)
    assert "How many? After 2 epochs" in figure.alt_text
    assert "4 views: gap 0.085 (0.060 to 0.110), validation loss 0.405" in figure.alt_text
    assert "0 of 3 heads died" in figure.alt_text


def test_views_needed_takes_one_policy_and_several_numbers_with_heads_that_did_not_die():
    with pytest.raises(ValueError, match="received 6 rows with 4 views"):
        trends.plot_views_needed(make_views((4,)), title="One")
    both = pd.concat([make_views(), make_views().assign(policy="none")])
    with pytest.raises(ValueError, match="36 rows with 1, 4, 30 views. Choose the rows of one"):
        trends.plot_views_needed(both, title="Two")
    table = make_views()
    with pytest.raises(ValueError, match="a head of '4 views' that did not die"):
        trends.plot_views_needed(table.assign(dead_head=table["views"] == 4), title="Dead")
