"""Where on this machine the project lies, so that no deployment bakes in the folder of whoever deployed it."""

from __future__ import annotations

from pathlib import Path


def project_folder() -> dict[str, str]:
    """The deployments' pull step: a run starts in the clone that is installed here, with its `.env` and its `data/`.

    Where the package is installed without a clone, a run stays in the folder that its worker chose.
    """
    root = Path(__file__).resolve().parents[2]
    return {"directory": str(root if (root / "prefect.yaml").exists() else Path.cwd())}
