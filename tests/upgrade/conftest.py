# SPDX-License-Identifier: Apache-2.0
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
for level in ("system", "chaos", "upgrade"):
    sys.path.insert(0, os.path.join(TESTS, level))
