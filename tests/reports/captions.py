"""What holds for the words and the table of every figure."""

import re

from tonotopy.reports.figures import Illustration


def assert_captioned(one: Illustration) -> None:
    caption = one.caption
    assert 20 < len(caption) <= 160, one.name
    assert caption.endswith("."), one.name
    assert not re.search(r"[.!?]\s", caption), one.name  # one sentence
    assert len(re.findall(r"\d[\d.,]*", caption)) <= 2, one.name
    for text in (caption, one.reading, one.alt, one.question, one.figure.get_suptitle()):
        assert not re.search(r"\bnan\b", text), one.name
    assert len(re.findall(r"[.!?](?:\s|$)", one.reading)) <= 4, one.name
    if one.data is not None:
        assert 0 < len(one.data) <= 300, one.name
        assert one.data.columns.is_unique, one.name
        assert one.data.notna().any(axis=None), one.name
