"""The time limits in force. The contract's own can be shortened by option; a report names each that was."""

from __future__ import annotations

from dataclasses import asdict, dataclass

CONTRACT = {"start": 480.0, "ping": 2.0, "invoke": 60.0, "stop": 30.0, "connect": 0.25, "train_stop": 120.0}
OF_TRAINING = ("train_stop",)  # the others are a server's


@dataclass(frozen=True)
class Limits:
    """Seconds. The first six are the contract's; ``train`` and ``idle`` bound our own patience."""

    start: float = CONTRACT["start"]  # from the start of the container to healthy pings
    ping: float = CONTRACT["ping"]
    invoke: float = CONTRACT["invoke"]
    stop: float = CONTRACT["stop"]  # SIGTERM to SIGKILL of a server
    connect: float = CONTRACT["connect"]  # until a connection is accepted
    train_stop: float = CONTRACT["train_stop"]  # SIGTERM to SIGKILL of a training
    train: float = 3600.0  # until a training on small data has to be over
    idle: float = 120.0  # twice as long without work over an unchanged model: the process hangs on

    def in_force(self) -> dict[str, float]:
        return asdict(self)

    def shortened(self, *, training: bool = False) -> dict[str, float]:
        """The limits of a server, or of a training, below the contract's, with the contract's value."""
        concerned = {name: value for name, value in CONTRACT.items() if (name in OF_TRAINING) == training}
        return {name: value for name, value in concerned.items() if getattr(self, name) < value}
