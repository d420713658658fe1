"""Lapses: choices that a state makes whatever the covariates say."""

from typing import Any

import numpy as np

from neurolatent.report.blocks import Cell, Section, Table, Text, number, percent
from neurolatent.report.material import Material
from neurolatent.report.weights import intervals

DOUBT = (
    "Lapses and states explain the same trials, those that go against the covariates: with several states both are "
    "weakly determined. Read a lapse together with the weights of its state."
)


def lapses_section(material: Material) -> list[Section]:
    """How often each state lapses to either side; nothing where the model has no lapses."""
    lapse = np.asarray(material.fit.params.lapse)
    if not lapse.size:
        return []
    total = ", ".join(f"state {n} {percent(row.sum(), 1)}" for n, row in zip(material.state_names, lapse, strict=True))
    said = f"Share of the trials in which a choice is made whatever the covariates say: {total}."
    return [Section("lapses", "How often does it lapse?", [Text(said), _table(material, lapse), Text(DOUBT, "small")])]


def _table(material: Material, lapse: np.ndarray) -> Table:
    zero, one = material.choice_names[:2]
    columns, parts = ["state", f"towards {one}", f"towards {zero}"], [lapse]
    if material.fit.draws is not None:
        _, low, high = intervals(material, "lapse")
        columns += [f"{one}: 90 % from", "to", f"{zero}: 90 % from", "to"]
        parts.append(np.stack([low, high], axis=-1).reshape(len(lapse), -1))
    rows: list[list[Any]] = [
        [Cell(f"state {name}", k, "state", swatch=k + 1), *(number(float(v), 3) for part in parts for v in part[k])]
        for k, name in enumerate(material.state_names)
    ]
    return Table("Probability of a lapse in each state.", columns, rows)
