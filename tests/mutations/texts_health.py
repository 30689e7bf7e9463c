# ruff: noqa: E501  # sentences are held whole
"""What is said of health, held to the letter."""

from __future__ import annotations

TEXTS = {
    "SM-INFER-PING-05": (
        '15 bytes with status 200: \'{"status":"ok"}\' (serve.bare)',
        "return an empty body: the status alone decides, and a body only warns",
    ),
    "SM-INFER-PING-06": (
        "status 503 0.3 s after the first 200 of /ping, 2xx after 0.4 s (serve.bare)",
        "answer /ping with 503 until the model is loaded: requests come from the first 200 on",
    ),
    "SM-INFER-PING-07": (
        "200 for /ping, and status 503 for an invocation (serve.empty)",
        "load the model before the first 200; where it cannot be loaded, answer /ping with 503, or let the container end",
    ),
    "SM-INFER-PING-09": (
        "2 s after gunicorn: worker [wsgi] was killed /ping is still 200, and an invocation gets status 502 (serve.probed)",
        "let /ping ask the process that answers invocations, or start that again when it is gone",
    ),
    "SM-INFER-PING-10": (
        "status 500 for POST /ping (serve.probed)",
        "give /ping both methods, or let the framework answer 405",
    ),
    "SM-INFER-METRICS-01": (
        "connection closed without an answer for GET /metrics, and the ping behind it was not answered with 200 in time (serve.probed)",
        "answer routes that are not there with 404, and keep a fault of one request away from the others",
    ),
    "SM-INFER-NET-03": (
        "status 400 for POST /invocations for Host sm-contract.example, 2xx for Host model.aws.local:8080 (serve.probed)",
        "let the framework take any host (Django: ALLOWED_HOSTS = ['*']; Starlette: no TrustedHostMiddleware): the platform's names and addresses are not promised",
    ),
    "SM-INFER-STOP-02": (
        "it was still there, since it ignores the signal, and had to be killed (serve.bare@alone)",
        "install a handler of SIGTERM: take no more connections, finish what is open, and exit",
    ),
    "SM-PRIV-INIT-01": (
        "9 s after gunicorn: worker [wsgi] was killed the container still runs, and a ping gets connection refused (serve.probed)",
        "start the server with exec, or wait for it and end with it: server & wait $!; exit $?",
    ),
}
