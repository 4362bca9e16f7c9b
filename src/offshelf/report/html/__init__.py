"""The report of a classification: one self-contained HTML page."""

from offshelf.report.html.html_report import FILE, HtmlReport

__all__ = ["FILE", "HtmlReport"]
