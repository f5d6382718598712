"""Writes the table that `tonotopy encoders` shows: run ``python -m tests.reports.listed`` after a change."""

import json

from tonotopy.encoders.registry import _factories
from tonotopy.reports.commands.listing import TABLE, described

if __name__ == "__main__":
    table = {name: described(name) for name in _factories}
    TABLE.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
