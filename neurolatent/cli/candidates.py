"""Candidates of one recipe, compared on data that none of them has seen, written and reported."""

import sys
from pathlib import Path
from typing import Any

from neurolatent.cli.status import DONE, KEPT, print_json


def choose(path: Path, over: list[str], out: Path | None, *, force: bool, as_json: bool) -> int:
    """Choose among candidates of a recipe by cross-validation; the exit status."""
    import time

    from neurolatent.recipe import parse_over, read_recipe
    from neurolatent.recipe.choose import choose as choose_candidate
    from neurolatent.recipe.choose import write_choice
    from neurolatent.recipe.decoders import is_of_decoder
    from neurolatent.recipe.folder import run_folder, to_json, write_text
    from neurolatent.report.choice import write_choice_report
    from neurolatent.result.build import versions

    begin, recipe = time.perf_counter(), read_recipe(path)
    folder = run_folder(out, f"{recipe.name}-compare", resume=False, force=force)
    if is_of_decoder(recipe):
        return choose_decoder(recipe, parse_over(over), folder, as_json=as_json)
    choice = choose_candidate(recipe, parse_over(over), quiet=not sys.stderr.isatty())
    paths = write_choice(folder, recipe, choice)
    page = write_choice_report(choice, folder / "report.html", recipe=recipe.to_toml(), cards=recipe.cards)
    paths |= {"report": str(page), "summary": str(folder / "summary.json")}
    result = {"figures": choice.figures(), "chosen": choice.chosen, "words": choice.words(), "paths": paths}
    result |= {"interrupted": not choice.is_whole, "table": choice.table.to_dict("records")}
    result |= {"seconds": {"run": time.perf_counter() - begin}, "versions": versions(), "seed": recipe.seed}
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        print_json(result)
    else:
        print(choice.table.to_string(index=False))
        print("\n".join([*choice.words(), f"report: {page}"]))
    return DONE if choice.is_whole else KEPT


def choose_decoder(recipe: Any, grids: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    """The same for decoders, by their errors."""
    import time

    from neurolatent.recipe.decoders import compare_decoders, figures_of_candidates
    from neurolatent.recipe.folder import clean, to_json, write_text
    from neurolatent.report.decoders import write_decoder_report
    from neurolatent.result.build import versions

    begin = time.perf_counter()
    table = compare_decoders(recipe, grids, quiet=not sys.stderr.isatty())
    clean(folder)
    paths = {"recipe": str(write_text(folder / "recipe.toml", recipe.to_toml()))}
    paths["comparison"] = str(write_text(folder / "comparison.csv", table.to_csv(index=False)))
    title = f"Which decoder for {recipe.name}?"
    page = write_decoder_report(table, folder / "report.html", title=title, recipe=recipe.to_toml(), cards=recipe.cards)
    paths |= {"report": str(page), "summary": str(folder / "summary.json")}
    result = {"figures": figures_of_candidates(table), "chosen": table.iloc[0]["candidate"], "paths": paths}
    result |= {"table": table.to_dict("records"), "seconds": {"run": time.perf_counter() - begin}}
    result |= {"versions": versions(), "seed": recipe.seed}
    write_text(folder / "summary.json", to_json(result))
    if as_json:
        print_json(result)
    else:
        print(table.to_string(index=False))
        print(f"report: {page}")
    return DONE
