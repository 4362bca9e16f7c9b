"""What tests in a real browser have in common."""

import importlib.util
import shutil

import pytest

BROWSER = all(map(shutil.which, ("chromium", "chromedriver"))) and importlib.util.find_spec("selenium")
MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="needs chromium, chromedriver and selenium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]
HOSTILE = "\"><img src=x onerror=\"document.title='taken'\"></script><script>document.title='taken'</script>"
"""A name that would take over a page which does not escape it."""
