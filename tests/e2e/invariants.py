"""What must hold after every fault, in the letters of the guarantees."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from urllib.parse import quote, urlsplit

import httpx
import sqlalchemy as sa

from dailies.domain.records import Attempt
from dailies.domain.states import State, may_claim
from dailies.ledger import tables as t
from tests.e2e.harness import Result, World, secrets_in, sha256, until

KEEP_ADDRESSES = ("ledger", ".db", "/home/spool/", "/home/answers/")
"""Where a clip that is ready and not here yet has its URL: the ledger, and 0600, what the ledger could not take or nobody
could read."""
FREE = (State.FAILED, State.SUPERSEDED)


def assert_invariants(world: World, rerun: bool = True) -> Result | None:
    """Run again with no faults until nothing is left to do, and look at every store. Returns the first clean run's result.

    `rerun=False` looks only, for worlds that have recovered already.
    """
    world.sandbox.clear_faults()
    world.store.clear_faults()
    result = None
    if rerun:
        before = len(world.posts())
        result = _buys_only_what_was_free(world)
        if len(world.posts()) > before or _not_at_an_end(result):
            before = len(world.posts())
            world.run()
            assert len(world.posts()) == before, "(e) one more run sent a POST"
    attempts = world.attempts()
    assert_charges(world, attempts)
    assert_stored(world, attempts)
    submitting = [attempt.id for attempt in attempts if attempt.state is State.SUBMITTING]
    assert not submitting, f"(d) left submitting: {submitting}"
    assert_budgets(world, attempts)
    assert_no_secret(world)
    return result


def _known_and_settled(world: World) -> dict[str, list[Attempt]]:
    """All attempts by clip, once no living sender holds one. A sender that has outlived its run may still claim what it was
    ordered to, set a claim free, or record an answer, and be gone before one asks whether it lives: so what was read counts
    when the owners were dead and the same is read again."""
    found: dict[str, list[Attempt]] = {}

    def settled() -> bool:
        attempts = world.attempts()
        with world.ledger() as ledger:
            nobody_sends = all(ledger.is_dead(a) for a in attempts if a.state is State.SUBMITTING)
        found.clear()
        found.update(_by_clip(world.attempts()))
        return nobody_sends and found == _by_clip(attempts)

    until(settled, 60)
    return found


def _histories(world: World, clip_key: str) -> list[str]:
    with world.ledger() as ledger:
        attempts = ledger.attempts(clip_key)
        return [
            f"{event.attempt_id[:8]} {event.at:%H:%M:%S.%f} {event.before} → {event.after} {event.owner}: {event.note}"
            for attempt in attempts
            for event in ledger.history(attempt.id)
        ]


def _buys_only_what_was_free(world: World) -> Result:
    """(e): the next run may buy clips that surely cost nothing, and no other."""
    known = _known_and_settled(world)
    result = world.run()
    new = [a for a in world.attempts() if a.id not in {old.id for olds in known.values() for old in olds}]
    for attempt in new:
        before = known.get(attempt.clip_key, [])
        assert may_claim(before), (
            f"(e) bought again though {[(a.state, a.failure) for a in before]}: {_histories(world, attempt.clip_key)}"
        )
    return result


def _not_at_an_end(result: Result) -> bool:
    return bool(result.stdout.strip()) and any(
        clip["state"] in ("planned", "submitted", "completed") for clip in result.json.get("clips", [])
    )


def assert_charges(world: World, attempts: list[Attempt]) -> None:
    """(a) at most one charge per clip beside the operator's; (b) each is on record, or its attempt in doubt."""
    by_id = {attempt.id: attempt for attempt in attempts}
    per_clip: Counter[str] = Counter()
    for charge in world.charges():
        assert charge.client_request_id in by_id, f"(b) a charge that no attempt knows: {charge}"
        attempt = by_id[charge.client_request_id]
        per_clip[attempt.clip_key] += 1
        on_record = attempt.generation_id == charge.generation_id
        assert on_record or attempt.state in (State.IN_DOUBT, State.SUPERSEDED), f"(b) {charge} but {attempt}"
    too_many = sum(count - 1 for count in per_clip.values())
    assert too_many <= world.resubmits, f"(a) {too_many} charges too many: {per_clip}"


def assert_stored(world: World, attempts: list[Attempt]) -> None:
    """(c) every stored clip is in S3 as the ledger says, and byte for byte what the provider made."""
    client = world.s3()
    for attempt in attempts:
        assert attempt.state is not State.STORED or attempt.delivered
        if not attempt.delivered:
            continue
        parts = urlsplit(attempt.s3_uri or "")
        content = client.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))["Body"].read()
        assert (sha256(content), len(content)) == (attempt.sha256, attempt.size_bytes), f"(c) {attempt.s3_uri}"
        assert attempt.result_url is None, "a stored row holds no URL"
        if attempt.mismatch is None:
            assert content == true_clip(world, attempt.generation_id or ""), f"(c) other bytes in {attempt.s3_uri}"


def true_clip(world: World, generation_id: str) -> bytes:
    """The clip as the provider made it."""
    url = f"{world.sandbox.url}/sandbox/clip?generation_id={quote(generation_id, safe='')}"
    answer = httpx.get(url, trust_env=False, verify=False)  # by http: no authorities are read for it
    assert answer.status_code == 200
    return answer.content


def assert_budgets(world: World, attempts: list[Attempt]) -> None:
    """What counts against budgets is the sum of what the attempts count."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for attempt in attempts:
        sums["batch", attempt.batch] += attempt.usd_counted
        sums["day", attempt.created_at.date().isoformat()] += attempt.usd_counted
    with world.ledger() as ledger, ledger.engine.connect() as connection:
        for scope, name, counted in connection.execute(
            sa.select(t.spend.c.scope, t.spend.c.name, t.spend.c.usd_counted)
        ):
            assert counted == sums[scope, name], f"{scope} {name} counts {counted}, not {sums[scope, name]}"


def assert_no_secret(world: World) -> None:
    """(f) no key in ledger, home, outputs, logs, S3 objects or their metadata; no signed URL in what people see."""
    client = world.s3()
    places = {f"output {n}": (r.stdout + r.stderr).encode() for n, r in enumerate(world.outputs)}
    places |= {str(path): path.read_bytes() for path in world.folder.rglob("*") if path.is_file()}
    places["the ledger"] = world.dump().encode()
    for key, content in world.objects().items():
        metadata = client.head_object(Bucket=world.bucket, Key=key)["Metadata"]
        places[f"s3 {key}"] = content + repr(metadata).encode()
    for place, content in places.items():
        on_its_way = any(word in place for word in KEEP_ADDRESSES)
        assert not (found := secrets_in(content, signed_urls=not on_its_way)), f"(f) {found} in {place}"


def _by_clip(attempts: list[Attempt]) -> dict[str, list[Attempt]]:
    found: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda a: a.no):
        found[attempt.clip_key].append(attempt)
    return found
