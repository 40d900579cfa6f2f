"""What `dailies init` says to type next works as it stands, once key and store are set."""

from __future__ import annotations

import re
import shlex

from tests.e2e.harness import World

COMMAND = re.compile(r"^(dailies .*?)(?:   .*)?$", re.MULTILINE)


def test_the_commands_that_init_prints_make_its_three_clips(world: World) -> None:
    said = world.command("init")
    assert said.code == 0
    lines = COMMAND.findall(said.stdout)
    assert len(lines) == 3
    for line in lines:
        done = world.command(*shlex.split(line)[1:])
        assert done.code == 0, (line, done.stderr)
    assert len(world.charges()) == 3
    shown = world.command("models", "show", "openai/sora-2-pro-i2v").stdout.splitlines()[-1]
    checked = world.command(*shlex.split(shown.removeprefix("Next: "))[1:])
    assert checked.code == 0 and "3 in S3 already" in checked.stdout
