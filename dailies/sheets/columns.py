"""Which of a sheet's columns are ours: matched whatever their spelling; one that is nearly ours is asked about. Pure.

Everything else is the team's own. A misspelt column would else be taken for the team's, and the default be bought.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from dailies.domain.text import clean_label
from dailies.errors import BadRow, BadRows
from dailies.sheets.table import bad_file

CORE: Final = ("id", "prompt", "image", "model", "provider", "resolution", "aspect_ratio", "duration", "take", "takes")
REQUIRED: Final = ("prompt", "image")

UNITS: Final = {"duration": frozenset({"s", "sec", "secs", "second", "seconds", "ins", "inseconds"})}
"""What may stand behind a name, in brackets or not, and means what we mean anyway."""
NEUTRAL: Final = frozenset(
    {"optional", "required", "p", "px", "pixel", "pixels", "wh", "yn", "yesno", "truefalse", "url", "path"}
)
OTHER_WORDS: Final = {
    "image": ("imageurl", "imagepath", "img", "imgurl", "firstframe", "startimage", "startframe", "inputimage"),
    "prompt": ("prompttext", "textprompt"),
    "model": ("modelid",),
    "duration": ("length", "dur", "seconds", "secs"),
    "resolution": ("res",),
    "aspect_ratio": ("aspect", "ratio", "ar"),
    "generate_audio": ("audio", "sound", "withaudio", "withsound", "audioon", "soundon"),
    "negative_prompt": ("negative", "negprompt"),
    "last_image": (
        "lastframe", "endimage", "endframe", "tailimage", "tailframe", "imagetail", "finalimage", "finalframe",
        "lastframeimage", "endframeimage", "tailframeimage", "finalframeimage",
    ),
    "reference_images": ("refimages", "imagereferences", "imagerefs"),
    "fps": ("framerate", "framespersecond"),
    "cfg_scale": ("cfg", "guidancescale"),
}  # fmt: skip
"""What others call these columns. Asked about only where the column itself is not there."""
ABROAD: Final = {
    "image": ("bild", "startbild", "imagen", "immagine", "imagem"),
    "model": ("modelo", "modele", "modello"),
    "provider": ("anbieter", "proveedor", "fournisseur", "fornitore", "fornecedor"),
    "duration": ("dauer", "lange", "laenge", "clipdauer", "videodauer", "duracion", "duree", "durata", "duracao"),
    "resolution": ("auflosung", "aufloesung", "resolucion", "risoluzione", "resolucao"),
    "aspect_ratio": (
        "seitenverhaltnis", "seitenverhaeltnis", "relaciondeaspecto", "rapportdaspect", "proporzioni", "proporcion", "proporcao",
    ),
    "seed": ("startwert", "semilla", "graine", "seme", "semente"),
    "negative_prompt": ("promptnegativo", "promptnegatif"),
    "generate_audio": ("mitton", "conaudio", "consonido", "avecson", "avecaudio", "comaudio", "comsom"),
    "last_image": (
        "endbild", "letztesbild", "ultimaimagen", "imagenfinal", "derniereimage", "imagefinale", "ultimaimmagine",
        "immaginefinale", "ultimaimagem", "imagemfinal",
    ),
    "reference_images": (
        "referenzbilder", "imagenesdereferencia", "imagesdereference", "immaginidiriferimento", "imagensdereferencia",
    ),
    "fps": ("bildrate",),
}  # fmt: skip
"""The same in German, Spanish, French, Italian and Portuguese, without accents."""
QUALIFIERS: Final = frozenset({
    "video", "clip", "output", "target", "desired", "ai", "random", "total", "name", "value", "number", "no", "file", "url",
    "path", "in", "of", "the", "per", "frames", "ms", "min", "mins", "minutes", "s", "sec", "secs", "second", "seconds", "w",
    "h", "wh", "sek", "sekunden", "seg", "segundos", "secondes", "secondi", "en", "em", "du", "del", "des",
})  # fmt: skip
"""What stands beside such a word and changes no more of it than its unit: `video duration`, `Length (s)`, `random seed`."""
REAL_WORDS: Final = frozenset({"mode", "modal", "motel", "models", "provided", "imago", "style", "speed", "task"})
"""Close to a name of ours, and a word that a team uses for something else."""
FAR_ENOUGH: Final = "our_"
SHORT: Final = 4
"""A name of fewer letters (`id`, `fps`) is like too many others to be asked about."""

ALIKE: Final = str.maketrans("авекмнорстухіјѕһԁԛԝıαορινμτυκχε", "abekmhopctyxijshdqwiaopivmtukxe")
"""Small letters of other alphabets, and those whose capitals look like ours, under the letter for which they are taken."""

_BRACKETS = re.compile(r"[(\[{<]([^)\]}>]*)[)\]}>]\s*$")
_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SECONDS = re.compile(
    r"""\w(\s\(s\)|\s?\[s\]|\sin\ss|_s  # `tags(s)` is a plural
    |\s?[(\[](sec|sek|seg|second|seconde|segundo|secondo)\.?[)\]]
    |[\s_]?[(\[\s_](secs?|sek|seconds|sekunden|secondes|segundos|secondi)\.?[)\]]?)\s*$""",
    re.VERBOSE,
)
"""A unit of seconds at the end of a name."""
_RATE = re.compile(r"\b(per|pro|par|por|al)\b|/")
_RANGE = re.compile(r"[\d.]+(\W+|to)[\d.]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a sheet under their names: ours as we spell them, the others as the team does."""

    names: tuple[str, ...]
    own: tuple[str, ...]
    lacks: tuple[BadRow, ...] = ()
    """Columns that a batch may do without, if its models do."""


