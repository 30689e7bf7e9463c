"""What the body of an answer is, told from its bytes alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_contract.platform.formats import reads_as

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@pytest.mark.parametrize(
    ("body", "forms"),
    [
        (b'{"a": 1}', ("json", "jsonlines")),
        (b'{"a":\n 1}', ("json",)),
        (b'{"a": 1}\n{"a": 2}\n', ("jsonlines",)),
        ('{"a": "one\u2028two"}\r\n{"a": 2}'.encode(), ("jsonlines",)),
        (b"4.75\n", ("json", "jsonlines")),
        (b"4.75,0.25\n", ()),
        (b"", ()),
        (b"< 4\n", ()),
        (b"<!DOCTYPE html><title>4</title>", ("markup",)),
        (b"\n<html>", ("markup",)),
        (b"<soap:Envelope xmlns:soap='urn:s'/>", ("markup",)),
        (b"<my-answer>4</my-answer>", ("markup",)),
        (b"<!-- made by a template --><answer/>", ("markup",)),
        ("<réponse>4</réponse>".encode(), ("markup",)),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><réponse/>'.encode("latin-1"), ("markup",)),
        (b"\xef\xbb\xbf<answer/>", ("markup",)),
        ("<answer/>".encode("utf-16"), ("markup",)),
        ('{"unit": "°C"}'.encode("latin-1"), ()),  # JSON is UTF-8
    ],
)
def test_what_a_body_is(body: bytes, forms: tuple[str, ...]) -> None:
    assert reads_as(body) == forms


@given(st.lists(VALUES, min_size=1))
def test_lines_of_json_are_that_and_one_alone_is_both(values: list[object]) -> None:
    lines = [json.dumps(value, ensure_ascii=False) for value in values]
    found = reads_as("\n".join(lines).encode("utf-8"))
    assert "jsonlines" in found
    assert len(values) > 1 or "json" in found


@given(st.binary())
def test_any_bytes_are_told(body: bytes) -> None:
    assert set(reads_as(body)) <= {"json", "jsonlines", "markup"}
