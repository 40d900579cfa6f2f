"""Whether a clip's samples hold what they should, seen without decoding one.

A sample of H.264 or HEVC in an MP4, QuickTime, Matroska or FLV file is a row of units, each behind its own length (ISO/IEC
14496-15). No unit holds three zero bytes one after another (H.264 7.4.1, HEVC 7.4.2): such zeros are a hole in the file.
"""

from __future__ import annotations

from dataclasses import dataclass

HOLE = bytes(64)
"""Zeros that no encoder writes, nor pads with."""
_LENGTH_AT = {"h264": 4, "hevc": 21}
"""The byte of the decoder's configuration whose two last bits tell how long a unit's length is, less one."""


@dataclass(frozen=True, slots=True)
class Units:
    """How the samples of a track are divided: each unit behind a length of so many bytes."""

    length_bytes: int

    @classmethod
    def of(cls, codec: str, configuration: bytes | None) -> Units | None:
        """By a track's codec and its decoder's configuration; None where its samples can only be judged by decoding them."""
        at = _LENGTH_AT.get(codec)
        if at is None or configuration is None or len(configuration) <= at or configuration[0] != 1:
            return None
        return cls((configuration[at] & 3) + 1)

    def wrong(self, sample: bytes) -> str | None:
        """What is wrong with a sample; None where its units add up and none has a hole."""
        if HOLE in sample:
            return "zeros stand where pictures should"
        at = 0
        while at + self.length_bytes <= len(sample):
            at += self.length_bytes + int.from_bytes(sample[at : at + self.length_bytes], "big")
        return None if at <= len(sample) else "bytes of a picture are missing"
