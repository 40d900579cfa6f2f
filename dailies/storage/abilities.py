"""What a store was found to take and to give back, as a value: how clips are put there follows from it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum


class Proof(StrEnum):
    """What shows that an object holds the bytes that were sent. Our own metadata is no proof: a store echoes it unread."""

    CHECKSUM = "checksum"  # the store's own SHA-256, in the HEAD
    ETAG = "etag"  # the ETag is the MD5 of the content
    READ = "read"  # neither: the object is read back


@dataclass(frozen=True, slots=True)
class StoreAbilities:
    """How objects are put into one store, and how it is seen that they are there."""

    conditional: bool = True
    """`If-None-Match` is kept: a key that is taken is refused. Else a HEAD comes before each put."""
    checksum: bool = True
    """The put may carry its SHA-256 in a header."""
    signed: bool = False
    """The body has to be signed, which reads it once more before it is sent."""
    proof: Proof = Proof.CHECKSUM
    keeps_metadata: bool = True
    """What a clip was and cost comes back with the object, so that a lost ledger can be made from it alone."""
    may_list: bool = True
    """Where the key may not list, a store answers 403 instead of 404 for what is not there."""
    may_delete: bool = True

    def sentences(self) -> list[str]:
        """What is lost against the usual, for people. An ETag that proves the bytes is as good as a checksum."""
        said = (
            (not self.conditional, "no conditional writes: HEAD before PUT"),
            (not self.checksum, "no checksum header: puts go without it"),
            (self.signed, "bodies are signed: each is read once more before it is sent"),
            (self.proof is Proof.READ, "neither checksum nor MD5 in its answers: each clip is read back and compared"),
            (
                not self.keeps_metadata,
                "no metadata kept: a lost ledger is made from the sidecars beside the clips alone",
            ),
            (not self.may_list, "the key may not list (s3:ListBucket): clips are looked for one by one"),
            (not self.may_delete, "the key may not delete (s3:DeleteObject): tried once a day"),
        )
        return [words for applies, words in said if applies]

    def plainer(self) -> Iterator[StoreAbilities]:
        """This way of putting first, then ways that ask less of the store, the least loss first."""
        for signed in dict.fromkeys((self.signed, True)):
            for conditional in dict.fromkeys((self.conditional, False)):
                for checksum in dict.fromkeys((self.checksum, False)):
                    yield replace(self, signed=signed, conditional=conditional, checksum=checksum)

    def record(self) -> dict[str, bool | str]:
        """As JSON, for the ledger."""
        return {name: str(value) if isinstance(value, Proof) else value for name, value in asdict(self).items()}

    @classmethod
    def of_record(cls, record: Mapping[str, bool | str]) -> StoreAbilities:
        """From the ledger's JSON; words that a later version wrote are passed over. Raises ValueError."""
        known = {name: value for name, value in record.items() if name in cls.__slots__}
        return cls(**{**known, "proof": Proof(known.get("proof", Proof.READ))})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Writing:
    """What every object is written with, by the settings: encryption at rest and storage class."""

    sse: str | None = None
    kms_key_id: str | None = None
    storage_class: str | None = None

    def arguments(self) -> dict[str, str]:
        """As boto3 takes it."""
        named = {"ServerSideEncryption": self.sse, "SSEKMSKeyId": self.kms_key_id, "StorageClass": self.storage_class}
        return {name: value for name, value in named.items() if value}
