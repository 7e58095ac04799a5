# SPDX-License-Identifier: Apache-2.0
"""The plan of faults: the same for the same seed, each kind in it, all within the run."""
import pytest

import crowd
import plan
from servers import SCALE


@pytest.mark.parametrize("seconds", [120, 600, 3600])
def test_each_kind_within_the_run(seconds):
    faults = plan.make(5, seconds, SCALE, 14)
    assert {(f.name, f.action, tuple(t.rsplit("-", 1)[0] for t in f.targets)) for f in faults} == {
        (k.name, k.action, tuple(k.target.split("+"))) for k in plan.kinds(SCALE)}
    assert all(plan.WARM_UP <= f.at <= seconds - plan.COOL_DOWN for f in faults)
    assert [f.at for f in faults] == sorted(f.at for f in faults)
    assert all(f.length > 0 for f in faults if f.action in ("stop", "silence", "hole"))


def test_an_hour_has_two_hundred_faults():
    assert len(plan.make(1, 3600, SCALE, 14)) >= 200


def test_a_seed_decides():
    assert plan.make(7, 600, SCALE, 14) == plan.make(7, 600, SCALE, 14) != plan.make(8, 600, SCALE, 14)
    assert crowd.population(7, 40) == crowd.population(7, 40) != crowd.population(8, 40)


def test_targets_are_instances_that_exist():
    for f in plan.make(3, 3600, SCALE, 14):
        for target in f.targets:
            role, _, number = target.rpartition("-")
            assert target in ("redis", "postgres", "clients") or 1 <= int(number) <= SCALE[role]


def test_the_crowd_has_every_kind_of_device_and_strict_users():
    people = crowd.population(2, 8)
    assert {k for _, kinds in crowd.population(2, 40) for k in kinds} == set(crowd.FAITHFUL + crowd.FORGETFUL)
    assert set(crowd.FAITHFUL) <= {k for _, kinds in people for k in kinds}
    assert any(crowd.is_strict(kinds) for _, kinds in people)
