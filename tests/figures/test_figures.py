import base64

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from course_utils.figures import comparisons, photos

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def images():
    return np.random.default_rng(0).random((16, 8, 8, 3)).astype("float32")


@pytest.fixture
def history():
    epochs = pd.RangeIndex(1, 4, name="epoch")
    return pd.DataFrame(
        {
            "clean_loss": [0.7, 0.5, 0.25],
            "val_loss": [0.7, 0.6, 0.65],
            "clean_binary_accuracy": [0.5, 0.7, 0.9],
            "val_binary_accuracy": [0.5, 0.65, 0.75],
        },
        index=epochs,
    )


@pytest.fixture
def results():
    rows = [[10, 0.6, False], [20, 0.5, False], [20, 0.3, False], [20, 0.69, True]]
    return pd.DataFrame(rows, columns=["train_photos", "lowest_val_loss", "dead_head"])


@pytest.fixture
def drawn(images, history, results):
    return {
        "photos": photos.plot_photos(images, ["Car"] * 10 + ["Truck"] * 6, title="Photos"),
        "views": photos.plot_views(images[0], images),
        "epochs": photos.plot_epochs({"one": images, "two": images[::-1]}, title="Epochs"),
        "curves": photos.plot_curves({"plain": history, "augmented": history}),
        "counts": photos.plot_photo_counts(results, title="Photos?"),
    }


def test_every_figure_is_a_matplotlib_figure_with_alt_text_and_a_picture(drawn):
    for fig in drawn.values():
        assert isinstance(fig, Figure)
        data, metadata = fig._repr_mimebundle_()
        assert base64.b64decode(data["image/png"]).startswith(PNG)
        assert data["text/plain"] == f"Figure: {fig.title}"
        assert metadata["image/png"]["alt"] == fig.alt_text and len(fig.alt_text) > 20


def test_the_same_figure_gives_the_same_bytes(images):
    first, second = (photos.plot_views(images[0], images).to_png() for _ in range(2))
    assert first == second


def test_names_with_signs_that_mean_something_to_matplotlib_stand_as_written(images):
    runs = pd.DataFrame({"$g{$": [0.6, 0.7], "dead_head": [False, False]})
    for figure in (
        photos.plot_photos(images[:2], ["$a_{$"] * 2, title="$x{$"),
        comparisons.plot_subgroups({"<b>$q{$": runs}, ["$g{$"], title="$t{$"),
    ):
        assert figure.to_png().startswith(b"\x89PNG")


def test_text_of_a_figure_holds_no_number_of_its_data(history):
    # nbval compares it between machines; the numbers stand in the alt text alone.
    other = photos.plot_curves({"plain": history * 0.9})._repr_mimebundle_()
    here = photos.plot_curves({"plain": history})._repr_mimebundle_()
    assert here[0]["text/plain"] == other[0]["text/plain"]
    assert here[1] != other[1]


def test_alt_text_counts_what_it_shows(drawn):
    assert "10 × Car, 6 × Truck" in drawn["photos"].alt_text
    assert "15 of which differ" in drawn["views"].alt_text
    assert "16 of 16 look different" in drawn["epochs"].alt_text


def test_alt_text_of_curves_gives_first_last_and_lowest_loss(drawn):
    assert "train loss goes from 0.70 to 0.25" in drawn["curves"].alt_text
    assert "valid loss from 0.70 to 0.65 (lowest 0.60)" in drawn["curves"].alt_text
    assert "valid accuracy is 0.75" in drawn["curves"].alt_text


def test_curves_show_four_lines_in_each_panel_told_apart_without_colour(drawn):
    for ax in drawn["curves"].axes:
        assert [line.get_linestyle() for line in ax.lines] == ["--", "-", "--", "-"]


def test_curves_carry_the_history_that_was_given(drawn, history):
    clean, valid = drawn["curves"].axes[0].lines[:2]
    assert list(clean.get_ydata()) == list(history["clean_loss"])
    assert list(valid.get_ydata()) == list(history["val_loss"])


