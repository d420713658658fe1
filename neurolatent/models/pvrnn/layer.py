"""One layer of the network: how many units it has and how slow they are."""

from dataclasses import dataclass

from neurolatent.checks import InputError, at_least, whole_number


@dataclass(frozen=True)
class Layer:
    """What the analyst chooses of one layer.

    Attributes:
        units: Deterministic units d.
        latent: Stochastic units z.
        tau: Time constant in steps, at least 1; a tuple gives each unit its own.
    """

    units: int
    latent: int
    tau: float | int | tuple[float | int, ...] = 1.0

    def __post_init__(self) -> None:
        whole_number("units", self.units, 1)
        whole_number("latent", self.latent, 1)
        each = self.tau if isinstance(self.tau, (tuple, list)) else (self.tau,)
        for tau in each:
            at_least("tau", tau, 1.0)
        if isinstance(self.tau, (tuple, list)):
            object.__setattr__(self, "tau", tuple(self.tau))
            if len(each) != self.units:
                raise InputError(f"tau: one number, or one for each of the {self.units} units, got {len(each)}")

    @property
    def taus(self) -> tuple[float, ...]:
        """The time constant of each unit."""
        return tuple(map(float, self.tau)) if isinstance(self.tau, tuple) else (float(self.tau),) * self.units
