"""Recording, its signals and what is known of their hidden states."""

from neurolatent.recording import knowledge, weights
from neurolatent.recording.endings import EndOfLife
from neurolatent.recording.knowledge import Knowledge
from neurolatent.recording.recording import Recording
from neurolatent.recording.signal import Kind, Signal, make_signal

__all__ = ["EndOfLife", "Kind", "Knowledge", "Recording", "Signal", "knowledge", "make_signal", "weights"]
