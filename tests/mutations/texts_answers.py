# ruff: noqa: E501  # sentences are held whole
"""What is said of answers, held to the letter."""

from __future__ import annotations

TEXTS = {
    "SM-INFER-INVOKE-06": (
        "Content-Type is text/html, and the body is JSON: '{\"predictions\": [0.5]}' for request 0 (serve.bare)",
        "set the header where the body is made: application/json, text/csv or application/jsonlines (many frameworks say text/html where nothing is set)",
    ),
    "SM-INFER-INVOKE-07": (
        "status 406 without Accept for request 0 (text/csv), 2xx with Accept: application/json (serve.probed)",
        "take a missing Accept, and one of */*, as the default format",
    ),
    "SM-INFER-INVOKE-10": (
        'status 200 for an empty body as application/json, with the body \'{"error": "no JSON"}\' (serve.probed)',
        "answer what cannot be read with 400, and what went wrong inside with 500: a client takes 2xx for a prediction",
    ),
    "SM-INFER-INVOKE-11": (
        "connection closed without an answer for a single brace as application/json; then the container exited with 1 after 2.1 s (serve.probed)",
        "catch what reading the body may raise, and answer with 400",
    ),
    "SM-INFER-INVOKE-12": (
        "status 413 for a body of 6 MB (application/json, serve.probed)",
        "raise the limit of the front end (nginx: client_max_body_size 25m; Flask: MAX_CONTENT_LENGTH; TorchServe: max_request_size)",
    ),
    "SM-INFER-INVOKE-13": (
        "request 0 got the answer to request 2, '{\"predictions\": [2.5]}' and not '{\"predictions\": [0.5]}', while others were under way (serve.probed)",
        "keep nothing of a request in a global or on the model object: use local variables, or a lock",
    ),
    "SM-INFER-INVOKE-14": (
        "2 more bytes behind the 22 of Content-Length for request 0, plain (serve.bare)",
        "count the bytes of the encoded body, not the characters of the text; a client cuts the rest off",
    ),
    "SM-INFER-INVOKE-15": (
        "it did not come back (serve.bare)",
        "let what stands before the model code (proxy, adapter, framework) pass on every X-Amzn-SageMaker-* header, in both directions",
    ),
    "SM-INFER-INVOKE-16": (
        "10,000,000 bytes for request 2 in serve.bare",
        'answer with less, or with the place of an object in S3; or stream it and declare features = ["streaming"]',
    ),
}
