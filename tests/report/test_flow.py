"""The scheduled report under a real Prefect server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from dailies.domain.states import State
from dailies.ledger import Ledger, Owner, open_engine
from tests.e2e.fixtures import services
from tests.e2e.harness import Services
from tests.ledger.factories import bring_to

__all__ = ["services"]
PROGRAM = """
import asyncio
from flows.report import report_clips
print(asyncio.run(report_clips(days=3660, to="s3://reports/clips", return_state=True)).message)
"""


@pytest.mark.slow
def test_the_flow_puts_the_report_into_s3_and_says_the_totals(services: Services, tmp_path: Path) -> None:
    ledger = Ledger(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}"), Owner.this_process())
    bring_to(ledger, State.STORED)
    ledger.close()
    aws = {
        "AWS_ENDPOINT_URL_S3": services.s3_url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }
    s3 = boto3.client(
        "s3", endpoint_url=services.s3_url, aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
    )
    s3.create_bucket(Bucket="reports")
    environ = {
        **os.environ,
        **services.prefect,
        **aws,
        "AWS_DEFAULT_REGION": "us-east-1",
        "DAILIES_HOME": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, timeout=120)
    assert "1 of 1 delivered" in done.stdout, done.stderr[-2000:]
    names = {entry["Key"] for entry in s3.list_objects_v2(Bucket="reports")["Contents"]}
    folders = {name.rpartition("/")[0] for name in names}
    assert len(folders) == 1 and folders.pop().startswith("clips/_reports/all-batches-from-")
    assert {name.rpartition("/")[2] for name in names} >= {
        "report.html",
        "credits.csv",
        "credits.parquet",
        "summary.json",
    }
