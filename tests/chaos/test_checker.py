# SPDX-License-Identifier: Apache-2.0
"""The checker on histories made up here: a good one passes, and each fault is found, as what it is and as nothing else."""
import json
import os

import pytest

from checker import KINDS, Checker
from history import archive_log, device_log, key_of, make_body, make_key, save_setup

A, B = "u00.d0", "u01.d0"


class Story:
    """u00 writes to u01, who has two devices. What happened is a list of lines for each file, which a test changes before it is judged."""

    def __init__(self, folder, messages=10):
        self.folder = str(folder)
        self.devices = {A: ["N 0", "C bound e1"], B: ["N 0", "C bound e1"], "u01.d1": ["N 0", "C bound e2"]}
        self.archives = {"u00": [], "u01": []}
        self.strict = ["u00", "u01"]
        self.servers = 1
        for n in range(1, messages + 1):
            key = make_key(A + ".0", "u01", n)
            self.devices[A] += ["S u01 %d" % n, "A u01 %d" % n]
            for device in (B, "u01.d1"):
                self.devices[device].append("D %s i%d p -" % (key, n))
            for user in self.archives:
                self.archives[user].append("M %s i%d" % (key, n))

    def judge(self):
        clock = iter(range(10 ** 6))
        for name, lines in self.devices.items():
            log = device_log(self.folder, name, lambda: next(clock))
            for line in lines:
                log.add(*line.split(" ", 4))
            log.close()
        for name, lines in self.archives.items():
            log = archive_log(self.folder, name, lambda: next(clock))
            for line in lines:
                log.add(*line.split(" "))
            log.close()
        save_setup(self.folder, {"servers": self.servers, "strict": self.strict, "managed": list(self.devices)})
        return Checker(self.folder).run()

    def finds(self, **expected):
        verdict = self.judge()
        assert {k: n for k, n in verdict.violations.items() if n} == expected, verdict.examples
        assert verdict.ok == (not expected)
        return verdict.counts

    # --- lines ----------------------------------------------------------------------------------------------------------

    def delivery(self, device, n):
        return next(i for i, line in enumerate(self.devices[device]) if line.startswith("D %s " % make_key(A + ".0", "u01", n)))

    def forget(self, device, *numbers):
        for n in numbers:
            del self.devices[device][self.delivery(device, n)]

    def swap(self, lines, i, k):
        lines[i], lines[k] = lines[k], lines[i]


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def test_a_good_history(story):
    counts = story.finds()
    assert counts["sent"] == counts["acked"] == 10 and counts["delivered"] == 20 and counts["archived"] == 20


def test_every_kind_of_violation_has_a_test_here():
    import inspect
    import sys
    text = inspect.getsource(sys.modules[__name__])
    assert all("finds(" in text and kind + "=" in text for kind in KINDS if kind not in ("unwell", "logs"))


@pytest.mark.parametrize("user", ["u00", "u01"])
def test_lost_from_one_archive(story, user):
    del story.archives[user][4]
    story.finds(lost=1)


def test_lost_everywhere(story):
    for lines in story.archives.values():
        del lines[9]
    story.forget(B, 10)
    story.forget("u01.d1", 10)
    story.finds(lost=2)


def test_not_acknowledged_may_be_missing(story):
    story.devices[A].remove("A u01 10")
    for lines in story.archives.values():
        del lines[9]
    story.forget(B, 10)
    story.forget("u01.d1", 10)
    story.finds()


def test_undelivered(story):
    story.forget(B, 10)
    story.forget("u01.d1", 10)
    story.finds(undelivered=1)


def test_only_archived_is_enough_for_a_user_who_forgets(story):
    story.strict = []
    story.forget(B, 10)
    story.forget("u01.d1", 10)
    assert story.finds()["only archived"] == 1


def test_missed_by_one_device(story):
    story.forget(B, 5, 6)
    story.finds(missed=2)


def test_not_missed_between_two_sessions(story):
    at = story.delivery(B, 5)
    story.forget(B, 5)
    story.devices[B][at:at] = ["L closed", "C bound e2"]
    story.finds()


