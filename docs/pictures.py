"""Takes pictures of the first screen of a report: `python docs/pictures.py tonotopy-demo/report.html`.

Writes `docs/pictures/first_screen_WIDTH.png`. Needs Chromium, whose window is at least 500 pixels wide: the
page stands in a frame of the width that is wanted.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

SCREENS = ((1400, 1350), (820, 1400), (390, 844))  # a desk, a tablet, a phone
COLOURS = 128  # of a picture: text and few hues
PICTURES = Path(__file__).parent / "pictures"


def photograph(page: Path, width: int, height: int, out: Path) -> Path:
    """Save what a window of some size shows of a page."""
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if binary is None:
        raise SystemExit("pictures: no Chromium on PATH")
    with tempfile.TemporaryDirectory() as folder:
        frame, taken = Path(folder) / "frame.html", Path(folder) / "taken.png"
        frame.write_text(
            f"<!doctype html><body style='margin:0'><iframe src='{page.resolve().as_uri()}' width='{width}' "
            f"height='{height}' style='border:0;display:block'></iframe>"
        )
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                 "--disable-background-networking", "--allow-file-access-from-files",
                 f"--user-data-dir={folder}/profile", f"--window-size={max(width, 500)},{height}",
                 "--virtual-time-budget=5000", f"--screenshot={taken}")  # fmt: skip
        subprocess.run([binary, *flags, frame.as_uri()], check=True, capture_output=True, timeout=300)
        screen = Image.open(taken).convert("RGB").crop((0, 0, width, height))
        screen.quantize(COLOURS).save(out, optimize=True)
    return out


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for width, height in SCREENS:
        print(photograph(Path(sys.argv[1]), width, height, PICTURES / f"first_screen_{width}.png"))
