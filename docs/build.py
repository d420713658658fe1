"""Build docs/_build: pages from the docstrings, cards, notebooks, records, README and changelog, and their index.

Run by `make docs`. Formulae are set by MathJax, which the pages load from the network; all else is in the folder.
"""

import html
import json
import pkgutil
import re
import shutil
import warnings
from pathlib import Path

import jupytext
import markdown
import nbclient
import pdoc

import neurolatent

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "docs" / "_build"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title} - neurolatent</title>
<style>
body {{ max-width: 48rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif }}
pre {{ overflow-x: auto; padding: .6rem; border: 1px solid #8886; font-size: .85rem; line-height: 1.35 }}
pre.output {{ border-left-width: 4px }}
table {{ display: block; overflow-x: auto; border-collapse: collapse }}
th, td {{ padding: .2rem .6rem; border: 1px solid #8886; text-align: left }}
img, svg {{ max-width: 100% }}
</style>
<nav><a href="{up}index.html">neurolatent</a></nav>
{body}
</html>
"""


def from_markdown(path: Path) -> str:
    """Body of a page from a Markdown file."""
    return to_html(path.read_text("utf-8"))


def to_html(text: str) -> str:
    """HTML of Markdown; links between our own Markdown files lead to their pages."""
    body = markdown.markdown(text, extensions=["tables", "fenced_code", "sane_lists", "toc"])
    return re.sub(r'href="(?!\w+:)([^"#]+)\.md(#[^"]*)?"', r'href="\1.html\2"', body)


def from_json(path: Path) -> str:
    """Body of a page from a record of figures."""
    figures = json.dumps(json.loads(path.read_text("utf-8")), indent=2, ensure_ascii=False)
    return f"<h1>{path.stem}</h1>" + preformatted(figures)


def from_notebook(path: Path) -> str:
    """Run the notebook from its own folder; one that fails stops the build."""
    notebook = jupytext.read(path)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts.append(preformatted(cell.source))
            parts += [shown(output) for output in cell.outputs]
        else:
            parts.append(to_html(cell.source))
    return "\n".join(parts)


def shown(output: dict) -> str:
    """What a reader of the notebook sees of one output; progress on standard error is left out."""
    if output["output_type"] == "stream":
        return preformatted(output["text"], "output") if output["name"] == "stdout" else ""
    data = output.get("data", {"text/plain": output.get("evalue", "")})  # an expected error has no data
    if "text/html" in data:
        return data["text/html"]
    if "image/svg+xml" in data:
        return data["image/svg+xml"]
    if "image/png" in data:
        return f'<img alt="Figure drawn by the code above" src="data:image/png;base64,{data["image/png"].strip()}">'
    return preformatted(data.get("text/plain", ""), "output")


def preformatted(text: str, kind: str = "code") -> str:
    """Text as it stands."""
    return f'<pre class="{kind}">{html.escape(text)}</pre>'


MAKERS = {".md": from_markdown, ".json": from_json, ".py": from_notebook}

# Heading in the index, and the files under it.
SECTIONS = {
    "Start": ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/design.md"],
    "Models": ["models/*.md"],
    "Data": ["data/*.md"],
    "Notebooks": ["notebooks/*.md", "notebooks/*.py"],
    "Records of benchmarks": ["benchmarks/records/*.md", "benchmarks/records/*.json"],
}


def write_page(target: Path, body: str) -> str:
    """Write one page and return its title, which is its first heading."""
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
    title = html.unescape(re.sub(r"<[^>]+>", "", heading[1])) if heading else target.stem
    up = "../" * (len(target.relative_to(BUILD).parts) - 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(PAGE.format(title=html.escape(title), up=up, body=body), "utf-8")
    return title


def write_section(patterns: list[str]) -> list[str]:
    """Write the pages of one section and return their entries in the index."""
    entries = []
    for path in [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]:
        print(path.relative_to(ROOT), flush=True)
        place = path.relative_to(ROOT).with_suffix(".html")
        title = write_page(BUILD / place, MAKERS[path.suffix](path))
        entries.append(f'<li><a href="{place.as_posix()}">{html.escape(title)}</a></li>')
    return entries


def write_api() -> list[str]:
    """Write one page for each module and return their entries in the index."""
    inner = [module.name for module in pkgutil.walk_packages(neurolatent.__path__, "neurolatent.")]
    modules = ["neurolatent", *(name for name in inner if "._" not in name)]
    warnings.filterwarnings("ignore", "The module specification .* already been added")
    pdoc.render.configure(docformat="google", math=True)
    pdoc.pdoc(*modules, output_directory=BUILD / "api")
    return [f'<li><a href="api/{name.replace(".", "/")}.html">{name}</a></li>' for name in modules]


def main() -> None:
    """Build everything anew."""
    shutil.rmtree(BUILD, ignore_errors=True)
    sections = {heading: write_section(patterns) for heading, patterns in SECTIONS.items()}
    sections["Modules"] = write_api()
    lists = [f"<h2>{heading}</h2><ul>{''.join(entries)}</ul>" for heading, entries in sections.items() if entries]
    write_page(BUILD / "index.html", "<h1>Documentation</h1>" + "\n".join(lists))
    print(f"The documentation lies at {BUILD / 'index.html'}")


if __name__ == "__main__":
    main()
