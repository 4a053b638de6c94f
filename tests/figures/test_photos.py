import numpy as np
import pytest

from course_utils.figures import photos


@pytest.fixture
def images():
    return np.random.default_rng(0).random((16, 8, 8, 3)).astype("float32")


def place(ax):
    """Returns where a panel stands, in dots from the figure's left and lower edge."""
    return ax.get_window_extent().bounds


def test_photos_have_their_captions_and_are_counted(images):
    fig = photos.plot_photos(images, ["Car"] * 10 + ["Truck"] * 6, title="Photos")
    assert "16 photos in 2 rows: 10 × Car, 6 × Truck." in fig.alt_text
    assert [ax.get_xlabel() for ax in fig.axes] == ["Car"] * 10 + ["Truck"] * 6
    for ax, image in zip(fig.axes, images, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image)


def test_photos_are_shown_pixel_for_pixel_and_apart(images):
    fig = photos.plot_photos(images, [], columns=6)
    places = np.array([place(ax) for ax in fig.axes])
    np.testing.assert_allclose(places[:, 2:], 128)
    np.testing.assert_allclose(places, np.round(places), atol=1e-6)
    assert len({tuple(spot) for spot in np.round(places[:, :2])}) == 16
    across = np.sort(np.unique(np.round(places[:, 0])))
    assert len(across) == 6 and (np.diff(across) > 128).all()


def test_many_photos_in_a_row_are_smaller_and_a_few_make_a_narrow_figure(images):
    many = photos.plot_photos(images, [], columns=16)
    assert place(many.axes[0])[2] < 128 and many.get_figwidth() < 12
    few = photos.plot_photos(images[:2], [], columns=16)
    assert place(few.axes[0])[2] == pytest.approx(128) and few.get_figwidth() < 4


def test_a_note_stands_below_the_photos_and_in_the_alt_text(images):
    fig = photos.plot_photos(images[:2], ["a", "b"], note="first line\nsecond line")
    (note,) = fig.texts[1:]
    lowest = min(place(ax)[1] for ax in fig.axes)
    assert 0 < note.get_window_extent().y0 < note.get_window_extent().y1 < lowest
    assert fig.alt_text.endswith("first line second line")


@pytest.mark.parametrize(("count", "captions"), [(0, []), (2, ["a"]), (2, list("abc"))])
def test_photos_without_a_caption_each_are_refused(images, count, captions):
    with pytest.raises(ValueError, match=f"received {count} photos and {len(captions)} captions"):
        photos.plot_photos(images[:count], captions)


def test_pixels_up_to_255_and_other_shapes_are_refused(images):
    for odd in (255 * images, images[..., :1]):
        with pytest.raises(ValueError, match="values from 0 to 1, received one of shape"):
            photos.plot_photos(odd, [])
    with pytest.raises(ValueError, match="`columns` to be a whole number from 1"):
        photos.plot_photos(images, [], columns=0)


def test_views_stand_beside_their_large_photo(images):
    fig = photos.plot_views(images[0], images, captions=[f"view {n}" for n in range(16)])
    assert "16 versions of it in a grid, 15 of which differ" in fig.alt_text
    original, *views = fig.axes
    assert place(original)[2] > 2 * place(views[0])[2]
    assert all(place(view)[0] > place(original)[0] + place(original)[2] for view in views)
    assert [view.get_xlabel() for view in views][-1] == "view 15"
    assert place(views[-1])[1] > 0


@pytest.mark.slow
def test_epochs_show_the_same_photos_in_each_grid(images):
    fig = photos.plot_epochs({"one": images, "two": images[::-1]}, title="Epochs")
    assert "16 of 16 look different" in fig.alt_text
    shown = [ax.images[0].get_array() for ax in fig.axes]
    np.testing.assert_array_equal(shown, [*images, *images[::-1]])
    assert place(fig.axes[0])[1] == place(fig.axes[16])[1]
    for epochs in ({}, {"one": images, "two": images[:3]}, {"one": images[:0]}):
        with pytest.raises(ValueError, match="the same photos under each heading, received"):
            photos.plot_epochs(epochs, title="Uneven")


def test_policies_stand_in_rows_and_the_text_counts_what_differs(images):
    views = {"none": np.stack([images[0]] * 3), "flip": np.stack([images[0], *images[1:3]])}
    fig = photos.plot_policies(images[0], views, title="Two policies")
    shown = [ax.images[0].get_array() for ax in fig.axes]
    np.testing.assert_array_equal(shown, [*views["none"], *views["flip"]])
    heights = {text.get_text(): text.get_window_extent().y0 for text in fig.texts[1:]}
    for name, ax in (("none", fig.axes[0]), ("flip", fig.axes[3])):
        assert place(ax)[1] < heights[name] < place(ax)[1] + 128
    assert "3 views of one photo" in fig.alt_text
    assert "differ from the photo: none: 0; flip: 2." in fig.alt_text


def test_policies_have_as_many_views_each(images):
    for views in ({"none": images[:2], "flip": images[:3]}, {"none": images[:0]}, {}):
        with pytest.raises(ValueError, match="the same number of views of each policy, received"):
            photos.plot_policies(images[0], views, title="Uneven")


def test_classes_stand_in_rows_and_are_counted():
    images = np.random.default_rng(1).uniform(size=(7, 8, 8, 3))
    labels = np.array([[0], [0], [0], [0], [0], [1], [1]])
    fig = photos.plot_classes(images, labels, ("Car", "Truck"), columns=4, title="Drawn")
    assert fig.alt_text == "Drawn. 5 of class Car and 2 of class Truck, in rows of up to 4."
    assert [ax.get_ylabel() for ax in fig.axes] == ["Car", "Truck"]
    cars, trucks = (ax.images[0].get_array() for ax in fig.axes)
    assert cars.shape == (16, 32, 3) and trucks.shape == (8, 32, 3)
    np.testing.assert_array_equal(cars[8:, :8], images[4])
    assert (cars[8:, 8:] == 1).all()  # the places left over are white
    np.testing.assert_array_equal(trucks[:, 8:16], images[6])
