"""Markdown of model and data cards as HTML: headings, lists, tables, code, quotes, emphasis, links.

Pictures become their alternative text, and HTML inside the text is shown, not obeyed: a card can bring nothing from
outside into the page.
"""

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

LIST = re.compile(r"^(\s*)(?:[-*+]|\d+[.)])\s+(.*)")
RULE = re.compile(r"^\s*\|?[\s:|-]*-[\s:|-]*\|?\s*$")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
OPENS = re.compile(r"^(#{1,6}\s|```|>|\s*(?:[-*+]|\d+[.)])\s|\s*\|)")


def to_html(text: str, *, deepest: int = 6, shift: int = 2) -> Markup:
    """The text as HTML.

    Args:
        shift: Levels by which headings move down, so that they fit under those of the page.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    return Markup("\n").join(_blocks(lines, shift, deepest))


def inline(text: str) -> Markup:
    """Code, emphasis and links inside a line."""
    parts = re.split(r"(`+)(.+?)\1", text)
    out = [_emphasised(parts[0])]
    for at in range(1, len(parts), 3):
        out += [f"<code>{escape(parts[at + 1].strip())}</code>", _emphasised(parts[at + 2])]
    return Markup("".join(out))


def _emphasised(text: str) -> str:
    safe = str(escape(text))
    safe = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"[picture: \1]", safe)
    safe = re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r'<a href="\2" rel="noreferrer">\1</a>', safe)
    safe = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", safe)
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    return re.sub(r"(?<![\w*])[*_](?=\S)(.+?)(?<=\S)[*_](?![\w*])", r"<em>\1</em>", safe)


def _blocks(lines: list[str], shift: int, deepest: int) -> Iterator[Markup]:
    """Each block in turn; one branch per kind of block, kept in one place because they share the line they stand at."""
    at = 0
    while at < len(lines):
        line = lines[at]
        if heading := HEADING.match(line):
            level = min(len(heading[1]) + shift, deepest)
            yield Markup(f"<h{level}>{inline(heading[2])}</h{level}>")
            at += 1
        elif line.startswith("```"):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("```")), len(lines))
            yield Markup("<pre><code>{}</code></pre>").format("\n".join(lines[at + 1 : end]))
            at = end + 1
        elif "|" in line and at + 1 < len(lines) and "|" in lines[at + 1] and RULE.match(lines[at + 1]):
            end = _while(lines, at, lambda text: "|" in text)
            yield _table(lines[at:end])
            at = end
        elif line.startswith(">"):
            end = _while(lines, at, lambda text: text.startswith(">"))
            inside = [text.lstrip("> ") for text in lines[at:end]]
            yield Markup(f"<blockquote>{Markup().join(_blocks(inside, shift, deepest))}</blockquote>")
            at = end
        elif LIST.match(line):
            end = _while(lines, at, lambda text: bool(LIST.match(text)) or text.startswith("  "))
            yield _list(lines[at:end])
            at = end
        elif line.strip():
            end = _while(lines, at, lambda text: bool(text.strip()) and not OPENS.match(text))
            end = max(end, at + 1)
            yield Markup(f"<p>{inline(' '.join(text.strip() for text in lines[at:end]))}</p>")
            at = end
        else:
            at += 1


def _while(lines: list[str], start: int, holds) -> int:  # type: ignore[no-untyped-def]
    return next((n for n in range(start, len(lines)) if not holds(lines[n])), len(lines))


def _table(lines: list[str]) -> Markup:
    rows = [re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|")) for line in lines]
    rows = [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]
    head = "".join(f"<th>{inline(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{inline(cell)}</td>" for cell in row) + "</tr>" for row in rows[2:])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return Markup(f'<div class="scroll" tabindex="0">{table}</div>')


def _list(lines: list[str]) -> Markup:
    """One list; a deeper item opens a list inside, a line that is no item goes on with the one before."""
    tag = "ol" if re.match(r"\s*\d", lines[0]) else "ul"
    own = len(re.match(r"\s*", lines[0])[0])  # type: ignore[index]
    items: list[list[str]] = []
    for line in lines:
        found = LIST.match(line)
        if found and len(found[1]) <= own + 1:
            items.append([found[2]])
        else:
            items[-1].append(line)
    out = []
    for first, *rest in items:
        inner = next((n for n, line in enumerate(rest) if LIST.match(line)), len(rest))
        text = inline(" ".join([first, *(line.strip() for line in rest[:inner])]))
        out.append(f"<li>{text}{_list(rest[inner:]) if rest[inner:] else ''}</li>")
    return Markup(f"<{tag}>{''.join(out)}</{tag}>")
