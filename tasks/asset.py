"""The batch in S3 as an asset of Prefect's, so that lineage and automations see when it was made."""

from __future__ import annotations

from prefect.assets import Asset, AssetProperties, materialize
from prefect.cache_policies import NO_CACHE

from dailies.domain.clips import batch_folder
from dailies.domain.figures import Totals
from dailies.planning.batch import Batch
from dailies.report.links import report_key
from tasks.engine.states import best_effort_ui


def asset_key(batch: Batch) -> str:
    """`s3://bucket/prefix/batch`: the folder in which its clips and its report lie."""
    return f"s3://{batch.bucket}/{report_key(batch.prefix, batch_folder(batch.name))}"


async def materialise(batch: Batch, totals: Totals) -> None:
    """Tell Prefect that the batch's folder was brought up to date, where a clip of it is there. A key that Prefect does not
    take, such as one of a prefix with blanks, is a line in the log."""
    if not totals.delivered + totals.already_delivered:
        return
    with best_effort_ui("the asset of the batch"):
        asset = Asset(key=asset_key(batch), properties=AssetProperties(name=batch.name, description=totals.sentence()))
        told = materialize(asset, by="dailies", name="in-s3", task_run_name=f"in S3 · {batch.name}", cache_policy=NO_CACHE,
                           persist_result=False)(_sentence)  # fmt: skip
        await told(totals.sentence())


async def _sentence(sentence: str) -> str:
    return sentence
