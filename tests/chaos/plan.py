# SPDX-License-Identifier: Apache-2.0
"""Which faults happen when: decided by a seed before the run, each kind at least once.

usage: plan.py SECONDS SEED [pair]       prints the plan
"""
import random
import sys
from collections import namedtuple

ROLES = ("c2s-edge", "router", "session-manager", "auth", "storage", "s2s")
# Of a pair that federates; of a server alone there is no name.
SITES = ("left", "right")
# Longer and shorter than a lease of six seconds, and than the three after which a router takes an instance for dead.
SHORT, LONG = (1.0, 3.0), (8.0, 15.0)
WARM_UP, COOL_DOWN = 4.0, 4.0

# action: what nemesis.py does to the target; share: of all connections; weight: how often, beside the once that each happens.
# A target may be several roles (`+`), and all instances of one (`*`).
Kind = namedtuple("Kind", "name action target length share weight")
# target: the kind's; targets: whom it hits there; site: where, or for one way of the border where that way leads.
Fault = namedtuple("Fault", "at name action target targets length share site")


def kinds_of_a_role(role):
    return [Kind("kill", "kill", role, None, 0, 3), Kind("stop, short", "stop", role, SHORT, 0, 2),
            Kind("stop, long", "stop", role, LONG, 0, 1), Kind("restart in good order", "term", role, None, 0, 1)]


STORES = [Kind("kill, back empty", "kill", "redis", None, 0, 2), Kind("stop, short", "stop", "redis", SHORT, 0, 1),
          Kind("stop, long", "stop", "redis", LONG, 0, 1), Kind("emptied, then killed", "flush", "redis", None, 0, 1),
          Kind("kill", "kill", "postgres", None, 0, 2), Kind("stop, short", "stop", "postgres", SHORT, 0, 1),
          Kind("stop, long", "stop", "postgres", LONG, 0, 1), Kind("restart in good order", "int", "postgres", None, 0, 1),
          Kind("link cut", "cut", "postgres", None, 0, 1), Kind("link silent", "silence", "postgres", (2.0, 12.0), 0, 1),
          Kind("link cut", "cut", "redis", None, 0, 1), Kind("link silent", "silence", "redis", (2.0, 12.0), 0, 1),
          Kind("edge and owner killed at once", "kill", "c2s-edge+session-manager", None, 0, 1)]

# Silence is longer than servers wait for an answer, and shorter.
BORDER = [Kind("reset", "cut", "border", None, 0, 2), Kind("cut", "cut", "border", (2.0, 12.0), 0, 1),
          Kind("cut, one way", "cut_one_way", "border", (2.0, 12.0), 0, 1),
          Kind("silent", "silence", "border", (2.0, 15.0), 0, 2), Kind("silent, one way", "silence_one_way", "border", (2.0, 15.0), 0, 2),
          Kind("silent, then reset", "lose", "border", (2.0, 15.0), 0, 1), Kind("what is connected is silent", "freeze", "border", (8.0, 15.0), 0, 2),
          Kind("s2s and owner killed at once", "kill", "s2s+session-manager", None, 0, 1),
          Kind("all edges and s2s killed", "kill", "c2s-edge*+s2s*", None, 0, 1),
          Kind("all edges and s2s restarted", "term", "c2s-edge*+s2s*", None, 0, 1)]

CLIENTS = [Kind("connections reset", "reset", "clients", None, (0.1, 0.6), 2),
           Kind("connections silent", "hole", "clients", (2.0, 12.0), (0.1, 0.5), 1)]


def kinds(scale, pair=False):
    out = [k for role in ROLES if role in scale for k in kinds_of_a_role(role)]
    if not out:
        out = [k for role in scale for k in kinds_of_a_role(role)[:2]]
    return out + (STORES if "storage" in scale else []) + (BORDER if pair else []) + CLIENTS


def make(seed, seconds, scales, interval, only=None):
    """The plan: faults by time. scales: {role: instances} of the server, or of both of a pair; interval: mean seconds between faults, or less
    where each kind would not have its turn; only: kinds in whose target or name this is."""
    rng = random.Random("plan %s" % seed)
    all_kinds = [k for k in kinds(scales[0], len(scales) > 1) if not only or only in "%s: %s" % (k.target, k.name)]
    if not all_kinds:
        return []
    order = rng.sample(all_kinds, len(all_kinds))
    usable = seconds - WARM_UP - COOL_DOWN
    more = max(int(usable / interval) - len(order), 0)
    order += rng.choices(all_kinds, [k.weight for k in all_kinds], k=more)
    # What must happen once stays where it is in a short run and is spread over a long one.
    if more:
        rng.shuffle(order)
    step = usable / len(order)
    return [fault(rng, kind, WARM_UP + (i + rng.random()) * step, scales) for i, kind in enumerate(order)]


def fault(rng, kind, at, scales):
    site = rng.randrange(len(scales)) if len(scales) > 1 else 0
    scale, targets = scales[site], []
    for role in kind.target.split("+"):
        if role.endswith("*"):
            targets += ["%s-%d" % (role[:-1], i + 1) for i in range(scale[role[:-1]])]
        else:
            targets.append("%s-%d" % (role, rng.randrange(scale[role]) + 1) if scale.get(role) and role in ROLES else role)
    return Fault(round(at, 2), kind.name, kind.action, kind.target, tuple(targets), round(rng.uniform(*kind.length), 2) if kind.length else 0,
                 round(rng.uniform(*kind.share), 2) if kind.share else 0, SITES[site] if len(scales) > 1 else "")


def whole_pair(f):
    """It has no side."""
    return f.target == "clients" or f.target == "border" and not f.action.endswith("one_way")


def text(f):
    more = "".join((" for %.1f s" % f.length if f.length else "", ", %d %%" % (100 * f.share) if f.share else ""))
    where = "%s " % f.site if f.site and not whole_pair(f) else ""
    return "%8.2f s  %s%s: %s%s" % (f.at, where, "+".join(f.targets), f.name, more)


if __name__ == "__main__":
    from servers import SCALE, SCALES
    for f in make(int(sys.argv[2]), float(sys.argv[1]), SCALES if "pair" in sys.argv else [SCALE], 14):
        print(text(f))
