"""A provider that makes fewer at once than are asked for and does not say so, or changes its mind in mid-run."""

from __future__ import annotations

import sys

from benchmarks.measure import ours
from benchmarks.report import Bar, Chart, Report
from benchmarks.served import places_at
from benchmarks.stage import Stage

TIME_SCALE, ASKED, FIRST_S = 0.2, 50, 60.0
FOR_S, CHANGED_FOR_S = 240.0, 480.0
"""About so long each run takes at its limit; and where that changes, which costs refusals once and is used for the rest of the run."""
LIMITS = {
    "3": "3 at once",
    "7": "7 at once",
    "20": "20 at once",
    "20,7@120": "20, after two minutes 7",
    "7,20@120": "7, after two minutes 20",
}
CLIP_S = 90 * TIME_SCALE * 1.06  # with the mean of its spread


def run(stage: Stage, full: bool) -> Report:
    """What each limit comes to after the first minute, beside a program that was told it."""
    rows: list[list[object]] = []
    bars: list[Bar] = []
    shares: dict[str, float] = {}
    for places, words in LIMITS.items() if full else [("7", LIMITS["7"])]:
        told = 0.0 if "," in places else _share(stage, places, int(places), full)[0]
        share, refused, sent = _share(stage, places, ASKED, full)
        rows.append([words, share, told or "", f"{refused} of {sent}"])
        shares[f"dailies, {words}"] = share
        possible = share / told if told else share
        bars.append(
            Bar(
                f"{words}: throughput after the first minute over {'one that was told' if told else 'the possible'}",
                possible,
                0.95,
                True,
            )
        )
        bars.append(Bar(f"{words}: creates refused after the first minute", refused / sent, 0.05))
    note = (
        f"`--in-flight {ASKED}` at a sandbox that refuses more than its limit with a 429, clips of {90 * TIME_SCALE:.0f} s, for some "
        f"{FOR_S / 60:.0f} minutes, and {CHANGED_FOR_S / 60:.0f} where the limit changes; from the "
        f"{FIRST_S:.0f}th second to the last create. *Used* are the seconds that clips were being made over the seconds that its places "
        "could have been; the rest is the time until a finished clip is noticed and the next create is there, which weighs "
        f"{1 / TIME_SCALE:.0f} times as much here as in life. *Told* is the same with `--in-flight` at the limit."
    )
    columns = ["the provider makes", "used", "told", "refused"]
    chart = Chart("Share of the provider's places that is used, longer is better", "", shares)
    return Report("limits", "Limits found", columns, rows, bars, chart, [note])


def _share(stage: Stage, places: str, asked: int, full: bool) -> tuple[float, int, int]:
    """Of the places' seconds after the first minute, how much was used; and how many creates were refused, of how many."""
    for_s = CHANGED_FOR_S if "," in places else FOR_S if full else FOR_S / 2
    count = round(sum(places_at(places, second) for second in range(int(for_s))) / CLIP_S)
    stage.sandbox(TIME_SCALE, 7, places)
    name = f"limits-{places.replace(',', '-').replace('@', '-')}-{asked}"
    ours(stage, count, asked, TIME_SCALE, home=name, name=name)
    created, made = stage.created_at(), stage.generations().values()
    since, until = created[0] + FIRST_S, max(made_one.at for made_one in made)
    used = sum(max(0.0, min(one.ends_at, until) - max(one.at, since)) for one in made)
    tenths = [since + number / 10 for number in range(int(10 * (until - since)))]
    possible = sum(places_at(places, at - created[0]) for at in tenths) / 10
    sent = [at for at in created if at >= since]
    refused = max(0, len(sent) - sum(one.at >= since for one in made))  # one more may have come just before
    print(f"{places}: {len(sent)} creates after the first minute, {refused} refused", file=sys.stderr, flush=True)
    return used / possible, refused, len(sent)
