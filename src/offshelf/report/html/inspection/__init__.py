"""The page of an inspection: one self-contained HTML file."""

FILE = "inspection.html"
"""Its name in the output folder."""
