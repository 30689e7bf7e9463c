"""What a requirement looks at: the record of one role, with its diagnosis read off pure facts."""

from __future__ import annotations

from sm_contract.alone import SUFFIX, settled
from sm_contract.record import INFERENCE, TRAINING, Candidate, Life, ModelFacts, Record
from sm_contract.verdict import NotRecorded, NotTestable


class RoleView:
    """The lives of one role. A follow-up varies one life by one change; a different outcome names the cause."""

    role = ""

    def __init__(self, record: Record) -> None:
        self.record = record

    @property
    def candidate(self) -> Candidate:
        return self.record.candidate

    @property
    def lives(self) -> dict[str, Life]:
        """By run, the life of this role that speaks for it, in the order in which they ended."""
        return settled(self._all)

    @property
    def _all(self) -> dict[str, Life]:
        return {name: life for name, life in self.record.lives.items() if life.role == self.role}

    def measured(self, run: str) -> tuple[Life, Life | None]:
        """The first life of a run, and the one in which it was measured again alone."""
        return self._all[run], self._all.get(run + SUFFIX)

    def life(self, run: str) -> Life:
        """The life of a run. Raises NotTestable if it was not recorded, or if a limit of ours was hit in it."""
        life = self.lives.get(run)
        if life is None:
            raise NotTestable(self.record.unstartable) if self.record.unstartable else NotRecorded(run)
        if life.hit_limits:
            raise NotTestable(raise_limits(life))
        return life

    def good(self) -> Life:
        """The fullest life that went well. Raises NotTestable if none did."""
        for name in (f"{self.prefix}.full", f"{self.prefix}.bare"):
            life = self.lives.get(name)
            if life is not None and life.good:
                return life
        for life in self.lives.values():
            if life.good and life.base and life.base.endswith((".full", ".bare")):
                return life
        for life in self.lives.values():
            if life.hit_limits:
                raise NotTestable(raise_limits(life))
        raise NotTestable(self.record.unstartable or f"no {self.role} run of this image went well")

    @property
    def prefix(self) -> str:
        return "train" if self.role == TRAINING else "serve"


class Training(RoleView):
    """Everything recorded of the image in the training role."""

    role = TRAINING


class Serving(RoleView):
    """Everything recorded of the image in the inference role."""

    role = INFERENCE

    @property
    def model(self) -> ModelFacts:
        return self.record.model

    def good(self) -> Life:
        """The fullest life that went well, else one that was healthy though it refused what it was sent."""
        try:
            return super().good()
        except NotTestable:
            for life in self.lives.values():
                if life.ready_at is not None and life.ended in ("stopped", "killed"):
                    return life
            raise


def raise_limits(life: Life) -> str:
    """The way out when a limit of ours was hit in a life."""
    options = {"memory": "--sm-memory", "processes": "--sm-processes", "log": "--sm-log-size"}

    def now(what: str) -> str:
        value = life.limits.get(what, 0)
        return f"{value:.0f}" if what == "processes" else f"{value / 2**20:.0f}m"

    return " and ".join(f"raise {options[what]} (now {now(what)}, hit in {life.name})" for what in life.hit_limits)
