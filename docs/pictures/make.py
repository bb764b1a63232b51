"""Pictures of the report for the README: `python docs/pictures/make.py OUT`.

OUT is a finished run with `report-training.html`: the pictures show `recipes/udhr-tokens.yaml`,
trained on with `recipes/sample/train.yaml`. Needs the extra `test` and a browser.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "dashboard"))

from browser import open_report, running_browser

#: Name of each picture, the view it shows, and what stands under the header in it.
PICTURES = (
    ("overview", "overview", "h2"),
    ("languages", "languages", "h2"),
    ("triage", "triage", ".controls .grow"),
    ("mixture", "mixture", "#legend-tiers"),
    ("duplicates", "duplicates", "h2"),
    ("training", "training", "h2"),
)
PAGE = "report-training.html"
_HEADER = 97
SIZE = {"width": 1280, "height": 800}
# Colours of a picture: flat areas and text lose nothing, and it becomes a third as large.
_NUM_COLORS = 256


def main() -> None:
    """Writes a PNG for each view, and one in dark."""
    root, folder = str(Path(sys.argv[1]).absolute()), Path(__file__).parent
    with running_browser() as browser:
        for scheme, pictures in (("light", PICTURES), ("dark", PICTURES[1:2])):
            context = browser.new_context(viewport=SIZE, color_scheme=scheme)
            for name, view, first in pictures:
                page, troubles = open_report(context, root, view, PAGE)
                box = page.locator(f"#{view} {first}").first.bounding_box()
                page.evaluate("top => scrollTo(0, top)", box["y"] - _HEADER)
                page.wait_for_timeout(200)
                suffix = "" if scheme == "light" else f"-{scheme}"
                save(page.screenshot(), folder / f"{name}{suffix}.png")
                page.close()
                if troubles.seen:
                    raise SystemExit("\n".join(troubles.seen))


def save(png: bytes, path: Path) -> None:
    """Writes a picture with few colours."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(_NUM_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path} {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
