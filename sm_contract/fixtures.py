"""The views of the record as fixtures, for tests that an image's owner writes. There only in a run that judges."""

from __future__ import annotations

import pytest

from sm_contract.gate import GATE
from sm_contract.record import Candidate, ImageFacts, Record
from sm_contract.views import Serving, Training

SUBJECT = "sm_subject"


@pytest.fixture(scope="session", name=SUBJECT)
def _subject(request: pytest.FixtureRequest) -> str:
    """Which image: each test that looks at a record runs once for each."""
    return str(request.param)


# none of these uses another: what a test's fixtures name is what has to be recorded for it


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest, sm_subject: str) -> Record:
    """All that was observed of the image."""
    return request.config.stash[GATE].record(sm_subject)


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, sm_subject: str) -> ImageFacts:
    """What the image says of itself."""
    return request.config.stash[GATE].record(sm_subject).image


@pytest.fixture(scope="session")
def training(request: pytest.FixtureRequest, sm_subject: str) -> Training:
    """Everything recorded of the image in the training role."""
    return Training(request.config.stash[GATE].record(sm_subject))


@pytest.fixture(scope="session")
def serving(request: pytest.FixtureRequest, sm_subject: str) -> Serving:
    """Everything recorded of the image in the inference role."""
    return Serving(request.config.stash[GATE].record(sm_subject))


@pytest.fixture(scope="session")
def candidate(request: pytest.FixtureRequest, sm_subject: str) -> Candidate:
    """What the owner says of the image."""
    return request.config.stash[GATE].record(sm_subject).candidate