def test_missed_in_spite_of_resumption(story):
    at = story.delivery(B, 5)
    story.forget(B, 5)
    story.devices[B][at:at] = ["L closed", "C resumed e2"]
    counts = story.finds(missed=1)
    assert counts["resumed"] == counts["resumed elsewhere"] == 1


def test_nothing_is_missed_before_the_first_live_delivery(story):
    """What waited comes first, and not all of it: the rest had gone to another device."""
    for n in (1, 2, 3):
        at = story.delivery(B, n)
        story.devices[B][at] = story.devices[B][at][:-1] + "d"
    story.forget(B, 2)
    story.finds()


@pytest.mark.parametrize("user", ["u00", "u01"])
def test_doubled_in_an_archive(story, user):
    story.archives[user].append("M %s another" % make_key(A + ".0", "u01", 3))
    story.finds(doubled=1)


def test_doubled_at_a_device(story):
    story.devices[B].append("D %s another p -" % make_key(A + ".0", "u01", 3))
    story.finds(doubled=1)


def test_doubled_without_an_id(story):
    at = story.delivery(B, 3)
    story.devices[B][at] = "D %s  p -" % make_key(A + ".0", "u01", 3)
    story.devices[B].append(story.devices[B][at])
    story.finds(doubled=1)


def test_again_under_the_same_id_is_allowed(story):
    story.devices[B].append("D %s i3 p -" % make_key(A + ".0", "u01", 3))
    assert story.finds()["repeated"] == 1


def test_misnamed(story):
    at = story.delivery(B, 3)
    story.devices[B][at] = "D %s another p -" % make_key(A + ".0", "u01", 3)
    story.finds(misnamed=1)


def test_reordered_in_an_archive(story):
    story.swap(story.archives["u00"], 3, 4)
    story.finds(reordered=1)


def test_reordered_at_a_device(story):
    story.swap(story.devices[B], story.delivery(B, 4), story.delivery(B, 5))
    story.finds(reordered=1)


def test_behind_a_later_one_because_it_had_waited(story):
    at = story.delivery(B, 4)
    story.devices[B][at] = story.devices[B][at][:-1] + "d"
    story.swap(story.devices[B], at, story.delivery(B, 5))
    assert story.finds()["late"] == 1


