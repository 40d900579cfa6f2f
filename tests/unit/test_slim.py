"""What deployments/slim.py takes out of the image's packages; that a run misses nothing of it, tests/flows/image_cases.py shows."""

from __future__ import annotations

from pathlib import Path

from deployments.slim import main

GOES = (
    "pip/__main__.py",
    "setuptools/build_meta.py",
    "numpy/_core/tests/test_a.py",
    "pandas/tests/tests/test_b.py",
    "pyarrow/include/arrow/api.h",
    "pyarrow/libarrow_flight.so.2600",
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.2600.1.0",
)
STAYS = (
    "jinja2/tests.py",
    "numpy/testing/__init__.py",
    "pipdeptree.py",
    "prefect/testing/utilities.py",
    "pyarrow/libarrow.so.2600",
    "pyarrow/libarrow_python.so.2600",
    "pyarrow/libparquet.so.2600",
)


def test_tests_headers_and_installers_go_and_what_is_imported_stays(tmp_path: Path) -> None:
    for name in (*GOES, *STAYS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    main(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(STAYS)


def test_an_installed_package_has_what_goes(tmp_path: Path) -> None:
    """A pattern that fits nothing any more says so when pyarrow moves its parts."""
    import pyarrow

    site = Path(pyarrow.__file__).parents[1]
    for pattern in ("pyarrow/include", "pyarrow/libarrow_flight.so*", "pyarrow/libarrow_s3.so*", "pyarrow/_s3fs.*"):
        assert list(site.glob(pattern)), pattern