class Names:
    """All names that are ours: the columns of every batch, and the options of the catalog's models."""

    def __init__(self, options: Iterable[str] = ()) -> None:
        self.words = (*CORE, *sorted(set(options) - set(CORE)))
        self._by_letters = {_letters(word): word for word in self.words}

    def find(self, name: str) -> str | None:
        """Our spelling of a column's name; None for one that is not ours."""
        plain = clean_label(name)
        found = self._by_letters.get(_letters(plain))
        if found:
            return found
        bracket = _BRACKETS.search(plain)
        if bracket:
            word = self._by_letters.get(_letters(plain[: bracket.start()]))
            return word if word and _is_unit(word, bracket[1]) else None
        for word in UNITS:
            letters = _letters(word)
            if _letters(plain).startswith(letters) and _letters(plain)[len(letters) :] in UNITS[word]:
                return word
        return None

    def nearly(self, name: str, there: Iterable[str]) -> str | None:
        """The name of ours that was probably meant by one that is none; `there` are those that the sheet has anyway."""
        plain, present = clean_label(name), frozenset(there)
        letters = _letters(plain)
        if not letters or letters in REAL_WORDS or plain.startswith(FAR_ENOUGH):
            return None
        if not letters.isascii() and (looks_like := self.find(letters.translate(ALIKE))):
            return looks_like
        plain = _without_accents(plain)
        letters = _letters(plain)
        bracket = _BRACKETS.search(plain)
        bare = _letters(plain[: bracket.start()]) if bracket else letters
        forms = {letters, bare, _unqualified(plain)}
        for word in self.words:
            ours = _letters(word)
            others = (*OTHER_WORDS.get(word, ()), *ABROAD.get(word, ()), *((ours,) if len(ours) >= SHORT else ()))
            if word not in present and (not forms.isdisjoint(others) or _longer(letters, ours)):
                return word
            if bare not in others and _misspelt(bare, ours):
                return word
        return "duration" if "duration" not in present and _in_seconds(plain) else None


def read_columns(header: Sequence[str], names: Names, source: str) -> Columns:
    """Sort a header. Raises BadRows for one that is none, lacks what every batch needs, or is nearly but not quite ours."""
    found = [names.find(name) for name in header]
    ours = [word for word in found if word]
    if not ours or not (set(REQUIRED) <= set(ours) or all(map(_looks_like_a_name, header))):
        raise bad_file(
            source,
            "its first line does not look like names of columns",
            "a CSV for dailies begins with a line such as id,prompt,image,duration",
        )
    missing = _missing(header, ours, names)
    bad = [*_twice(header, found), *_asked(header, found, names), *missing]
    if any(one.column != "image" for one in bad) or len(bad) > len(missing):
        raise BadRows(source, bad)
    cleaned = [word or clean_label(name) for word, name in zip(found, header, strict=True)]
    own = tuple(name for word, name in zip(found, cleaned, strict=True) if word is None and name)
    named = tuple(name or _nameless(at, cleaned) for at, name in enumerate(cleaned, start=1))
    return Columns(named, own, tuple(missing))


