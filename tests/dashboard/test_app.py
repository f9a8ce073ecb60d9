import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.architecture import ROOT, closure

pytestmark = pytest.mark.filterwarnings("default")


def test_the_app_opens_on_the_explorer(line_folder: Path) -> None:
    app = AppTest.from_file(str(ROOT / "dashboard/app.py"), default_timeout=60).run()
    assert not app.exception
    assert app.selectbox(key="fold").value == "val"


def test_it_listens_on_the_loopback_device_and_refuses_forged_and_huge_requests() -> None:
    server = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]
    assert server["address"] == "127.0.0.1"
    assert server["enableXsrfProtection"]
    assert server["maxUploadSize"] <= 64


@pytest.mark.parametrize(
    "page", ["embedding", "explorer", "models", "operating", "review", "study"]
)
def test_the_plain_logic_of_a_page_reaches_no_screen(page: str) -> None:
    shown = {"actions.py", "box_editor.py", "compare.py", "drawing.py", "keys.py", "looks.py",
             "page.py", "running.py", "waiting.py"}  # fmt: skip
    modules = [p for p in (ROOT / "dashboard" / page).glob("*.py") if p.name not in shown]
    assert modules
    for path in modules:
        reached = {name for name in closure(path) if name.startswith("dashboard/")}
        texts = [(ROOT / name).read_text(encoding="utf-8") for name in reached]
        assert not any("import streamlit" in text for text in texts), path
