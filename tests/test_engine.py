"""The engine room on the real engine: a container's life, its log, its limits and its inside, as seen from here."""

from __future__ import annotations

import os

import engine_support as support
import pytest
from engine_support import NAME, Run

from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import ContainerSpec, Engine, StartError


def _conforms(engine: DockerEngine) -> Engine:
    """For the type checker."""
    return engine


# --- a life -------------------------------------------------------------------------------------------


def test_a_life_from_first_line_to_exit_code(engine: DockerEngine, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the host")
    before = engine.starts
    run = Run(
        engine,
        image,
        "echo a; echo b >&2; printf '\\377half'; test -t 0 || echo no tty; cat; "
        "while read line; do case $line in Cap[BE]*|Seccomp:*) echo $line;; esac; done </proc/self/status; "
        "set; ls -d /dev/shm; exit 7",
        environment={"TRAINING_JOB_NAME": "job"},
        hostname="algo-1",
    )
    assert run.finish() == 7
    assert run.text("stderr") == ["b"]
    out = run.text()
    assert out[0] == "a"
    assert "�halfno tty" in out[1]  # undecodable bytes are shown, not lost
    text = "\n".join(out)
    assert "CapEff: 00000000a80425fb" in text  # docker's default set
    assert "Seccomp: 2" in text
    assert "TRAINING_JOB_NAME='job'" in text
    assert "HOSTNAME='algo-1'" in text
    assert "proxy.invalid" not in text
    assert "of the host" not in text
    assert run.container.state().exit_code == 7
    assert engine.starts == before + 1
    found = support.client().inspect_container(run.container.id)["HostConfig"]
    assert (found["ShmSize"], found["Init"], found["Binds"]) == (64 * 1024 * 1024, False, None)


def test_a_container_that_ends_at_once_is_seen_with_all_its_lines(engine: DockerEngine, image: str) -> None:
    for number in range(3):
        run = Run(engine, image, f"echo {number}; exit {number}")
        assert run.finish(5) == number
        assert run.text() == [str(number)]
        run.container.remove()
        run.container.remove()  # one that is gone


def test_the_stop_sequence(engine: DockerEngine, image: str) -> None:
    polite = Run(engine, image, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    deaf = Run(engine, image, "trap '' TERM; echo up; while :; do sleep 0.1; done")
    for run in (polite, deaf):
        support.until(run.text)
        run.container.signal("SIGTERM")
    assert polite.finish(5) == 0
    assert polite.text()[-1] == "bye"
    assert not deaf.container.exited.wait(0.5)
    deaf.container.signal("SIGKILL")
    assert deaf.finish(5) == 137
    deaf.container.signal("SIGTERM")  # nothing, it has ended


def test_a_start_error_holds_the_words_of_the_engine(engine: DockerEngine, image: str) -> None:
    spec = ContainerSpec(image=image, command=("train",), purpose="t", network=engine.network("none"))
    container = engine.create(spec)
    with pytest.raises(StartError, match=r"exec: \"train\": executable file not found"):
        container.start()
    assert container.exited.is_set()
    assert container.exit_code() is None

    api = support.client()
    api.import_image_from_data(
        support.busybox_tar(), repository=f"{NAME}-user", tag="1", changes=["USER nobody-here", 'CMD ["/bin/sh"]']
    )
    try:
        with pytest.raises(StartError, match="nobody-here"):
            engine.create(
                ContainerSpec(
                    image=engine.resolve(f"{NAME}-user:1"), command=None, purpose="t", network=engine.network("none")
                )
            ).start()
        with pytest.raises(StartError, match=r"(?i)no command"):
            engine.create(ContainerSpec(image=image, command=None, purpose="t", network=engine.network("none")))
    finally:
        for found in api.containers(all=True, filters={"ancestor": f"{NAME}-user:1"}):
            api.remove_container(found["Id"], force=True)
        api.remove_image(f"{NAME}-user:1", force=True)


def test_a_terminal_is_typed_to(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "test -t 0 && echo tty; read word; echo got $word", terminal=True)
    support.until(run.text)
    run.container.type(b"hello\n")
    assert run.finish() == 0
    assert run.text()[0] == "tty"
    assert "got hello" in run.text()


# --- log ----------------------------------------------------------------------------------------------


def test_times_of_lines_and_what_is_too_long(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "echo one; sleep 0.5; echo two; head -c 200000 /dev/zero | cat; echo; printf 'no end'")
    assert run.finish() == 0
    times = {text[:6]: at for at, _, text in run.lines}
    assert 0.4 < times["two"] - times["one"] < 2
    long = run.text()[2]
    assert len(long) == 64 * 1024 + 1
    assert long.endswith("…")
    assert run.text()[3:] == ["no end"]
    assert not run.container.log_cut


def test_a_log_without_end_is_cut_and_does_not_stop_the_container(engine: DockerEngine, image: str) -> None:
    run = Run(
        engine,
        image,
        "head -c 3000000 /dev/zero | cat | tr '\\0' 'y' ; yes | head -n 400000; exit 5",
        log_bytes=100_000,
    )
    assert run.finish(60) == 5
    assert run.container.log_cut
    assert run.container.hit_limits() == ("log",)
    assert sum(len(text) for text in run.text()) <= 100_001


# --- limits of ours -----------------------------------------------------------------------------------

EAT = "x=0123456789abcdef; while :; do x=$x$x; done"


def test_out_of_our_memory_is_told_apart(engine: DockerEngine, image: str) -> None:
    first = Run(engine, image, EAT, memory=32 << 20)
    child = Run(engine, image, f"({EAT}); echo child $?; exit 4", memory=32 << 20)
    fine = Run(engine, image, "kill -9 $$; exit 9", memory=32 << 20)
    assert first.finish() == 137
    assert first.container.hit_limits() == ("memory",)
    assert child.finish() == 4  # its first process survives, and hides it
    assert child.container.hit_limits() == ("memory",)
    assert fine.finish() == 9
    assert fine.container.hit_limits() == ()
    assert support.client().inspect_container(fine.container.id)["HostConfig"]["MemorySwap"] == 32 << 20


def test_out_of_our_processes_is_told_apart(engine: DockerEngine, image: str) -> None:
    bomb = Run(engine, image, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; sleep 0.2; exit 3", processes=5)
    fine = Run(engine, image, "sleep 0.3 & sleep 0.3; exit 3", processes=5)
    bomb.finish()
    assert bomb.container.hit_limits() == ("processes",)
    assert fine.finish() == 3
    assert fine.container.hit_limits() == ()


# --- inside -------------------------------------------------------------------------------------------


def test_listeners_their_holders_and_what_those_do_with_sigterm(engine: DockerEngine, image: str) -> None:
    if engine.inside is None:
        pytest.skip(engine.inside_needs)
    child = Run(engine, image, "trap 'exit 0' TERM; nc -l -p 8080 & while :; do sleep 0.1; done", "internal")
    itself = Run(engine, image, "trap '' TERM; exec nc -l -p 8081")
    (found,) = support.until(lambda: engine.inside and engine.inside.listeners(child.container))
    assert (found.port, found.pid_one, found.ignores_sigterm, found.catches_sigterm) == (8080, False, False, False)
    (found,) = support.until(lambda: engine.inside and engine.inside.listeners(itself.container))
    assert (found.address, found.port, found.pid_one) == ("::", 8081, True)
    assert (found.ignores_sigterm, found.catches_sigterm) == (True, False)

    processes = engine.inside.processes(child.container)
    shell = next(process for process in processes if process.depth == 0)
    server = next(process for process in processes if process.command.startswith("nc "))
    assert (server.depth, server.parent) == (1, shell.pid)
    assert shell.rss > 0
    with pytest.raises(ProcessLookupError):
        engine.inside.kill(itself.container, server.pid)  # another container's
    with pytest.raises(ProcessLookupError):
        engine.inside.kill(child.container, os.getpid())
    engine.inside.kill(child.container, server.pid)
    support.until(lambda: engine.inside and not engine.inside.listeners(child.container))
    assert not child.container.exited.is_set()
    for run in (child, itself):
        run.container.remove()
    assert engine.inside.listeners is not None


def test_processor_time_is_known_and_remembered(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
    used = support.until(run.container.cpu_seconds)
    run.finish()
    assert (run.container.cpu_seconds() or 0) >= used > 0
