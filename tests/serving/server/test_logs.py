import logging
import sys

import pytest

from serving.server import logs

FORGERIES = ["a\nb", "a\r\nb", "a\x1b[2Kb", "a\u2028b", "a\x85b", "a\x00b"]


@pytest.mark.parametrize("text", FORGERIES)
def test_a_message_is_one_line_whatever_it_holds(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    logs.to_stderr()
    logging.getLogger("knurl.test").warning("got %s", text)

    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1
    assert line.rstrip("\n").isprintable()


def test_a_traceback_cannot_forge_a_line_either() -> None:
    record = logging.LogRecord("knurl", logging.ERROR, "", 1, "failed", None, None)
    try:
        raise ValueError("x\n2026-01-01 00:00:00 INFO knurl all is well")
    except ValueError:
        record.exc_info = sys.exc_info()

    lines = logs.OneLine(logs.FORMAT).format(record).splitlines()
    assert all(line.startswith("    ") for line in lines[1:])


def test_korean_text_stays_readable() -> None:
    assert logs.escaped("널링양품.jpg") == "널링양품.jpg"
