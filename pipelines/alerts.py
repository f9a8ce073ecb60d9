"""Telling people and programs: a warning in the log, and messages to a webhook.

A message to people is JSON with the one key `text`, which Slack, Mattermost and Microsoft Teams
read; it goes to the address in KNURL_WEBHOOK. Where KNURL_WEBHOOK_KEY holds a key, every message is
signed with it, so that the receiver knows who sent it.
"""

import hashlib
import hmac
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from inspection.plant import TAG, as_typed, line_of

WEBHOOK = "KNURL_WEBHOOK"
WEBHOOK_KEY = "KNURL_WEBHOOK_KEY"
SIGNATURE = "X-Knurl-Signature"
# A flow that has something to tell must not hang on who should hear it.
TIMEOUT_S = 10.0
# Before each further try to tell people: a receiver that restarts is back within seconds.
RETRY_AFTER_S = (1.0, 4.0)

logger = logging.getLogger("knurl.alerts")


def tell(text: str, line: str = "") -> bool:
    """Log a warning and post it to the webhook; whether somebody was reached there.

    One of a line in `lines/`, that in whose folder this process works unless another is named,
    begins with its name. Three times at most, within 35 s: a message that the receiver took and did
    not answer comes once more.
    """
    about = line or line_of(Path())
    if about:
        text = f"{about}: {as_typed(text, about)}"
    logger.warning("%s", text)
    url = os.environ.get(WEBHOOK)
    if not url:
        return False

    body = json.dumps({"text": text}).encode("utf-8")
    problem = posted(url, body)
    for wait_s in RETRY_AFTER_S:
        if not problem:
            break
        time.sleep(wait_s)
        problem = posted(url, body)
    if problem:
        logger.warning("%s: not reached (%s)", WEBHOOK, problem)
    return not problem


def posted(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> str:
    """Post a body of JSON, signed where there is a key; what went wrong, '' where nothing.

    The address holds a secret: neither it nor the error's text, which repeats it, is returned.
    """
    sent = {"content-type": "application/json", **(headers or {})}
    key = os.environ.get(WEBHOOK_KEY)
    if key:
        sent[SIGNATURE] = signature(body, key)

    try:
        answer = httpx.post(url, content=body, headers=sent, timeout=TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return "" if answer.is_success else f"status {answer.status_code}"


def signature(body: bytes, key: str) -> str:
    """HMAC-SHA256 (RFC 2104) of a body, as GitHub and others write it into a header.

    >>> signature(b"{}", "key")[:20]
    'sha256=a777724d943eb'
    """
    digest = hmac.new(key.encode("utf-8"), body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def run_failed(flow: Any, flow_run: Any, state: Any) -> None:
    """For `on_failure` and `on_crashed` of a flow: which run ended how, and why."""
    named = [one for one in flow_run.tags if one.startswith(TAG)]
    line = named[0].removeprefix(TAG) if named else ""
    tell(f"{flow.name}/{flow_run.name}: {state.name}: {state.message}", line)
