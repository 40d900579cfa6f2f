"""The refund pack: for each clip that was charged and is not what was bought, the evidence and a letter. Pure."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from dailies.domain.clips import clip_name
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State
from dailies.domain.text import as_utf8
from dailies.report.cells import safe_cell
from dailies.report.reconcile import Reconciliation, Verdict

BROKEN = "it does not decode"
"""How the delivery's check begins its words about a clip that no player opens."""


class Ground(StrEnum):
    """Why the money should come back."""

    FAILED = "charged, and the generation failed"
    LOST = "charged, and the clip can no longer be downloaded"
    BROKEN = "the clip is broken"
    NOT_AS_ORDERED = "the clip is not what was ordered"


@dataclass(frozen=True, slots=True)
class Claim:
    """One charge to ask back. `usd` is the charge as answered or posted; the quote where neither is known."""

    ground: Ground
    row: BatchRow
    attempt: Attempt
    usd: Decimal
    usd_is_quote: bool

    @property
    def name(self) -> str:
        """A file name for this claim."""
        return clip_name(self.row.id, self.row.clip_key)

    @property
    def evidence(self) -> str:
        """What was measured, or what the provider said."""
        return self.attempt.mismatch or self.attempt.error or "no reason was given"

    @property
    def asked(self) -> str:
        """The order in one line."""
        clip = self.row.clip
        size = [clip.resolution, clip.aspect_ratio, clip.duration_s and f"{clip.duration_s} s"]
        options = [f"{name}={value}" for name, value in clip.options.items()]
        return ", ".join(str(part) for part in (clip.model, *size, *options) if part)

    def facts(self) -> dict[str, str | int | None]:
        """Everything about it as plain values; `claims.csv` has these columns in this order."""
        a = self.attempt
        return {
            "ground": str(self.ground), "evidence": self.evidence, "usd": f"{self.usd:f}",
            "usd_is": "quoted" if self.usd_is_quote else "charged", "credits_used": a.credits_used, "provider": a.provider,
            "generation_id": a.generation_id, "client_reference": a.id, "request_digest": a.request_digest,
            "image_sha256": a.image_sha256, "model": self.row.clip.model, "asked": self.asked,
            "prompt": self.row.clip.prompt, "image": self.row.clip.image.source, "created_at": _utc(a.created_at),
            "completed_at": _utc(a.completed_at), "stored_at": _utc(a.stored_at), "s3_uri": a.s3_uri,
            "sha256": a.sha256, "size_bytes": a.size_bytes, "id": self.row.id, "batch": a.batch,
            "clip_key": self.row.clip_key,
        }  # fmt: skip


def refund_claims(rows: Sequence[BatchRow], reconciliation: Reconciliation | None = None) -> list[Claim]:
    """Every charge worth asking back; a reconciliation adds those that only the provider's ledger shows."""
    posted = (
        {e.attempt: e.usd_posted for e in reconciliation.entries if e.verdict is Verdict.FAILED_CHARGED}
        if reconciliation
        else {}
    )
    back = {e.attempt for e in reconciliation.entries if e.verdict is Verdict.REFUNDED} if reconciliation else set()
    claims: dict[str, Claim] = {}
    for row in rows:
        for attempt in row.attempts:
            if attempt.id not in claims and attempt.id not in back:
                claim = _claim(row, attempt, posted.get(attempt.id))
                if claim:
                    claims[attempt.id] = claim
    return list(claims.values())


def _claim(row: BatchRow, attempt: Attempt, posted: Decimal | None) -> Claim | None:
    ground = _ground(attempt)
    charge = posted or attempt.usd_charged
    if ground is None or (ground is Ground.FAILED and not charge) or charge == 0:
        return None
    return Claim(ground, row, attempt, attempt.usd_quoted if charge is None else charge, charge is None)


def _ground(attempt: Attempt) -> Ground | None:
    if attempt.generation_id is None:
        return None
    if attempt.delivered:
        if attempt.mismatch is None:
            return None
        return Ground.BROKEN if attempt.mismatch.startswith(BROKEN) else Ground.NOT_AS_ORDERED
    if attempt.state is State.RESULT_LOST or (attempt.state is State.ORPHANED and attempt.completed_at):
        return Ground.LOST if attempt.failure or attempt.state is State.RESULT_LOST else None
    return Ground.FAILED if attempt.state is State.FAILED or attempt.failure else None


def letter(claims: Sequence[Claim], provider: str, made_at: datetime) -> str:
    """A text that can be sent to the provider's support as it is."""
    mine = [claim for claim in claims if claim.attempt.provider == provider]
    total, count = show_usd(sum_usd(claim.usd for claim in mine)), len(mine)
    word = "generation" if count == 1 else "generations"
    head = [
        f"Subject: Refund request: {count} {word}, {total}", "", "Hello,", "",
        f"we were charged {total} for {count} {word} that failed, can't be downloaded, are broken or are not what we",
        "ordered. Please check them and refund the charges. Each one is listed with its id, the reference we sent with",
        "the request (X-Client-Request-Id), our digest of the request, times in UTC, what we asked for and what came.", "",
    ]  # fmt: skip
    parts = [line for number, claim in enumerate(mine, 1) for line in _paragraph(number, claim)]
    foot = ["The details are attached as claims.csv and one JSON file each.", "", f"Written {made_at:%Y-%m-%d}."]
    return "\n".join([*head, *parts, *foot]) + "\n"


def _paragraph(number: int, claim: Claim) -> list[str]:
    a = claim.attempt
    came = f"{a.size_bytes} bytes, SHA-256 {a.sha256}" if a.sha256 else "no clip"
    return [
        f"{number}. {claim.ground}: {show_usd(claim.usd)}{' (as quoted)' if claim.usd_is_quote else ''}",
        f"   generation     {_one_line(a.generation_id or '')}",
        f"   reference      {a.id}",
        f"   request        {a.request_digest}",
        f"   asked for      {_one_line(claim.asked)}",
        f"   came           {came}",
        f"   evidence       {_one_line(claim.evidence)}",
        f"   created        {_utc(a.created_at)}",
        f"   completed      {_utc(a.completed_at) or 'never'}",
        "",
    ]


def refund_files(
    claims: Sequence[Claim], made_at: datetime, poster: Callable[[Claim], bytes | None] = lambda _claim: None
) -> dict[str, bytes]:
    """`refund-PROVIDER.txt` for each provider and `refund-pack.zip` with letters, figures, facts and stills; {} for none."""
    if not claims:
        return {}
    providers = sorted({claim.attempt.provider for claim in claims})
    letters = {f"refund-{name}.txt": as_utf8(letter(claims, name, made_at)) for name in providers}
    packed: dict[str, bytes] = {**letters, "claims.csv": as_utf8(claims_csv(claims))}
    for claim in claims:
        facts = json.dumps(claim.facts(), ensure_ascii=False, indent=2)
        packed[f"generations/{claim.name}-{claim.attempt.no}.json"] = as_utf8(facts)
        still = poster(claim)
        if still:
            packed[f"posters/{claim.name}.webp"] = still
    return {**letters, "refund-pack.zip": _zipped(packed, made_at)}


def claims_csv(claims: Sequence[Claim]) -> str:
    """One row per claim, formula-safe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    facts = [claim.facts() for claim in claims]
    writer.writerow(facts[0] if facts else [])
    writer.writerows([safe_cell(value) for value in row.values()] for row in facts)
    return out.getvalue()


def _zipped(files: Mapping[str, bytes], made_at: datetime) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, made_at.timetuple()[:6])
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def _utc(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
