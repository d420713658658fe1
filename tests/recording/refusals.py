"""What a refusal must say."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from neurolatent.checks import InputError


@contextmanager
def refuses(*words: str, error: type[Exception] = InputError) -> Iterator[None]:
    """The block raises an error whose message holds all the words."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} not in: {message}"
