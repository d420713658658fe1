"""A small NWB file written by pynwb, with the arrays that went into it."""

import datetime
import warnings
from pathlib import Path
from typing import Any

import numpy as np

OBSERVED = np.array([[0.0, 48.0], [60.0, 100.0]])
QUALITY = ["good", "mua", "good", "good"]


def contents() -> dict[str, Any]:
    """The arrays of the file: unit 3 has no spike, unit 1 was observed in the first part only."""
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 100, n)) for n in (900, 300, 60, 0)]
    start = np.arange(0, 90, 9.0)
    heading = np.angle(np.exp(1j * (np.pi + 0.3 * np.sin(np.arange(4000) / 100))))
    return {
        "trains": trains,
        "observed": [OBSERVED, OBSERVED[:1], OBSERVED, OBSERVED],
        "start": start,
        "stop": start + 5 + np.arange(10) / 4,
        "cue": np.where(np.arange(10) == 4, np.nan, start + 1.0),
        "lfp": rng.integers(-100, 100, (10_000, 3)).astype(np.int16),
        "position_at": np.sort(rng.uniform(0, 100, 2500)),
        "position": rng.normal(size=(2500, 2)),
        "heading": heading,
    }


def write(path: Path) -> dict[str, Any]:
    """Write the file, and give its arrays."""
    from pynwb import NWBHDF5IO, NWBFile

    made = contents()
    begin = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynwb on what it will no longer write one day
        nwb = NWBFile(session_description="test", identifier="one", session_start_time=begin)
        _add_units(nwb, made)
        _add_trials(nwb, made)
        _add_series(nwb, made)
        _add_unreadable(nwb)
        with NWBHDF5IO(str(path), "w") as io:
            io.write(nwb)
    return made


def _add_units(nwb: Any, made: dict[str, Any]) -> None:
    nwb.add_unit_column(name="quality", description="label")
    nwb.add_unit_column(name="depth", description="um")
    for number, (train, observed) in enumerate(zip(made["trains"], made["observed"], strict=True)):
        facts = {"quality": QUALITY[number], "depth": 10.0 * number, "waveform_mean": np.zeros(5)}
        nwb.add_unit(spike_times=train, obs_intervals=observed, id=number + 10, **facts)


def _add_trials(nwb: Any, made: dict[str, Any]) -> None:
    for name in ("choice", "cue"):
        nwb.add_trial_column(name=name, description=name)
    nwb.add_trial_column(name="licks", description="times", index=True)
    for number, (low, high, cue) in enumerate(zip(made["start"], made["stop"], made["cue"], strict=True)):
        choice = "right" if number % 2 else "left"
        nwb.add_trial(start_time=low, stop_time=high, choice=choice, cue=cue, licks=[low, high])
    nwb.add_invalid_time_interval(start_time=20.3, stop_time=20.6)


def _add_series(nwb: Any, made: dict[str, Any]) -> None:
    from pynwb import TimeSeries
    from pynwb.behavior import CompassDirection, Position, SpatialSeries
    from pynwb.ecephys import ElectricalSeries

    group = nwb.create_electrode_group(
        name="tetrode", description="one", location="CA1", device=nwb.create_device(name="amplifier")
    )
    for location in ("CA1", "CA3", "CA3"):
        nwb.add_electrode(location=location, group=group)
    region = nwb.create_electrode_table_region(region=[2, 0, 1], description="all")
    scaled = {"conversion": 1e-3, "offset": 0.5, "channel_conversion": [1.0, 2.0, 3.0]}
    clock = {"rate": 100.0, "starting_time": 0.25}
    nwb.add_acquisition(ElectricalSeries(name="lfp", data=made["lfp"], electrodes=region, **clock, **scaled))
    module = nwb.create_processing_module(name="behavior", description="tracked")
    track = SpatialSeries(
        name="track", data=made["position"], timestamps=made["position_at"], reference_frame="box", conversion=0.01
    )
    module.add(Position(spatial_series=track))
    angle = SpatialSeries(name="heading", data=made["heading"], rate=40.0, reference_frame="north", unit="radians")
    module.add(CompassDirection(spatial_series=angle))
    module.add(TimeSeries(name="track", data=np.ones(100), rate=1.0, unit="a.u."))


def _add_unreadable(nwb: Any) -> None:
    from pynwb import TimeSeries
    from pynwb.image import ImageSeries
    from pynwb.misc import AnnotationSeries

    nwb.add_acquisition(AnnotationSeries(name="notes", data=["a", "b"], timestamps=[1.0, 2.0]))
    nwb.add_acquisition(ImageSeries(name="video", data=np.zeros((4, 2, 2)), rate=1.0, unit="n/a"))
    nwb.add_acquisition(TimeSeries(name="tensor", data=np.zeros((4, 2, 2)), rate=1.0, unit="n/a"))
