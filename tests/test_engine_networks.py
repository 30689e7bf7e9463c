"""Networks and ports on the real engine: what is reached from where."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import engine_support as support
import pytest
from engine_support import Run

from sm_contract.engine import connect
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import ContainerSpec, NotReachable

SERVE = "nc -l -p 8080 -e /bin/cat"


def _echo(run: Run) -> bytes:
    connect_to = run.container.endpoint(8080)

    def trial() -> bytes:
        try:
            with connect_to(2) as line:
                line.sendall(b"hello")
                return line.recv(5)
        except ConnectionRefusedError:
            return b""

    return bytes(support.until(trial))


@pytest.mark.parametrize("kind", ["internal", "ordinary", "none"])
def test_an_endpoint_is_reached_on_every_network(engine: DockerEngine, image: str, kind: str) -> None:
    run = Run(engine, image, f"cat /etc/hosts; {SERVE}; sleep 60", kind, hosts={"algo-1": "127.0.0.1"})
    try:
        assert _echo(run) == b"hello"
        connect_to = run.container.endpoint(8080)
    except NotReachable as missing:
        assert kind == "none"
        pytest.skip(str(missing))
    assert any(line.split() == ["127.0.0.1", "algo-1"] for line in run.text())
    with pytest.raises(ConnectionRefusedError):
        connect_to(2)  # nc has ended, the container has not
    run.container.signal("SIGKILL")
    run.finish()
    with pytest.raises(ConnectionRefusedError):
        connect_to(2)  # its address may be another's by now
    with pytest.raises(ConnectionRefusedError):
        run.container.endpoint(8080)(2)
    assert run.container.endpoint is not None


@pytest.fixture
def outside() -> Iterator[str]:
    """The address of a server beyond this machine's own: in a network namespace of its own, behind a cable."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2")
    name, near, far = f"smc{os.getpid()}", "198.18.77.1", "198.18.77.2"
    commands = (
        f"ip netns add {name}",
        f"ip link add {name} type veth peer name eth0 netns {name}",
        f"ip addr add {near}/30 dev {name}",
        f"ip link set {name} up",
        f"ip -n {name} addr add {far}/30 dev eth0",
        f"ip -n {name} link set eth0 up",
    )
    server = None
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{command}: {done.stderr}")
        server = subprocess.Popen(
            ["ip", "netns", "exec", name, str(support.busybox_program()), "nc", "-ll", "-p", "9999", "-e", "/bin/true"]
        )
        yield far
    finally:
        if server:
            server.kill()
            server.wait()
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_only_the_ordinary_network_has_a_way_out(engine: DockerEngine, image: str, outside: str) -> None:
    out = f"(echo hi | nc -w 2 {outside} 9999 && echo reached || echo not reached) 2>/dev/null"
    runs = {kind: Run(engine, image, out, kind) for kind in ("ordinary", "internal", "none")}
    said = {kind: (run.finish(), run.text()[-1])[1] for kind, run in runs.items()}
    assert said == {"ordinary": "reached", "internal": "not reached", "none": "not reached"}
    assert engine.network("internal") is engine.network("internal")


@pytest.mark.parametrize("kind", ["internal", "ordinary"])
def test_what_a_container_tries_first_is_seen_and_no_other_ones(engine: DockerEngine, image: str, kind: str) -> None:
    if engine.inside is None:
        pytest.skip(engine.inside_needs)
    network = engine.network(kind)
    assert network.bridge
    watched = []
    for number in (7, 8):
        script = f"nc -w 1 203.0.113.{number} 443 & sleep 2"
        spec = ContainerSpec(image=image, command=("/bin/sh", "-c", script), purpose="test", network=network)
        container = engine.create(spec)
        watched.append((container, engine.inside.packets(container, network)))
    for container, _ in watched:
        container.start()
    time.sleep(0.5)  # nc has tried once, and tries no more
    for _, packets in watched:
        packets.started()
    assert [list(packets.end() or ()) for _, packets in watched] == [["203.0.113.7:443"], ["203.0.113.8:443"]]
    for container, _ in watched:
        container.remove()


def test_a_name_on_the_network_resolves(engine: DockerEngine, image: str) -> None:
    first = Run(engine, image, SERVE, "internal", aliases=("algo-2",))
    second = Run(engine, image, "echo over the wire | nc -w 5 algo-2 8080", "internal")
    assert second.finish() == 0
    assert second.text() == ["over the wire"]
    first.container.remove()


def test_a_port_is_published_where_the_address_is_not_ours(
    engine: DockerEngine, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sm_contract.engine.networks.is_ours", lambda address: False)
    other = connect.open_engine(None, deadline_seconds=60)
    try:
        run = Run(other, image, f"while :; do {SERVE}; done", "internal")  # the endpoint tries the port first
        bindings = support.client().inspect_container(run.container.id)["NetworkSettings"]["Ports"]
        assert [bound["HostIp"] for bound in bindings["8080/tcp"]] == ["127.0.0.1"]
        connect_to = run.container.endpoint(8080)

        def trial() -> bytes:
            try:
                with connect_to(2) as line:
                    line.sendall(b"hello")
                    return line.recv(5)
            except OSError:  # the port's owner accepts for a container that does not listen yet
                return b""

        assert support.until(trial, seconds=30) == b"hello"
    finally:
        other.close()
