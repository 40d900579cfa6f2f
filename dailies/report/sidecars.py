"""`NAME.json` beside each clip in S3: all that is known of it. The one object that may be replaced, and only by its ETag.

A sidecar is drawn from the ledger after its present ETag was read, so of two writers the later word stands. Its failure is a
log line: no state and no money hangs on it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from dailies.domain.records import BatchRow
from dailies.domain.text import as_utf8
from dailies.ledger import Ledger
from dailies.report.facts import facts_of, is_facts
from dailies.report.links import sidecar_key
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import S3, USUAL, Body, KeyTaken, StoreRefused, StoreTrouble, in_a_way_it_takes, parse_s3_uri

logger = logging.getLogger("dailies.sidecars")
KIND: Final = "application/json"
LARGEST: Final = 1 << 20
TRIES: Final = 5
AT_ONCE: Final = 8


def keep_sidecars(ledger: Ledger, s3: S3, clip_key: str, ways: StoreAbilities = USUAL, only: str | None = None) -> bool:
    """Have a sidecar that is true beside a clip, wherever the clip lies; `only` names the one place where it was put just now.

    False where that was not possible. Blocks; never raises.
    """
    try:
        for place in [only] if only else [*_places(ledger, clip_key)]:
            _keep(ledger, s3, clip_key, place, ways, new=only is not None)
    except Exception as error:  # noqa: BLE001 - the clip is paid for and stored: no sidecar is worth failing anything
        logger.info("%s · its sidecar is not up to date: %s", clip_key[:12], error)
        return False
    return True


def keep_all_sidecars(ledger: Ledger, s3: S3, clip_keys: Iterable[str]) -> int:
    """The same for many clips, some at once; of how many it is true now. A store that did not take the first is not asked on."""
    waiting = iter([*clip_keys])
    if (first := next(waiting, None)) is None or not keep_sidecars(ledger, s3, first):
        return 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return 1 + sum(pool.map(lambda key: keep_sidecars(ledger, s3, key), waiting))


def sidecar(facts: dict[str, Any]) -> bytes:
    """The file's content; the same facts are the same bytes."""
    return as_utf8(json.dumps(facts, ensure_ascii=False, indent=1) + "\n")


def places_of(rows: Iterable[BatchRow]) -> dict[str, dict[str, Any]]:
    """The facts for each place in S3 where a clip lies, by its address; a batch's own copy tells of that batch's row."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.forgotten:
            continue
        for attempt in row.attempts:
            if attempt.s3_uri and (attempt.batch == row.batch or attempt.s3_uri not in found):
                found[attempt.s3_uri] = {**facts_of(row, attempt), "s3_uri": attempt.s3_uri}
        if row.copy_uri and row.attempt and row.attempt.delivered:
            found[row.copy_uri] = facts_of(row)
    return found


def _places(ledger: Ledger, clip_key: str) -> dict[str, dict[str, Any]]:
    return places_of(ledger.rows_of_clips([clip_key]))


def _keep(ledger: Ledger, s3: S3, clip_key: str, uri: str, ways: StoreAbilities, new: bool) -> None:
    """Write one sidecar, unless it says so already. `new`: nothing is expected to be there, so it is not asked for first."""
    bucket, clip = parse_s3_uri(uri)
    key = sidecar_key(clip)
    for attempt in range(TRIES):
        there = None if new and ways.conditional and not attempt else _there(s3, bucket, key)
        facts = _places(ledger, clip_key).get(uri)
        if facts is None:  # forgotten, or not there any more
            return
        content = sidecar(facts)
        if there and there[1] == content:
            return
        if there and not _is_ours(there[1]):
            logger.info("s3://%s/%s is no sidecar of ours; it is not overwritten", bucket, key)
            return
        try:
            _put(s3, bucket, key, content, there[0] if there else None, ways)
            return
        except (KeyTaken, KeyError):  # somebody was quicker: look again, at the ledger too
            continue
    raise StoreTrouble(f"s3://{bucket}/{key} was changed by others {TRIES} times")


def _put(s3: S3, bucket: str, key: str, content: bytes, etag: str | None, ways: StoreAbilities) -> None:
    body = Body.of(content)
    in_a_way_it_takes(ways, lambda way: s3.put(bucket, key, body, KIND, {}, way, etag))


def _there(s3: S3, bucket: str, key: str) -> tuple[str, bytes] | None:
    """ETag and content of what lies there; None for nothing, as a key that may not list is told by a 403."""
    try:
        opened = s3.open(bucket, key)
    except KeyError:
        return None
    except StoreRefused as error:
        if error.status == 403:
            return None
        raise
    content = b""
    for chunk in opened.chunks:
        content += chunk
        if len(content) > LARGEST:
            break
    return opened.etag, content


def _is_ours(content: bytes) -> bool:
    try:
        found = json.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and is_facts(found)
