"""Records: made, compared, copied, never changed."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from portable_contracts._value import Value, maker, setter


class Point(Value):
    x: int
    y: int = 0


class Named(Point):
    name: str = ""

    _uncompared = frozenset({"name"})
    _unprinted = frozenset({"y"})


class Empty(Value):
    pass


def test_fields_are_given_by_place_or_name() -> None:
    assert Point(1, 2) == Point(x=1, y=2) == Point(1, y=2)


def test_a_field_with_a_default_may_be_left_out() -> None:
    assert Point(1).y == 0


@pytest.mark.parametrize(("args", "fields"), [((), {}), ((1, 2, 3), {}), ((1,), {"z": 1}), ((1,), {"x": 1})])
def test_wrong_fields_are_a_type_error_that_names_the_type(args: Any, fields: Any) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
        Point(*args, **fields)


def test_a_subclass_has_the_fields_of_its_base_first() -> None:
    assert Named(1, 2, "n") == Named(x=1, y=2, name="n")


def test_a_record_without_fields_can_be_made() -> None:
    assert Empty() == Empty()


def test_records_of_other_fields_differ() -> None:
    assert Point(1) != Point(2)
    assert Point(1) != (1, 0)


def test_records_of_other_types_differ() -> None:
    assert Point(1, 2) != Named(1, 2)


def test_a_field_that_is_not_compared_makes_no_difference() -> None:
    assert Named(1, name="a") == Named(1, name="b")
    assert hash(Named(1, name="a")) == hash(Named(1, name="b"))


def test_equal_records_are_one_key() -> None:
    assert {Point(1): "a"}[Point(1)] == "a"


def test_a_field_cannot_be_set_or_deleted() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match=r"Point\.x cannot be set: use \.replace\(x=\.\.\.\)"):
        setattr(point, "x", 2)  # noqa: B010  # what a type checker refuses
    with pytest.raises(AttributeError, match=r"Point\.x cannot be deleted"):
        delattr(point, "x")


def test_a_record_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 1


def test_replace_gives_a_changed_copy() -> None:
    point = Named(1, 2, "n")

    assert point.replace(y=3) == Named(1, 3, "n")
    assert point.replace(y=3).name == "n"
    assert point.y == 2


def test_replace_refuses_an_unknown_field() -> None:
    with pytest.raises(TypeError):
        Point(1).replace(z=1)


def test_the_repr_shows_the_fields_that_may_be_shown() -> None:
    assert repr(Point(1)) == "Point(x=1, y=0)"
    assert repr(Named(1, 2, "n")) == "Named(x=1, name='n')"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
def test_copies_are_equal(copied: Any) -> None:
    assert copied(Named(1, 2, "n")) == Named(1, 2, "n")
    assert copied(Named(1, 2, "n")).name == "n"


class Timed(Value):
    name: str
    at: str | None = None

    _lazy = {"at": lambda given: f"made of {given}" if isinstance(given, int) else given}


class Late(Timed):
    by: int = 0


def test_what_a_maker_makes_is_what_the_type_makes() -> None:
    make = maker(Named)

    assert make(1, name="n") == Named(1, name="n")
    assert type(make(1)) is Named


def test_what_a_maker_made_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match=r"Point\.x cannot be set"):
        setattr(maker(Point)(1), "x", 2)  # noqa: B010  # what a type checker refuses


def test_a_field_of_a_new_record_can_be_set_by_who_made_it() -> None:
    point = Point(1)
    setter(Point, "x")(point, 2)

    assert point == Point(2)


@pytest.mark.parametrize("kind", [Timed, Late])
def test_a_lazy_field_is_made_when_it_is_read(kind: type[Timed]) -> None:
    assert maker(kind)("n", 3).at == "made of 3"


def test_a_lazy_field_that_was_made_before_stays_as_it_is() -> None:
    assert (Timed("n").at, Timed("n", "noon").at) == (None, "noon")


def test_records_with_a_lazy_field_are_equal_by_what_is_read() -> None:
    late = maker(Timed)("n", 3)

    assert late == Timed("n", "made of 3")
    assert pickle.loads(pickle.dumps(late)) == late
    assert repr(late) == "Timed(name='n', at='made of 3')"
    assert late.replace(name="m") == Timed("m", "made of 3")


def test_a_lazy_field_cannot_be_set() -> None:
    with pytest.raises(AttributeError, match=r"Timed\.at cannot be set"):
        setattr(Timed("n"), "at", "noon")  # noqa: B010  # what a type checker refuses
