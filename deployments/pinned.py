"""`make pinned`: which images the shipped files name by tag and not by digest. What a tag means may change between two machines.

The repository itself names tags, for a digest can only be looked up in a registry. Who runs it in production writes digests into
the files of their clone, and has their pipeline run this before it builds or rolls out: exit code 1 while a tag is left.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def images(deployments: Path) -> Iterator[tuple[str, str]]:
    """Each image that somebody's engine would pull, after the file that names it."""
    for name in re.findall(r"^ARG PYTHON_IMAGE=(\S+)", (deployments / "Dockerfile").read_text(), re.MULTILINE):
        yield "Dockerfile", name
    for service in yaml.safe_load((deployments / "compose.yaml").read_text())["services"].values():
        if "build" not in service:  # else it is made right there
            yield "compose.yaml", service["image"]
    for image in yaml.safe_load((deployments / "kubernetes" / "kustomization.yaml").read_text())["images"]:
        shown = f"@{image['digest']}" if "digest" in image else f":{image.get('newTag', 'latest')}"
        yield "kubernetes/kustomization.yaml", image.get("newName", image["name"]) + shown
    for pool in ("docker", "kubernetes"):
        template = json.loads((deployments / "work-pools" / f"{pool}.json").read_text())
        yield f"work-pools/{pool}.json", template["variables"]["properties"]["image"]["default"]


def main(deployments: Path) -> int:
    """Say which are not pinned. Returns 1 where one is not."""
    named = list(dict.fromkeys(images(deployments)))
    loose = [(file, image) for file, image in named if not DIGEST.search(image)]
    for file, image in loose:
        print(f"deployments/{file}: {image} is named by tag")
    print(f"{len(named) - len(loose)} of {len(named)} images are named by digest")
    return 1 if loose else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
