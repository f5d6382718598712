"""Rooms import what lies below them, modules stay short, and public names are the field's words."""

from . import structure


def test_rooms_of_probes_import_what_lies_below_them():
    arrows = structure.arrows()
    assert {room for pair in arrows for room in pair} == set(structure.FLOORS)
    assert [pair for pair in arrows if structure.forbidden(pair)] == []


def test_a_forbidden_arrow_is_seen():
    assert structure.forbidden(("filters", "folding"))  # siblings
    assert structure.forbidden(("engine", "run"))  # upward
    assert not structure.forbidden(("hypotheses", "filters"))


def test_every_module_lies_in_a_room():
    """A package face is all that lies flat in probes/."""
    flat = [path.name for path in (structure.ROOT / "probes").glob("*.py")]
    assert flat == ["__init__.py"]


def test_modules_stay_short():
    assert structure.long_modules() == []


def test_public_names_are_the_words_of_the_field():
    assert structure.private_words() == []
