"""Telling people: a warning in the log, and a message to the address in KNURL_WEBHOOK.

The message is JSON with the one key `text`, which Slack, Mattermost and Microsoft Teams read.
"""

import logging
import os
from typing import Any

import httpx

WEBHOOK = "KNURL_WEBHOOK"
# A flow that has something to tell must not hang on who should hear it.
TIMEOUT_S = 10.0

logger = logging.getLogger("knurl.alerts")


def tell(text: str) -> bool:
    """Log a warning and post it to the webhook; whether somebody was reached there."""
    logger.warning("%s", text)
    url = os.environ.get(WEBHOOK)
    if not url:
        return False

    try:
        httpx.post(url, json={"text": text}, timeout=TIMEOUT_S).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # the address holds a secret: neither it nor the error's text, which repeats it, is logged
        logger.warning("%s: not reached (%s)", WEBHOOK, type(error).__name__)
        return False
    return True


def run_failed(flow: Any, flow_run: Any, state: Any) -> None:
    """For `on_failure` and `on_crashed` of a flow: which run ended how, and why."""
    tell(f"{flow.name}/{flow_run.name}: {state.name}: {state.message}")