def test_dead_heads_are_shown_but_not_averaged(drawn):
    assert "0.60 with 10 photos, 0.40 with 20 photos" in drawn["counts"].alt_text
    assert "1 of 4 heads died" in drawn["counts"].alt_text
    markers = [line.get_marker() for line in drawn["counts"].axes[0].lines]
    assert "x" in markers


def test_differences_show_both_intervals_and_say_them():
    table = pd.DataFrame(
        {"difference": [0.02], "seeds_low": [0.01], "seeds_high": [0.03]}
        | {"photos_low": [-0.01], "photos_high": [0.05], "detectable": [0.04], "pairs": [20]},
        index=["flip"],
    )
    figure = comparisons.plot_differences(
        table, baseline="none", measure="valid accuracy", title="Is it the flip?"
    )
    assert "flip: +0.020" in figure.alt_text and "-0.010 to +0.050" in figure.alt_text
    lines = [line.get_xdata() for line in figure.axes[0].lines]
    assert any(np.array_equal(line, (0.01, 0.03)) for line in lines)
    assert any(np.array_equal(line, (-0.01, 0.05)) for line in lines)
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() >= 2]
    assert {line.get_solid_capstyle() for line in bars} == {"butt"}, "bars end with the interval"
    for odd in (table.drop(columns="seeds_low"), table.loc["flip"], table.iloc[:0]):
        with pytest.raises(ValueError, match="a row or more and the columns difference, seeds_low"):
            comparisons.plot_differences(odd, baseline="none", measure="loss", title="Odd")
    assert figure.to_png().startswith(b"\x89PNG")


def test_pairs_show_a_dot_a_pair_and_a_cross_where_a_head_is_dead():
    pairs = pd.DataFrame({"flip": [0.02, 0.02, -0.01, 0.33], "none again": [-0.03, 0, 0.01, 0.02]})
    dead = pd.DataFrame({"flip": [False, False, False, True], "none again": [False] * 4})
    figure = comparisons.plot_pairs(
        pairs, dead, baseline="none", measure="valid accuracy", title="One against one"
    )
    flip = "flip: 3 of 4 above zero, 1 below, from -0.010 to +0.330, mean +0.090; 1 with a dead"
    assert flip in figure.alt_text
    assert "none again: 2 of 4 above zero, 1 below" in figure.alt_text
    dots, cross, mean = figure.axes[0].lines[1:4]
    assert list(dots.get_xdata()) == [0.02, 0.02, -0.01] and list(cross.get_xdata()) == [0.33]
    assert dots.get_ydata()[0] != dots.get_ydata()[1]  # equal pairs do not hide each other
    assert cross.get_marker() == "x" and mean.get_xdata() == pairs["flip"].mean()
    assert figure.to_png().startswith(PNG)


def test_pairs_want_to_know_of_each_whether_a_head_is_dead():
    pairs = pd.DataFrame({"flip": [0.02, 0.01]})
    words = {"baseline": "none", "measure": "valid accuracy", "title": "Pairs"}
    for table, dead in ((pairs, pairs[:1] > 1), (pairs, pd.DataFrame()), (pairs[:0], pairs[:0])):
        with pytest.raises(ValueError, match="Expected one or more pairs"):
            comparisons.plot_pairs(table, dead, **words)


# Figures of what was measured on several policies


def make_sensitivity(policies=("none", "flip"), *, seeds=4):
    """Made-up sensitivity: accuracy falls by 0.01 a degree for the first, half for others."""
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


def test_sensitivity_shows_means_of_living_heads_in_the_units_of_the_sliders():
    figure = comparisons.plot_robustness(make_sensitivity(), title="Taught?")
    assert len(figure.axes) == 6
    rotation, contrast, _ = figure.axes[:3]
    lines = [line for line in rotation.lines if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in lines] == [[-20, 0, 20]] * 2
    # Seeds 0 to 3 of the first, 0 to 2 of the second, whose fourth head is dead.
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
    assert [text.get_text() for text in legend.texts] == ["none", "flip (1 of 4 heads dead)"]
    said = figure.alt_text
    assert "rotation (degrees), none: at -20 0.69 right and 0.57 unchanged; at 0 0.89 right" in said
    assert "flip, none: as it is 0." in said and "unchanged; mirrored 0." in said
    assert "contrast (percent), flip (1 of 4 heads dead): at -50 0.89 right" in said
    assert figure.to_png().startswith(PNG)


