"""What a check has found."""

import time
from dataclasses import dataclass

# From the best to the worst; only the last one makes the command fail.
OK, WARNING, FAULT = "ok", "warning", "fault"
STATES = (OK, WARNING, FAULT)
# Signed requests to object stores are refused from 15 minutes on; who compares times of parts
# between machines is misled much sooner.
MAX_CLOCK_DIFFERENCE_S = 30.0


@dataclass(frozen=True)
class Finding:
    """A line of the doctor's table; `remedy` says what mends it, where something is amiss."""

    state: str
    subject: str
    text: str
    remedy: str = ""


def clock(subject: str, epoch_s: float) -> Finding:
    """How far a server's clock is off ours, from what it says of its time (s since 1970)."""
    difference = epoch_s - time.time()
    text = f"that of {subject} is {difference:+.0f} s off ours"
    if abs(difference) <= MAX_CLOCK_DIFFERENCE_S:
        return Finding(OK, "clock", text)
    return Finding(FAULT, "clock", text, "let both machines follow NTP")
