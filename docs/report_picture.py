"""A picture of the top of a run's report, or of the page of two runs, by headless Chromium, in its light colours.

python docs/report_picture.py OUTPUT_FOLDER/report.html docs/images/report.png
python docs/report_picture.py compare.html docs/images/compare.png 1750
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, HEIGHT = 1200, 1190  # in pixels
LIGHT = "preferredColorScheme=1"

OPTIONS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "no-first-run",
    "disable-background-networking",
    "hide-scrollbars",
)


def picture(page: Path, target: Path, height: int = HEIGHT) -> None:
    """Write the picture of the top of a page. Raises CalledProcessError."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    with tempfile.TemporaryDirectory() as profile:
        own = [f"user-data-dir={profile}", f"window-size={WIDTH},{height}", f"blink-settings={LIGHT}"]
        arguments = [f"--{one}" for one in (*OPTIONS, *own, f"screenshot={target.absolute()}")]
        subprocess.run([browser, *arguments, page.absolute().as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    picture(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
