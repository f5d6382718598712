from .exporting import export
from .html import report
from .results import compare, open

__all__ = [
    "compare",
    "export",
    "open",
    "report",
]