def test_order_is_that_of_one_sender(story):
    """Another incarnation's numbers begin anew, and may come between."""
    at = story.devices[A].index("S u01 6")
    rest = len(story.devices[A]) - at
    story.devices[A][at:] = ["N 1"] + ["%s u01 %d" % (tag, n) for n in range(1, rest // 2 + 1) for tag in "SA"]
    old, new = [make_key(A + ".0", "u01", n) for n in range(6, 11)], [make_key(A + ".1", "u01", n) for n in range(1, 6)]
    for lines in list(story.archives.values()) + [story.devices[B], story.devices["u01.d1"]]:
        for i, line in enumerate(lines):
            for before, after in zip(old, new):
                lines[i] = lines[i].replace(before + " ", after + " ")
    story.finds()


@pytest.mark.parametrize("key", [make_key(A + ".0", "u01", 11), make_key(A + ".1", "u01", 1), make_key(B + ".0", "u00", 1)])
def test_phantoms(story, key):
    story.devices[B].append("D %s i11 p -" % key)
    story.finds(phantom=1)


def test_phantom_in_an_archive(story):
    story.archives["u01"].append("M ? i11")
    story.archives["u00"].append("M %s i12" % make_key(A + ".0", "u01", 11))
    story.finds(phantom=2)


def test_phantom_at_another_user(story):
    story.devices[A].append("D %s i3 p -" % make_key(A + ".0", "u01", 3))
    story.finds(phantom=1)


def test_a_sent_carbon_is_none(story):
    story.devices["u00.d1"] = ["N 0", "C bound e1", "D %s i3 s -" % make_key(A + ".0", "u01", 3)]
    story.finds()


def test_a_carbon_of_a_sent_one_is_no_promise(story):
    story.devices["u00.d1"] = ["N 0", "C bound e1"] + ["D %s i%d s -" % (make_key(A + ".0", "u01", n), n) for n in (1, 2, 4, 5)]
    assert story.finds()["carbons missed"] == 1


def test_nor_is_its_order(story):
    story.devices["u00.d1"] = ["N 0", "C bound e1"] + ["D %s i%d s -" % (make_key(A + ".0", "u01", n), n) for n in (1, 3, 2)]
    assert story.finds()["carbons late"] == 1


def test_own_messages_are_not_missed(story):
    answer = make_key(B + ".0", "u00", 1)
    story.devices[B] += ["S u00 1", "A u00 1"]
    for user, at in (("u00", 5), ("u01", 5)):
        story.archives[user].insert(at, "M %s j1" % answer)
    story.devices[A].append("D %s j1 p -" % answer)
    story.devices["u01.d1"].insert(7, "D %s j1 s -" % answer)
    story.finds()


def test_phantom_of_no_known_body(story):
    story.devices[B].append("P from_nobody")
    story.finds(phantom=1)


def test_refused(story):
    story.devices[A].append("E %s resource-constraint" % make_key(A + ".0", "u01", 3))
    story.finds(refused=1)


def told(story, n, condition="remote-server-timeout"):
    story.devices[A].append("E %s %s" % (make_key(A + ".0", "u01", n), condition))


def test_told_that_another_server_did_not_take_it(story):
    """In its sender's archive it is nevertheless."""
    story.servers = 2
    told(story, 10)
    told(story, 10)
    del story.archives["u01"][9]
    story.forget(B, 10)
    story.forget("u01.d1", 10)
    counts = story.finds()
    assert (counts["crossed"], counts["told"], counts["told in vain"]) == (10, 1, 0)


def test_told_in_vain(story):
    story.servers = 2
    told(story, 3)
    assert story.finds()["told in vain"] == 1


def test_not_told(story):
    story.servers = 2
    told(story, 3)
    del story.archives["u01"][9]
    story.finds(lost=1)


def test_told_is_no_reason_to_forget_what_was_sent(story):
    story.servers = 2
    told(story, 10)
    del story.archives["u00"][9]
    story.finds(lost=1)


@pytest.mark.parametrize("servers, condition", [(2, "resource-constraint"), (2, "remote-server-not-found"), (1, "remote-server-timeout")])
def test_other_errors_are_refusals_also_across_the_border(story, servers, condition):
    story.servers = servers
    told(story, 3, condition)
    story.finds(refused=1)


def test_protocol(story):
    story.devices[A].append("V h_went_back")
    story.finds(protocol=1)


@pytest.mark.parametrize("rows, found", [
    ({"doubled": [], "entries": {"u00": 10, "u01": 10}}, {}),
    ({"doubled": [], "entries": {"u00": 10, "u01": 11}}, {"untold": 1}),
    ({"doubled": [[make_key(A + ".0", "u01", 3), 2]], "entries": {"u00": 10, "u01": 10}}, {"doubled": 1}),
])
def test_rows_past_the_server(story, rows, found):
    with open(os.path.join(story.folder, "sql.json"), "w") as f:
        json.dump(rows, f)
    story.finds(**found)


def test_untold(story):
    with open(os.path.join(story.folder, "sql.json"), "w") as f:
        json.dump({"doubled": [], "entries": {}}, f)
    story.finds(untold=2)


def test_a_history_that_is_not_whole_is_refused(story):
    story.devices[A].remove("S u01 5")
    with pytest.raises(ValueError):
        story.judge()


def test_time_to_the_ack(story):
    verdict = story.judge()
    assert verdict.stall_ms == 1 and verdict.stall_of.startswith(A)


def test_bodies():
    key = make_key("u03.d1.0", "u05", 17)
    assert key_of(make_body(key)) == key
    for bad in (None, "", "hello", key, make_body(key) + ".", make_body(key)[:-1] + "x", make_body(key).replace("17", "18", 1)):
        assert key_of(bad) in (None, key) and (bad == make_body(key) or key_of(bad) is None)
