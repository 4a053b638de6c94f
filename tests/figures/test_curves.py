import numpy as np
import pandas as pd
import pytest

from course_utils.figures import curves, lines
from course_utils.figures.base import COLORS, DescribedFigure


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


@pytest.mark.slow
def test_text_of_a_figure_holds_no_number_of_its_data(history):
    # nbval compares it between machines; the numbers stand in the alt text alone.
    other = curves.plot_curves({"plain": history * 0.9})._repr_mimebundle_()
    here = curves.plot_curves({"plain": history})._repr_mimebundle_()
    assert here[0]["text/plain"] == other[0]["text/plain"]
    assert here[1] != other[1]


def test_alt_text_of_curves_gives_first_last_and_lowest_loss(history):
    said = curves.plot_curves({"plain": history}).alt_text
    assert "training loss goes from 0.70 to 0.25" in said
    assert "validation loss from 0.70 to 0.65 (lowest 0.60)" in said
    assert "validation accuracy is 0.75" in said


def test_curves_carry_the_history_dashed_for_training_with_the_gap_shaded(history):
    fig = curves.plot_curves({"plain": history})
    loss, accuracy = fig.axes
    training, validation = loss.lines
    assert (training.get_linestyle(), validation.get_linestyle()) == ("--", "-")
    assert list(training.get_ydata()) == list(history["clean_loss"])
    assert list(validation.get_ydata()) == list(history["val_loss"])
    (gap,) = loss.collections
    heights = gap.get_paths()[0].vertices[:, 1]
    assert heights.min() == 0.25 and heights.max() == 0.7
    assert loss.get_ylim()[0] == 0 and not accuracy.collections


def test_a_single_run_is_labeled_at_the_ends_of_its_curves(history):
    loss, accuracy = curves.plot_curves({"plain": history}).axes
    assert [text.get_text() for text in loss.texts] == ["training", "gap 0.40", "validation"]
    assert [text.xy[1] for text in loss.texts] == pytest.approx([0.25, 0.45, 0.65])
    assert [text.get_text() for text in accuracy.texts] == ["validation", "training"]


def test_several_runs_are_named_at_their_ends_in_their_color(history):
    runs = {"plain": history, "augmented": history.assign(clean_loss=0.7)}
    fig = curves.plot_curves(runs)
    for ax in fig.axes:
        assert [line.get_linestyle() for line in ax.lines[:4]] == ["--", "-", "--", "-"]
    named = {text.get_text(): text.get_color() for text in fig.axes[0].texts}
    assert named == {"plain\ngap 0.40": COLORS[0], "augmented\ngap −0.05": COLORS[1]}
    (legend,) = fig.legends
    labels = [text.get_text() for text in legend.texts]
    assert labels == ["training photos", "validation photos"]


def test_shades_of_more_than_two_runs_would_lie_over_each_other(history):
    fig = curves.plot_curves(dict.fromkeys("abc", history))
    assert not fig.axes[0].collections


def test_runs_that_cannot_be_told_apart_or_have_no_such_columns_are_refused(history):
    with pytest.raises(ValueError, match="one to 6 curves, .* received 7: a, b"):
        curves.plot_curves(dict.fromkeys("abcdefg", history))
    with pytest.raises(ValueError, match="received 0"):
        curves.plot_curves({})
    with pytest.raises(ValueError, match="the columns clean_loss, .* Take it from `train`"):
        curves.plot_curves({"plain": history.drop(columns="val_loss")})


def make_runs(seeds=4, dead=(3,)):
    rows = [
        [seed, epoch, 1 / epoch + 0.01 * seed, 0.5, 0.6, 0.7, epoch == 3 and seed in dead]
        for seed in range(seeds)
        for epoch in (1, 2, 3)
    ]
    names = ["clean_loss", "val_loss", "clean_binary_accuracy", "val_binary_accuracy"]
    return pd.DataFrame(rows, columns=["seed", "epoch", *names, "dead_head"])


