from . import plot
from .exporting import export
from .html import report
from .ports import check_page
from .results import compare, open

__all__ = [
    "check_page",
    "compare",
    "export",
    "open",
    "plot",
    "report",
]
