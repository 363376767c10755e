"""Windows cover what is unknown, never lose touch with what is finished, and never exceed the model's length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sorairo.diffusion.windows import plan_windows


def test_a_short_clip_is_one_window() -> None:
    assert plan_windows([False] * 9, 9, 3) == [slice(0, 9)]
    assert plan_windows([True] + [False] * 4, 9, 3) == [slice(0, 5)]


def test_a_long_clip_slides_forwards() -> None:
    assert plan_windows([False] * 20, 9, 3) == [slice(0, 9), slice(6, 15), slice(11, 20)]


def test_what_came_before_is_made_backwards() -> None:
    assert plan_windows([False] * 12 + [True] * 9, 9, 3) == [slice(6, 15), slice(0, 9)]


def test_a_gap_sees_both_of_its_ends() -> None:
    assert plan_windows([True] * 9 + [False] * 3 + [True] * 9, 9, 3) == [slice(6, 15)]


def test_nothing_is_made_where_all_is_known() -> None:
    assert plan_windows([True] * 30, 9, 3) == []


@given(st.lists(st.booleans(), min_size=1, max_size=150), st.integers(2, 12), st.data())
def test_windows_keep_their_promises(known: list[bool], length: int, data: st.DataObject) -> None:
    context = data.draw(st.integers(0, length - 1))
    done, first = list(known), True
    for window in plan_windows(known, length, context):
        assert 0 < window.stop - window.start <= length
        assert window.start >= 0
        assert window.stop <= len(known)
        fresh = [index for index in range(window.start, window.stop) if not done[index]]
        assert fresh, "a window that makes nothing"
        held = (window.stop - window.start) - len(fresh)
        assert first or held >= min(context, sum(done))
        done[window] = [True] * (window.stop - window.start)
        first = first and not any(known)
    assert all(done)
