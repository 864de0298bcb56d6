"""The forms in which times and events come, and what is refused."""

import numpy as np
import polars as pl
import pytest

from bridle import survival_target
from bridle.errors import InputError
from bridle.survival.target import read_target

TIME, EVENT = np.array([3.0, 1.0, 0.0, 2.0]), np.array([1, 0, 1, 1])
START = np.array([0.0, 0.5, -1.0, 1.0])
RIGHT = survival_target(TIME, EVENT)
LATE = survival_target(TIME, EVENT, START, ["b", "a", "b", "a"])


def test_columns_of_the_target():
    np.testing.assert_array_equal(RIGHT[:, 1:3], np.column_stack([TIME, EVENT]))
    assert np.all(np.isneginf(RIGHT[:, 0])) and not RIGHT[:, 3].any()
    np.testing.assert_array_equal(LATE[:, 3], [1.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    "y",
    [
        RIGHT,
        np.column_stack([TIME, EVENT]),
        np.array(list(zip(EVENT == 1, TIME, strict=True)), dtype=[("status", bool), ("days", float)]),
        np.array(list(zip(TIME, EVENT, strict=True)), dtype=[("time", float), ("event", int)]),
        pl.DataFrame({"Event": EVENT, "duration": TIME}),
        [[t, e] for t, e in zip(TIME, EVENT, strict=True)],
    ],
)
def test_right_censored_forms(y):
    np.testing.assert_array_equal(read_target(y, 4), RIGHT)


@pytest.mark.parametrize(
    "y",
    [
        LATE,
        np.column_stack([START, TIME, EVENT, LATE[:, 3]]),
        pl.DataFrame({"start": START, "stop": TIME, "status": EVENT, "strata": ["b", "a", "b", "a"]}),
    ],
)
def test_start_stop_forms(y):
    np.testing.assert_array_equal(read_target(y, 4), LATE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: survival_target([1.0, np.nan], [1, 0]), "time must hold finite numbers; row 1"),
        (lambda: survival_target([1.0, -2.0], [1, 0]), "at least 0 .or give start.; row 1"),
        (lambda: survival_target([1.0, 2.0], [1, 2]), "row 1 has 2 .for a status of 1 and 2"),
        (lambda: survival_target([1.0, 2.0], [1, 0.5]), "event must be 1"),
        (lambda: survival_target([1.0, 2.0], [0, 0]), "no event"),
        (lambda: survival_target([1.0, 2.0], [1, 0], [1.0, 0.0]), "row 0 has start 1 and time 1"),
        (lambda: survival_target([1.0, 2.0], [1, 0], [np.nan, 0.0]), "start must hold numbers"),
        (lambda: survival_target([1.0, 2.0], [1]), "event has shape"),
        (lambda: survival_target([1.0, 2.0], [1, 0], strata=["a", None]), "no label in row 1"),
        (lambda: survival_target([1.0, 2.0], [1, 0], strata=["a", 3]), None),
        (lambda: survival_target(["x", 2.0], [1, 0]), "time can't be read"),
        (lambda: survival_target([], []), "no rows"),
        (lambda: read_target(np.ones(3), 3), "needs times and events; y has shape"),
        (lambda: read_target(RIGHT, 5), "4 rows; expected one for each row of X, 5"),
        (lambda: read_target(pl.DataFrame({"time": TIME, "dead": EVENT}), 4), "'dead' of the survival target"),
        (lambda: read_target(pl.DataFrame({"time": TIME}), 4), "needs a time and an event"),
    ],
)
def test_what_cannot_be_is_named(make, message):
    if message is None:
        assert make().shape == (2, 4)  # labels become strings
        return
    with pytest.raises(InputError, match=message):
        make()
