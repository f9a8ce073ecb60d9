"""What a check has found."""

from dataclasses import dataclass

# From the best to the worst; only the last one makes the command fail.
OK, WARNING, FAULT = "ok", "warning", "fault"
STATES = (OK, WARNING, FAULT)


@dataclass(frozen=True)
class Finding:
    """A line of the doctor's table; `remedy` says what mends it, where something is amiss."""

    state: str
    subject: str
    text: str
    remedy: str = ""