def _nameless(at: int, named: Sequence[str]) -> str:
    """What a column without a name is called: by its place, and by no name that another has."""
    name = f"column_{at}"
    while name in named:
        name += "_"
    return name


def _twice(header: Sequence[str], found: Sequence[str | None]) -> list[BadRow]:
    written: dict[str, list[str]] = {}
    for word, name in zip(found, header, strict=True):
        plain = clean_label(name)
        if plain:
            written.setdefault(word or plain, []).append(plain)
    return [
        BadRow(0, name, f"this column is there twice ({' and '.join(map(repr, alike))})", cure="rename or remove one")
        for name, alike in sorted(written.items())
        if len(alike) > 1
    ]


def _asked(header: Sequence[str], found: Sequence[str | None], names: Names) -> list[BadRow]:
    bad = []
    ours = [word for word in found if word]
    for word, name in zip(found, header, strict=True):
        meant = None if word else names.nearly(name, ours)
        if meant:
            plain = clean_label(name)
            own = FAR_ENOUGH + re.sub(r"\W+", "_", plain).strip("_")
            cure = f"rename it to {meant!r}; if it is your own, to something further away, such as {own!r}"
            bad.append(
                BadRow(0, plain, f"did you mean {meant!r}? It would be taken for a column of your own", cure=cure)
            )
    return bad


def _missing(header: Sequence[str], ours: Sequence[str], names: Names) -> list[BadRow]:
    listed = ", ".join(clean_label(name) for name in header if name.strip() and _looks_like_a_name(name))
    meant = {names.nearly(name, ours) for name in header if names.find(name) is None}
    return [
        BadRow(0, name, f"this column is missing (there are: {listed})", cure="add it")
        for name in REQUIRED
        if name not in ours and name not in meant
    ]


def _looks_like_a_name(name: str) -> bool:
    """A few words, not a sentence, an address, an assignment or a key: a header without these may be repeated."""
    plain = clean_label(name)
    return len(plain) <= 60 and len(plain.split()) <= 8 and not re.search(r"[=\n]|://|\w{33}", plain)


def _is_unit(word: str, text: str) -> bool:
    letters = _letters(text)
    if letters in UNITS.get(word, frozenset()) or letters in NEUTRAL:
        return True
    return (
        not letters or bool(_RANGE.fullmatch(text.strip())) or (word == "aspect_ratio" and letters in ("wh", "ratio"))
    )


def _letters(name: str) -> str:
    """Letters and digits alone, in one case."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def _without_accents(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


def _in_seconds(plain: str) -> bool:
    """Whether a name says that its cells are seconds: `Time (s)`, `runtimeSeconds`; not `cost per second`."""
    words = _HUMP.sub(" ", plain).casefold()
    return bool(_SECONDS.search(words)) and not _RATE.search(words)


def _unqualified(plain: str) -> str:
    """The letters of a name without the words beside it that only say whose it is, or in which unit."""
    words = [word.casefold() for word in _WORD.findall(_HUMP.sub(" ", plain))]
    return _letters("".join(word for word in words if word not in QUALIFIERS))


def _longer(letters: str, ours: str) -> bool:
    """`prompts`, `prompt 2`, `promp`: the same word with a little more or less at its end."""
    if len(ours) < SHORT:
        return False
    if letters.startswith(ours):
        return letters[len(ours) :] in ("s", "es", ours[-1]) or letters[len(ours) :].isdigit()
    return len(letters) >= 4 and ours.startswith(letters) and len(ours) - len(letters) <= 2


def _misspelt(letters: str, ours: str) -> bool:
    """A slip or two away, by the length of the word; in a short word only two letters that changed places."""
    if len(ours) < SHORT or letters == ours:
        return False
    if letters[:1] != ours[:1] and len(ours) < 8 and sorted(letters) != sorted(ours):
        return False
    if ours.startswith(letters) or letters.startswith(ours):
        return False
    if len(ours) == 4:
        return len(letters) == 4 and sorted(letters) == sorted(ours) and distance(letters, ours) == 1
    return distance(letters, ours) <= (1 if len(ours) < 9 else 2)


@cache
def distance(one: str, two: str) -> int:
    """How many letters were left out, added, changed, or changed places with their neighbour."""
    before: list[int] = []
    last = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(two, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
