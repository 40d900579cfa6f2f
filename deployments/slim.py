"""Takes out of the image's packages what no run loads: `python deployments/slim.py SITE_PACKAGES`, by the Dockerfile.

The packages' own tests, what compiles against pyarrow, its network services (our clips go by boto3), and what only installs.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

UNUSED = (
    "pip",
    "pip-*.dist-info",
    "setuptools",
    "setuptools-*.dist-info",
    "_distutils_hack",
    "distutils-precedence.pth",
    "pkg_resources",
    "**/tests",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/libarrow_flight.so*",
    "pyarrow/libarrow_python_flight.so*",
    "pyarrow/_flight.*",
    "pyarrow/libarrow_s3.so*",
    "pyarrow/_s3fs.*",
    "pyarrow/_pyarrow_cpp_tests.*",
    "pyarrow/libarrow_python*.so",  # what a linker looks for, and the same library under its full number
    "pyarrow/libarrow_python*.so.*.*",
)


def unused(site: Path) -> Iterator[Path]:
    """The files and folders below a site-packages that the image does without, outermost first."""
    for pattern in UNUSED:
        yield from sorted(site.glob(pattern))


def main(site: Path) -> None:
    """Remove them."""
    for path in unused(site):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # below a folder that went before


if __name__ == "__main__":
    main(Path(sys.argv[1]))