def test_bands_show_most_of_the_seeds_whose_head_did_not_die():
    runs = make_runs()
    fig = curves.plot_seed_bands({"none": runs}, title="Curves")
    assert "none: of 4 heads 1 died; over the others, after 3 epochs" in fig.alt_text
    alive = runs[runs["seed"] != 3]
    training, validation = fig.axes[0].lines
    np.testing.assert_allclose(training.get_ydata(), alive.groupby("epoch")["clean_loss"].mean())
    np.testing.assert_allclose(validation.get_ydata(), 0.5)
    band = fig.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    last = alive.loc[alive["epoch"] == 3, "clean_loss"]
    assert np.isclose(band, last.quantile(0.9)).any() and np.isclose(band, last.quantile(0.1)).any()
    assert len(fig.axes[0].collections) == 3 and len(fig.axes[1].collections) == 2
    assert "10th to the 90th percentile" in fig.legends[0].get_title().get_text()


def test_bands_of_heads_that_all_died_are_refused():
    with pytest.raises(ValueError, match="Expected a head of 'none' that did not die"):
        curves.plot_seed_bands({"none": make_runs(dead=range(4))}, title="Curves")


def test_heads_that_died_are_shown_and_not_averaged():
    rows = [[10, 0.6, False], [20, 0.5, False], [20, 0.3, False], [20, 0.69, True]]
    results = pd.DataFrame(rows, columns=["train_photos", "lowest_val_loss", "dead_head"])
    fig = curves.plot_photo_counts(results, title="Photos?")
    assert "0.60 with 10 photos, 0.40 with 20 photos" in fig.alt_text
    assert "1 of 4 heads died" in fig.alt_text
    (ax,) = fig.axes
    alive, dead, mean = ax.lines
    assert (alive.get_marker(), dead.get_marker()) == ("o", "x")
    assert list(dead.get_ydata()) == [0.69] and list(mean.get_ydata()) == [0.6, 0.4]
    assert ax.get_ylim()[0] == 0
    assert [text.get_text() for text in ax.get_xticklabels()] == ["10", "20"]
    with pytest.raises(ValueError, match="a head of 'all runs' that did not die"):
        curves.plot_photo_counts(results.assign(dead_head=True), title="Dead")


# Lines


def test_a_mean_over_seeds_has_students_interval():
    runs = pd.DataFrame({"views": [1, 1, 1, 2], "gap": [0.1, 0.2, 0.3, 0.5]})
    line = lines.average_seeds(runs, "views", "gap")
    np.testing.assert_allclose(line.mean, [0.2, 0.5])
    # Three seeds 0.1 apart: 4.3027 standard errors of 0.1 / √3.
    reach = 4.302653 * 0.1 / np.sqrt(3)
    np.testing.assert_allclose(line.low, [0.2 - reach, np.nan], rtol=1e-6)
    np.testing.assert_allclose(line.high, [0.2 + reach, np.nan], rtol=1e-6)


@pytest.mark.parametrize("heights", [[0.5] * 4, [0.1, 0.9, 0.12, 0.5], [0.3], [0.99, 0.98, 1]])
def test_labels_at_ends_keep_their_order_stay_apart_and_move_no_more_than_they_must(heights):
    ax = DescribedFigure(title="Ends").add_subplot(ylim=(0, 1))
    lines.label_ends(ax, [(height, f"{number}", "k") for number, height in enumerate(heights)])
    written = {int(text.get_text()): text.xy[1] for text in ax.texts}
    places = np.array([written[number] for number in np.argsort(heights, kind="stable")])
    assert (np.diff(places) >= lines.LABEL_HEIGHT - 1e-9).all()
    assert np.mean(places) == pytest.approx(np.mean(heights))
    for number, height in enumerate(heights):
        others = np.delete(heights, number)
        if (abs(others - height) > 0.2).all():
            assert written[number] == pytest.approx(height)


@pytest.mark.parametrize(("counts", "turned"), [((100, 1000, 5000), 0), ((100, 4000, 5110), 40)])
def test_numbers_of_photos_that_lie_close_together_are_written_at_a_slant(counts, turned):
    ax = DescribedFigure(title="Counts").add_subplot()
    lines.scale_counts(ax, pd.Series(counts))
    assert [label.get_rotation() for label in ax.get_xticklabels()] == [turned] * 3
