"""What a run reached for outside of its container: by its words, and by the names and addresses that it tried."""

from __future__ import annotations

import re

from sm_contract.record import Life, LogLine
from sm_contract.wants import last_words

INSTALL = "SM-OFFLINE-INSTALL-01"
METADATA = "SM-OFFLINE-METADATA-01"
FETCH = "SM-OFFLINE-FETCH-01"
DNS = "SM-OFFLINE-DNS-01"
WORDS = {  # the most telling first
    INSTALL: re.compile(
        r"Could not find a version that satisfies|No matching distribution found|CondaHTTPError"
        r"|E: Unable to (locate package|fetch)|Failed to fetch https?://\S*(debian|ubuntu)|npm ERR! (network|code E)"
        r"|(pypi\.org|pythonhosted\.org|conda\.anaconda\.org|registry\.npmjs\.org)"
    ),
    METADATA: re.compile(r"169\.254\.(169\.254|170\.2)|\bIMDS\b|[Ii]nstance ?[Mm]etadata|metadata service"),
    FETCH: re.compile(
        r"huggingface\.co|hf-mirror|LocalEntryNotFoundError|couldn't connect to 'https?://|download\.pytorch\.org"
        r"|tfhub\.dev|storage\.googleapis\.com|nltk\.download|s3[.-][\w.-]*amazonaws\.com|modelscope|raw\.githubusercontent"
        r"|licen[cs]e (server|key|could not)"
    ),
    DNS: re.compile(
        r"gaierror|[Tt]emporary failure in name resolution|[Nn]ame or service not known|[Cc]ould not resolve host"
        r"|getaddrinfo (failed|ENOTFOUND|EAI_AGAIN)|no such host|No address associated with hostname"
    ),
}
_METADATA = ("169.254.169.254:", "169.254.170.2:")
_UNTIL_GIVEN_UP = 12.0  # seconds from the first try of the metadata address to the end that it caused


def reached_for(life: Life) -> str:
    """The requirement that says best what a run without a way out reached for; "" if nothing says so."""
    return _by([line.text for line in life.log], life) or _by(_tried(life), life)


def unreached(life: Life) -> str:
    """The same of a run that went wrong on an open network, too: by its last words, and by what it tried last."""
    if life.ended != "itself" or life.hit_limits:
        return ""
    if id := _by([line.text for line in last_words(life)], life):
        return id
    last = next((one for one in reversed(life.attempts or ()) if ":" in one.what), None)  # no name
    late = last is not None and life.seconds - last.at < _UNTIL_GIVEN_UP
    return METADATA if late and last is not None and last.what.startswith(_METADATA) else ""


def line_of(life: Life, id: str) -> LogLine | None:
    """The log line that says so, a last word first."""
    return next((line for line in (*last_words(life), *life.log) if WORDS[id].search(line.text)), None)


def _by(texts: list[str], life: Life) -> str:
    return next((id for id, words in WORDS.items() if any(words.search(text) for text in texts)), "")


def _tried(life: Life) -> list[str]:
    return [one.what for one in life.attempts or ()]
