"""What a container tries to reach, read off its packets: each kind, and whatever an untrusted program may send."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_contract.engine.packets import IPV4, IPV6, attempt, lookup


def ipv4(target: str, kind: int, segment: bytes, options: int = 0) -> bytes:
    head = bytearray(20 + 4 * options)
    head[0], head[9] = 0x45 + options, kind
    head[16:20] = ipaddress.ip_address(target).packed
    return bytes(head) + segment


def ipv6(target: str, kind: int, segment: bytes) -> bytes:
    return bytes([0x60, 0, 0, 0, 0, 0, kind, 64]) + bytes(16) + ipaddress.ip_address(target).packed + segment


def tcp(port: int, flags: int) -> bytes:
    return b"\x80\x00" + port.to_bytes(2, "big") + bytes(9) + bytes([flags]) + bytes(6)


def udp(port: int, payload: bytes = b"") -> bytes:
    return b"\x80\x00" + port.to_bytes(2, "big") + bytes(4) + payload


def query(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return bytes(12) + labels + bytes(5)


@pytest.mark.parametrize(
    ("protocol", "packet", "what"),
    [
        (IPV4, ipv4("203.0.113.7", 6, tcp(443, 0x02)), "203.0.113.7:443"),
        (IPV4, ipv4("203.0.113.7", 6, tcp(443, 0x02), options=2), "203.0.113.7:443"),
        (IPV4, ipv4("203.0.113.7", 6, tcp(443, 0x12)), ""),  # an answer to somebody who called
        (IPV4, ipv4("203.0.113.7", 6, tcp(443, 0x10)), ""),
        (IPV4, ipv4("203.0.113.7", 17, udp(123)), "203.0.113.7:123"),
        (IPV4, ipv4("224.0.0.22", 17, udp(5353)), ""),
        (IPV4, ipv4("10.0.0.2", 17, udp(53, query("Weights.Example.com"))), "weights.example.com"),
        (IPV4, ipv4("10.0.0.2", 17, udp(53, query("0.0.0.0.in-addr.arpa"))), ""),
        (IPV4, ipv4("10.0.0.2", 17, udp(53, query("algo-1"))), ""),
        (IPV4, ipv4("10.0.0.2", 17, udp(53, query("a\x1b[31m.example.com"))), ""),
        (IPV6, ipv6("2001:db8::7", 6, tcp(443, 0x02)), "2001:db8::7:443"),
        (IPV6, ipv6("ff02::2", 58, b"\x85\x00"), ""),
        (0x0806, bytes(28), ""),
    ],
)
def test_what_is_tried(protocol: int, packet: bytes, what: str) -> None:
    assert attempt(protocol, packet) == what


@pytest.mark.parametrize(
    ("packet", "what"),
    [
        (ipv4("127.0.0.11", 17, udp(41327, query("Weights.Example.com"))), "weights.example.com"),
        (ipv4("127.0.0.11", 17, udp(41327, query("algo-1"))), ""),
        (ipv4("127.0.0.1", 17, udp(41327, query("weights.example.com"))), ""),  # somebody's own business
        (ipv4("127.0.0.11", 6, tcp(53, 0x02)), ""),
    ],
)
def test_what_the_engines_resolver_is_asked(packet: bytes, what: str) -> None:
    assert lookup(IPV4, packet) == what


@given(st.sampled_from([IPV4, IPV6, 0x0806]), st.binary(max_size=120))
def test_no_packet_does_harm(protocol: int, packet: bytes) -> None:
    what = attempt(protocol, packet)
    assert len(what) <= 260
    assert what.isprintable()


@given(st.binary(max_size=300))
def test_no_query_does_harm(message: bytes) -> None:
    what = attempt(IPV4, ipv4("10.0.0.2", 17, udp(53, message)))
    assert len(what) <= 253
    assert what.isprintable()