def test_bands_are_students_interval_over_living_heads():
    ax = comparisons.plot_robustness(make_sensitivity(), title="Taught?").axes[0]
    outline = ax.collections[1].get_paths()[0].vertices
    at_zero = sorted(set(np.round(outline[outline[:, 0] == 0][:, 1], 9)))
    # Three seeds 0.01 apart: 4.3027 standard errors of 0.01 / √3.
    reach = 4.302653 * 0.01 / np.sqrt(3)
    np.testing.assert_allclose(at_zero, [0.89 - reach, 0.89 + reach], rtol=1e-6)


def test_a_single_seed_is_a_line_without_a_band():
    table = make_sensitivity(("none",), seeds=1)
    figure = comparisons.plot_robustness(table, title="One seed")
    assert figure.to_png().startswith(PNG) and "nan" not in figure.alt_text


def test_more_policies_than_can_be_told_apart_or_dead_ones_are_refused():
    with pytest.raises(ValueError, match="one to 6 policies, .* received 7: a, b"):
        comparisons.plot_robustness(make_sensitivity("abcdefg"), title="Many")
    dead = make_sensitivity(("none",)).assign(dead_head=True)
    with pytest.raises(ValueError, match="a living head of 'none', received none"):
        comparisons.plot_robustness(dead, title="Dead")


@pytest.mark.parametrize("damage", ["column", "rows", "kind"])
@pytest.mark.parametrize(
    ("plot", "column", "source"),
    [
        (comparisons.plot_robustness, "unchanged", "evaluate_robustness"),
        (comparisons.plot_equivalent_photos, "sealed_loss", "load_results"),
        (comparisons.plot_views_needed, "views", "load_results"),
        (lambda table, title: photos.plot_seed_bands({"a": table}, title=title), "epoch", "runs"),
    ],
)
def test_a_table_of_another_kind_is_refused_by_name(plot, column, source, damage):
    table = make_sensitivity().drop(columns="unchanged")
    table = {"column": table, "rows": table[:0], "kind": {"policy": ["none"]}}[damage]
    with pytest.raises(ValueError, match=f"the columns .*{column}.* received .*{source}"):
        plot(table, title="Another")


def test_no_interval_of_a_share_passes_one():
    table = make_sensitivity(("none",)).assign(accuracy=lambda rows: 0.99 + 0.005 * rows["seed"])
    (band,) = comparisons.plot_robustness(table, title="Near one").axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].max() == 1


def test_photo_worth_draws_a_line_a_policy_over_a_logarithmic_axis():
    rows = [
        [policy, photos, seed, 1 / photos**0.25 + 0.01 * seed, 0.8 + 0.01 * seed, seed == 2]
        for policy in ("none", "flip")
        for photos in (100, 1000, 5000)
        for seed in range(3)
    ]
    names = ["policy", "train_photos", "seed", "sealed_loss", "sealed_binary_accuracy", "dead_head"]
    figure = comparisons.plot_equivalent_photos(pd.DataFrame(rows, columns=names), title="Worth")
    loss, accuracy = figure.axes
    assert loss.get_xscale() == "log"
    assert [text.get_text() for text in loss.get_xticklabels()] == ["100", "1,000", "5,000"]
    np.testing.assert_allclose(loss.lines[0].get_ydata()[0], 100**-0.25 + 0.005)
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), [0.805] * 3)
    assert "none (3 of 9 heads dead): with 100 train photos loss 0.32" in figure.alt_text
    assert figure.to_png().startswith(PNG)


