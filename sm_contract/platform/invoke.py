"""InvokeEndpoint: which headers reach the container, and what the caller is told of its answer."""

from __future__ import annotations

from collections.abc import Mapping

from sm_contract.platform.http import Answer

CUSTOM_ATTRIBUTES = 'trace="a,b;c=d";x=1,y=2;=;,;"' + "k=v;" * 256

EXTRA_HEADERS = {
    "X-Amzn-SageMaker-Forwarded-Api": "InvokeEndpoint",
    "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
    "X-Amzn-RequestId": "4f5a0d3e-4a0f-4a52-9d4f-1c0f3f6e2b11",
    "X-Forwarded-For": "10.32.0.2",
    "X-Forwarded-Proto": "https",
    "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "User-Agent": "AHC/2.0",
    "Accept-Encoding": "gzip, deflate",
    "Cache-Control": "no-cache",
    "X-Sm-Contract-Empty": "",
    "X-Sm-Contract-Odd": 'a, b; c="d"',
    "X-Sm-Contract-Long": "z" * 1024,
}
USUAL_CLIENT_HEADERS = {
    "Authorization": "Bearer sm-contract",
    "X-Api-Key": "sm-contract",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "Cookie": "session=sm-contract",
    "Origin": "http://localhost",
    "X-Requested-With": "XMLHttpRequest",
}


def request_headers(content_type: str, accept: str = "", more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of one invocation; the platform adds Host and Content-Length."""
    headers = {"Content-Type": content_type}
    if accept:
        headers["Accept"] = accept
    return {**headers, **(more or {})}


def all_headers() -> dict[str, str]:
    """Every header of InvokeEndpoint that a single-model endpoint passes on, beside the two of the request."""
    return {
        "X-Amzn-SageMaker-Custom-Attributes": "trace=abc123",
        "X-Amzn-SageMaker-Inference-Id": "sm-contract-1",
        "X-Amzn-SageMaker-Target-Variant": "AllTraffic",
    }


def custom_attributes() -> dict[str, str]:
    """1,024 visible US-ASCII characters, quotes, commas, semicolons and equals signs among them."""
    return {"X-Amzn-SageMaker-Custom-Attributes": CUSTOM_ATTRIBUTES[:1024]}


def attributes_back(sent: Mapping[str, str], answer: Answer) -> bool | None:
    """Whether the answer holds the custom attributes that were sent; None if there were none."""
    attributes = sent.get("X-Amzn-SageMaker-Custom-Attributes")
    if attributes is None:
        return None
    return any(
        name.lower() == "x-amzn-sagemaker-custom-attributes" and value == attributes for name, value in answer.headers
    )


def client_sees(answer: Answer) -> str:
    """What the caller of InvokeEndpoint gets: the body, or a ModelError in the platform's words."""
    if answer.error == "timed out":
        return (
            "ModelError (424), OriginalStatusCode 0: Your invocation timed out while waiting for a response from "
            "container primary."
        )
    if answer.error == "broken off":
        return "ModelError (424), OriginalStatusCode 0: could not load the entire response body from container primary"
    if answer.status is None:
        return "ModelError (424), OriginalStatusCode 0: could not get a response from the primary container"
    if 200 <= answer.status < 300:
        return "200 with the body"
    side = "client" if answer.status < 500 else "server"
    return f'ModelError (424): Received {side} error ({answer.status}) from primary with message "{answer.body_head}"'
