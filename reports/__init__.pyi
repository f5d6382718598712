from . import plot
from .exporting import export
from .html import report
from .results import compare, open

__all__ = [
    "compare",
    "export",
    "open",
    "plot",
    "report",
]