@pytest.mark.parametrize(("counts", "turned"), [((100, 1000, 5000), 0), ((100, 4000, 5110), 40)])
def test_numbers_of_photos_that_lie_close_together_are_written_at_a_slant(counts, turned):
    rows = [["none", photos, seed, 0.5, 0.8, False] for photos in counts for seed in range(2)]
    names = ["policy", "train_photos", "seed", "sealed_loss", "sealed_binary_accuracy", "dead_head"]
    figure = comparisons.plot_equivalent_photos(pd.DataFrame(rows, columns=names), title="Worth")
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_rotation() for label in labels] == [turned] * 3


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
    figure = comparisons.plot_views_needed(make_views(), title="How many?")
    gap, loss, accuracy = figure.axes
    line = gap.lines[0]
    assert list(line.get_xdata()) == [1, 4, 30]
    np.testing.assert_allclose(line.get_ydata(), [0.31, 0.085, 0.02])
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [0.405] * 3)  # of epoch 2, not 1
    reach = 4.302653 * 0.005 / np.sqrt(3)
    (band,) = [patch for patch in loss.patches if patch.get_label().startswith("interval at 30")]
    low, high = band.get_y(), band.get_y() + band.get_height()
    np.testing.assert_allclose([low, high], [0.405 - reach, 0.405 + reach], rtol=1e-6)
    assert "How many? After 2 epochs" in figure.alt_text
    assert "4 views: gap 0.085 (0.060 to 0.110), valid loss 0.405" in figure.alt_text
    assert "0 of 3 heads dead" in figure.alt_text
    assert figure.to_png().startswith(PNG)


def test_views_needed_takes_one_policy_and_several_numbers_with_living_heads():
    with pytest.raises(ValueError, match="received 6 rows with 4 views"):
        comparisons.plot_views_needed(make_views((4,)), title="One")
    both = pd.concat([make_views(), make_views().assign(policy="none")])
    with pytest.raises(ValueError, match="36 rows with 1, 4, 30 views. Choose the rows of one"):
        comparisons.plot_views_needed(both, title="Two")
    table = make_views()
    with pytest.raises(ValueError, match="a living head with each number of views"):
        comparisons.plot_views_needed(table.assign(dead_head=table["views"] == 4), title="Dead")


def test_policies_stand_in_rows_and_the_text_counts_what_differs(images):
    views = {"none": np.stack([images[0]] * 3), "flip": np.stack([images[0], *images[1:3]])}
    figure = photos.plot_policies(images[0], views, title="Two policies")
    shown = [ax.images[0].get_array() for ax in figure.axes]
    np.testing.assert_array_equal(shown, [*views["none"], *views["flip"]])
    assert [ax.get_ylabel() for ax in figure.axes] == ["none", "", "", "flip", "", ""]
    assert "3 views of one photo" in figure.alt_text
    assert "differ from the photo: none: 0; flip: 2." in figure.alt_text
    assert figure.to_png().startswith(PNG)


def test_policies_have_as_many_views_each(images):
    for views in ({"none": images[:2], "flip": images[:3]}, {"none": images[:0]}, {}):
        with pytest.raises(ValueError, match="the same number of views of each policy, received"):
            photos.plot_policies(images[0], views, title="Uneven")


def test_confusion_writes_every_count_and_names_the_frequent_mistakes():
    matrix = np.diag(np.full(10, 40))
    matrix[6, 9], matrix[9, 6], matrix[1, 7] = 5, 7, 1
    figure = photos.plot_confusion(matrix, [str(digit) for digit in range(10)], title="Digits")
    ax = figure.axes[0]
    written = np.array([int(text.get_text()) for text in ax.texts]).reshape(10, 10)
    np.testing.assert_array_equal(written, matrix)
    assert ax.get_ylabel() == "true" and ax.get_xlabel() == "predicted"
    assert "400 of 413 pictures right" in figure.alt_text
    assert (
        "mistakes by count: 9 taken for 6: 7; 6 taken for 9: 5; 1 taken for 7: 1."
        in figure.alt_text
    )
    assert figure.to_png().startswith(PNG)
    perfect = photos.plot_confusion(np.eye(2, dtype=int), ("Car", "Truck"), title="Perfect")
    assert perfect.alt_text.endswith("Most frequent mistakes by count: none.")


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3)), np.eye(3), [[0.5, 1], [0, 1]], [[-1, 0], [0, 1]]]
)
def test_a_confusion_that_is_none_is_refused(matrix):
    with pytest.raises(ValueError, match="Expected counts, 2 × 2 for the classes Car, Truck"):
        photos.plot_confusion(matrix, ("Car", "Truck"), title="None")
