"""Where on this machine the project lies, so that no deployment bakes in the folder of whoever deployed it."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """The demo's CSV and images: the clone's `data/`, else the copy that the installed package holds."""
    clone = _ROOT / "data"
    return clone if (_ROOT / "prefect.yaml").exists() else _ROOT / "dailies" / "data"


def project_folder() -> dict[str, str]:
    """The deployments' pull step: a run starts in the clone that is installed here, with its `.env` and its `data/`.

    Where the package is installed without a clone, a run stays in the folder that its worker chose.
    """
    return {"directory": str(_ROOT if (_ROOT / "prefect.yaml").exists() else Path.cwd())}
