# SPDX-License-Identifier: Apache-2.0
"""The plan of faults: the same for the same seed, each kind in it, all within the run."""
import pytest

import crowd
import plan
from nemesis import Nemesis
from servers import SCALE, SCALES
from stanza import home

ALONE = (SCALE,)
BOTH = pytest.mark.parametrize("scales", [ALONE, SCALES], ids=["alone", "pair"])


@BOTH
@pytest.mark.parametrize("seconds", [120, 600, 3600])
def test_each_kind_within_the_run(seconds, scales):
    faults = plan.make(5, seconds, scales, 14)
    assert {(f.name, f.action, f.target) for f in faults} == {(k.name, k.action, k.target) for k in plan.kinds(scales[0], len(scales) > 1)}
    assert all(plan.WARM_UP <= f.at <= seconds - plan.COOL_DOWN for f in faults)
    assert [f.at for f in faults] == sorted(f.at for f in faults)
    assert all(f.length > 0 for f in faults if f.action in ("stop", "silence", "hole", "lose", "freeze", "silence_one_way", "cut_one_way"))


def test_an_hour_has_two_hundred_faults():
    assert len(plan.make(1, 3600, ALONE, 14)) >= 200


@BOTH
def test_a_seed_decides(scales):
    assert plan.make(7, 600, scales, 14) == plan.make(7, 600, scales, 14) != plan.make(8, 600, scales, 14)
    assert crowd.population(7, 40) == crowd.population(7, 40) != crowd.population(8, 40)


@BOTH
def test_targets_are_instances_that_exist(scales):
    faults = plan.make(3, 3600, scales, 14)
    for f in faults:
        scale = scales[plan.SITES.index(f.site)] if f.site else scales[0]
        for target in f.targets:
            role, _, number = target.rpartition("-")
            assert target in ("redis", "postgres", "clients", "border") or 1 <= int(number) <= scale[role]
    assert {f.site for f in faults} == (set(plan.SITES) if len(scales) > 1 else {""})


def test_all_instances_of_a_role_at_once():
    for f in plan.make(3, 600, SCALES, 14, only="all edges"):
        scale = SCALES[plan.SITES.index(f.site)]
        assert len(f.targets) == scale["c2s-edge"] + scale["s2s"] == len(set(f.targets))


def test_the_border_has_each_fault_that_the_nemesis_knows():
    known = {name[len("border_"):] for name in dir(Nemesis) if name.startswith("border_")}
    assert {k.action for k in plan.BORDER if k.target == "border"} == known


def test_the_crowd_has_every_kind_of_device_and_strict_users():
    people = crowd.population(2, 8)
    assert {k for _, kinds in crowd.population(2, 40) for k in kinds} == set(crowd.FAITHFUL + crowd.FORGETFUL)
    assert set(crowd.FAITHFUL) <= {k for _, kinds in people for k in kinds}
    assert any(crowd.is_strict(kinds) for _, kinds in people)


def test_both_servers_of_a_pair_have_every_kind_of_device_and_half_of_the_users():
    people = crowd.population(2, 40)
    for site in (0, 1):
        there = [kinds for user, kinds in people if home(user, 2) == site]
        assert len(there) == 20 and {k for kinds in there for k in kinds} == set(crowd.FAITHFUL + crowd.FORGETFUL)
