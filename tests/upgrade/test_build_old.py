# SPDX-License-Identifier: Apache-2.0
"""tools/build-old says what is missing, instead of leaving its tests out."""
import os
import shutil
import subprocess

import pytest

from flock import ROOT


@pytest.fixture
def clone(tmp_path):
    """A repository without our history."""
    for path in ("tools/build-old", "tests/upgrade/BASE"):
        os.makedirs(os.path.dirname(tmp_path / path))
        shutil.copy(os.path.join(ROOT, path), tmp_path / path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def refused(clone, **env):
    result = subprocess.run([str(clone / "tools/build-old"), str(clone / "build")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            universal_newlines=True, env={**os.environ, "STARLING_OLD_BIN": "", **env})
    assert result.returncode == 1 and not result.stdout
    return result.stderr


def test_without_the_history(clone):
    assert "fetch the whole history" in refused(clone)


def test_without_programs(clone):
    assert "has no session-manager" in refused(clone, STARLING_OLD_BIN=str(clone))


def test_programs_that_are_there(clone):
    (clone / "session-manager").touch(mode=0o755)
    result = subprocess.run([str(clone / "tools/build-old"), "build"], stdout=subprocess.PIPE, universal_newlines=True,
                            env={**os.environ, "STARLING_OLD_BIN": str(clone)})
    assert result.returncode == 0 and result.stdout.strip() == str(clone)
