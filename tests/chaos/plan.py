# SPDX-License-Identifier: Apache-2.0
"""Which faults happen when: decided by a seed before the run, each kind at least once.

usage: plan.py SECONDS SEED       prints the plan
"""
import random
import sys
from collections import namedtuple

ROLES = ("c2s-edge", "router", "session-manager", "auth", "storage")
# Longer and shorter than a lease of six seconds, and than the three after which a router takes an instance for dead.
SHORT, LONG = (1.0, 3.0), (8.0, 15.0)
WARM_UP, COOL_DOWN = 4.0, 4.0

# action: what nemesis.py does to the target; share: of all connections; weight: how often, beside the once that each happens.
Kind = namedtuple("Kind", "name action target length share weight")
Fault = namedtuple("Fault", "at name action targets length share")


def kinds(scale):
    out = []
    for role in ROLES:
        if role in scale:
            out += [Kind("kill", "kill", role, None, 0, 3), Kind("stop, short", "stop", role, SHORT, 0, 2),
                    Kind("stop, long", "stop", role, LONG, 0, 1), Kind("restart in good order", "term", role, None, 0, 1)]
    if "storage" in scale:
        out += [Kind("kill, back empty", "kill", "redis", None, 0, 2), Kind("stop, short", "stop", "redis", SHORT, 0, 1),
                Kind("stop, long", "stop", "redis", LONG, 0, 1), Kind("emptied, then killed", "flush", "redis", None, 0, 1),
                Kind("kill", "kill", "postgres", None, 0, 2), Kind("stop, short", "stop", "postgres", SHORT, 0, 1),
                Kind("stop, long", "stop", "postgres", LONG, 0, 1), Kind("restart in good order", "int", "postgres", None, 0, 1),
                Kind("link cut", "cut", "postgres", None, 0, 1), Kind("link silent", "silence", "postgres", (2.0, 12.0), 0, 1),
                Kind("link cut", "cut", "redis", None, 0, 1), Kind("link silent", "silence", "redis", (2.0, 12.0), 0, 1),
                Kind("edge and owner killed at once", "kill", "c2s-edge+session-manager", None, 0, 1)]
    else:
        for role in scale:
            out += [Kind("kill", "kill", role, None, 0, 1), Kind("stop, short", "stop", role, SHORT, 0, 1)]
    return out + [Kind("connections reset", "reset", "clients", None, (0.1, 0.6), 2),
                  Kind("connections silent", "hole", "clients", (2.0, 12.0), (0.1, 0.5), 1)]


def make(seed, seconds, scale, interval, only=None):
    """The plan: faults by time. scale: {role: instances}; interval: mean seconds between faults, or less where each kind would not have its
    turn; only: kinds in whose target or name this is."""
    rng = random.Random("plan %s" % seed)
    all_kinds = [k for k in kinds(scale) if not only or only in "%s: %s" % (k.target, k.name)]
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
    return [fault(rng, kind, WARM_UP + (i + rng.random()) * step, scale) for i, kind in enumerate(order)]


def fault(rng, kind, at, scale):
    targets = []
    for role in kind.target.split("+"):
        targets.append("%s-%d" % (role, rng.randrange(scale[role]) + 1) if scale.get(role) and role in ROLES else role)
    return Fault(round(at, 2), kind.name, kind.action, tuple(targets), round(rng.uniform(*kind.length), 2) if kind.length else 0,
                 round(rng.uniform(*kind.share), 2) if kind.share else 0)


def text(f):
    more = "".join((" for %.1f s" % f.length if f.length else "", ", %d %%" % (100 * f.share) if f.share else ""))
    return "%8.2f s  %s: %s%s" % (f.at, "+".join(f.targets), f.name, more)


if __name__ == "__main__":
    from servers import SCALE
    for f in make(int(sys.argv[2]), float(sys.argv[1]), SCALE, 14):
        print(text(f))
