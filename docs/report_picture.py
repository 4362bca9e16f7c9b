"""A picture of the top of a run's report, by headless Chromium.

python docs/report_picture.py OUTPUT_FOLDER/report.html docs/images/report.png
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, HEIGHT = 1200, 1190
LIGHT = "preferredColorScheme=1"

OPTIONS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "no-first-run",
    "disable-background-networking",
    "hide-scrollbars",
)


def picture(page: Path, target: Path) -> None:
    """Write the picture of a page. Raises CalledProcessError."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    with tempfile.TemporaryDirectory() as profile:
        own = [f"user-data-dir={profile}", f"window-size={WIDTH},{HEIGHT}", f"blink-settings={LIGHT}"]
        arguments = [f"--{one}" for one in (*OPTIONS, *own, f"screenshot={target.absolute()}")]
        subprocess.run([browser, *arguments, page.absolute().as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    picture(Path(sys.argv[1]), Path(sys.argv[2]))
