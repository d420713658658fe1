"""What is inside a file, item by item, before anything is made of it; what the loader does not read, and why."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from neurolatent.recording import Recording


class Item(NamedTuple):
    """One thing in a file."""

    name: str  # as options name it
    what: str  # "units", "time series", "intervals", "array", ...
    facts: dict[str, Any]
    unread: str = ""  # why the loader cannot read it; "" where it can

    def __str__(self) -> str:
        return ", ".join([f"{self.name}: {self.what}", *(f"{key} {_words(v)}" for key, v in self.facts.items())])


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(v) for v in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Contents:
    """What is inside a file.

    Attributes:
        name: Of the file.
        format: As ``load`` calls it.
        items: Everything that was found, in the order of the file.
    """

    name: str
    format: str
    items: tuple[Item, ...]

    def __str__(self) -> str:
        readable = [f"  {item}" for item in self.items if not item.unread]
        unread = [f"  {item}: {item.unread}" for item in self.items if item.unread]
        lines = [f"{self.name} ({self.format}): {len(readable)} things that can be read", *readable]
        return "\n".join([*lines, "left unread:", *unread] if unread else lines)

    def facts(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        items = [{"name": i.name, "what": i.what, **({"facts": i.facts} if i.facts else {})} for i in self.items]
        inside = [fact for fact, item in zip(items, self.items, strict=True) if not item.unread]
        unread = [{**f, "reason": i.unread} for f, i in zip(items, self.items, strict=True) if i.unread]
        return {"file": self.name, "format": self.format, "inside": inside, "unread": unread}


@dataclass(frozen=True)
class Description:
    """What is inside a file, as far as its format tells before it is loaded, and the recording that it makes.

    Attributes:
        contents: Everything in the file; None for a format that the loader reads whole.
        recording: As the models will see it; None where options are needed to make one.
        refusal: Why there is no recording; "" where there is one, or none was tried.
    """

    contents: Contents | None
    recording: Recording | None
    refusal: str = ""

    def __str__(self) -> str:
        made = "" if self.recording is None else self.recording.describe()
        refused = f"no recording without options: {self.refusal}" if self.refusal else ""
        return "\n".join(part for part in (str(self.contents or ""), made, refused) if part)

    def facts(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        facts = {} if self.contents is None else self.contents.facts()
        made = self.recording
        if made is not None:
            facts |= {"sequences": made.n_sequences, "samples": made.n_samples, "signals": list(made.signals)}
            facts |= {"history": list(made.history), "fingerprint": made.fingerprint()}
        return {**facts, "refusal": self.refusal} if self.refusal else facts
