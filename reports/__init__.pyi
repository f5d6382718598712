from .html import report

__all__ = [
    "report",
]
