"""The documentation shows the pictures that the command takes, and each is small."""

import io
import random

import pytest
from PIL import Image

from tests.explorer.browser.pictures import BYTES_MAX, FOLDER, PICTURES, packed


def test_every_picture_is_in_the_documentation_and_small() -> None:
    page = FOLDER.with_suffix(".md").read_text(encoding="utf-8")
    names = {f"{picture.name}.png" for picture in PICTURES}
    assert {path.name for path in FOLDER.iterdir()} == names
    for name in names:
        assert f"({FOLDER.name}/{name})" in page
        assert (FOLDER / name).stat().st_size < BYTES_MAX


def _noise(width: int, *, colours: int) -> bytes:
    chance = random.Random(7)
    image = Image.new("RGB", (width, width))
    shades = [tuple(chance.randbytes(3)) for _ in range(colours)]
    image.putdata([chance.choice(shades) for _ in range(width * width)])
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_picture_gets_fewer_colours_until_it_is_small() -> None:
    raw = _noise(350, colours=250)
    assert len(raw) > BYTES_MAX
    small = packed(raw)
    assert len(small) < BYTES_MAX
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (350, 350)


def test_picture_that_is_never_small_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        packed(_noise(700, colours=250))
