"""Recipes: TOML in, recordings, models, engines and figures out; the only place where strings become objects."""

from neurolatent.recipe.plan import parts_of
from neurolatent.recipe.read import Recipe, grid, parse_over, read_recipe
from neurolatent.recipe.run import Outcome, run_recipe, run_sweep

__all__ = ["Outcome", "Recipe", "grid", "parse_over", "parts_of", "read_recipe", "run_recipe", "run_sweep"]
