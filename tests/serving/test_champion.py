import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import httpx
import onnx
import pytest
from onnx import helper
from starlette.testclient import TestClient

from inspection.errors import InspectionError
from inspection.runtime import releases as shelf
from inspection.runtime.bundle import CARD
from inspection.runtime.signatures import make_keys, read_private_key, read_public_key, sign
from inspection.runtime.views import View
from inspection.storage import sha256_of, write_json
from serving import champion as module
from serving.api import create_app
from serving.champion import Champion
from tests.bundles import draw_jpeg, make_bundle
from tests.waiting import wait_until

# The promise is 10 s, what we aim at is 1 s.
WITHIN_S = 1.0


def put(folder: Path, version: str) -> None:
    """A bundle of this version among the releases in `folder`."""
    bundle = folder.parent / f"bundle-{version}"
    make_bundle(bundle, version=f"test-{version}")
    shelf.release(bundle, folder, version)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Releases 1, the champion, and 2."""
    folder = tmp_path / "releases"
    put(folder, "1")
    put(folder, "2")
    shelf.promote(folder, "1")
    return folder


@pytest.fixture
def champion(folder: Path) -> Iterator[Champion]:
    champion = Champion(folder)
    champion.start()
    yield champion
    champion.stop()


until = partial(wait_until, within_s=WITHIN_S)


def point_at(folder: Path, version: str) -> None:
    """The pointer as `promote` writes it, whatever the release is worth."""
    card = folder / version / CARD
    pointer = {"version": version, "folder": version, "line": "test-line"}
    write_json(folder / shelf.POINTER, pointer | {"card_sha256": sha256_of(card)})


def test_a_promotion_serves_within_a_second(folder: Path, champion: Champion) -> None:
    shelf.promote(folder, "2")
    until(lambda: champion.current().release == "2")

    card = json.loads(champion.current().card_json)
    assert (card["version"], champion.state().n_taken_up) == ("test-2", 2)


def test_a_rollback_serves_too(folder: Path, champion: Champion) -> None:
    shelf.promote(folder, "2")
    until(lambda: champion.current().release == "2")
    shelf.promote(folder, "1")
    until(lambda: champion.current().release == "1")


def test_a_pointer_that_stays_loads_nothing_again(folder: Path, champion: Champion) -> None:
    served = champion.current()
    shelf.promote(folder, "1")
    champion.look()

    assert champion.current() is served


def change_a_byte(folder: Path) -> None:
    path = folder / "2" / "classifier.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose_a_model(folder: Path) -> None:
    (folder / "2" / "locator.onnx").unlink()


def put_another_model(folder: Path) -> None:
    """A model that loads, with a hash that agrees, and answers what the card does not say."""
    release = folder / "2"
    model = onnx.load(release / "classifier.onnx")
    model.graph.node.append(helper.make_node("Concat", ["logits", "logits"], ["more"], axis=1))
    model.graph.output[0].name = "more"
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 6
    onnx.save(model, release / "classifier.onnx")
    card = json.loads((release / CARD).read_text())
    card["files"]["classifier.onnx"] = sha256_of(release / "classifier.onnx")
    (release / CARD).write_text(json.dumps(card))


def spoil_a_model(folder: Path) -> None:
    """Bytes that are no model, with a hash that agrees."""
    release = folder / "2"
    (release / "anomaly.onnx").write_bytes(b"no model")
    card = json.loads((release / CARD).read_text())
    card["files"]["anomaly.onnx"] = sha256_of(release / "anomaly.onnx")
    (release / CARD).write_text(json.dumps(card))


BROKEN = {
    "hash": (change_a_byte, "its hash is not the one on the card"),
    "missing": (lose_a_model, "missing"),
    "no model": (spoil_a_model, "cannot load it"),
    "another model": (put_another_model, "the card says 3"),
}


@pytest.mark.parametrize(("break_", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_release_never_serves_and_the_last_good_one_stays(
    folder: Path, champion: Champion, break_: Callable[[Path], None], told: str
) -> None:
    break_(folder)
    point_at(folder, "2")
    until(lambda: champion.state().problem != "")

    state = champion.state()
    assert told in state.problem
    assert (champion.current().release, state.n_refused, state.n_taken_up) == ("1", 1, 1)


def test_a_broken_release_is_told_by_readyz_and_a_metric_and_parts_are_inspected(
    folder: Path, champion: Champion
) -> None:
    lose_a_model(folder)
    point_at(folder, "2")
    until(lambda: champion.state().problem != "")
    client = TestClient(create_app(champion))

    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["release"]) == (200, "1")
    assert "locator.onnx: missing" in ready.json()["problem"]
    assert 'knurl_release_problem{line=""} 1.0' in client.get("/metrics").text
    answer = client.post("/inspect", files=[("views", ("a.jpg", draw_jpeg("dent")))]).json()
    assert (answer["verdict"], answer["model"]["release"]) == ("reject", "1")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"folder": "../x", "card_sha256": ""}'])
def test_a_broken_pointer_leaves_the_good_release(
    folder: Path, champion: Champion, content: bytes
) -> None:
    (folder / shelf.POINTER).write_bytes(content)
    until(lambda: champion.state().problem != "")

    assert champion.current().release == "1"


def test_a_card_that_is_changed_after_its_check_never_serves(
    folder: Path, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody looser with defects changes the card between its check and its use."""
    champion.stop()

    def checked_then_changed(*given: object) -> tuple[Path, bytes]:
        release, content = shelf.champion_card(*given)
        card = json.loads(content)
        card["fusion"]["thresholds"] = {"accept_below": 1, "reject_above": 1}
        write_json(release / CARD, card)
        return release, content

    shelf.promote(folder, "2")
    monkeypatch.setattr(module, "champion_card", checked_then_changed)
    champion.look()

    assert "changed while it was loaded" in champion.state().problem
    assert champion.current().release == "1"


def test_a_lost_pointer_leaves_the_good_release_and_a_new_one_is_followed(
    folder: Path, champion: Champion
) -> None:
    (folder / shelf.POINTER).unlink()
    until(lambda: "no champion" in champion.state().problem)
    shelf.promote(folder, "2")
    until(lambda: champion.current().release == "2")

    assert champion.state().problem == ""


def test_a_release_that_becomes_whole_later_serves_then(
    folder: Path, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.2)
    path = folder / "2" / "locator.onnx"
    content = path.read_bytes()
    path.unlink()
    point_at(folder, "2")
    until(lambda: champion.state().problem != "")
    path.write_bytes(content)
    until(lambda: champion.current().release == "2")

    assert champion.state().problem == ""


def test_a_broken_release_is_not_hashed_again_at_every_poll(
    folder: Path, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion.stop()
    lose_a_model(folder)
    point_at(folder, "2")
    tried: list[Path] = []

    def checked(folder: Path, _: object) -> tuple[Path, bytes]:
        tried.append(folder)
        return folder / "2", (folder / "2" / CARD).read_bytes()

    monkeypatch.setattr(module, "champion_card", checked)
    for _ in range(3):
        champion.look()

    assert len(tried) == 1


def test_without_a_champion_it_does_not_start(folder: Path) -> None:
    (folder / shelf.POINTER).unlink()

    with pytest.raises(InspectionError, match="there is no champion yet"):
        Champion(folder).start()


def test_a_follower_that_has_stopped_is_not_ready(folder: Path, champion: Champion) -> None:
    champion.stop()

    assert TestClient(create_app(champion)).get("/readyz").status_code == 503


def test_no_request_is_dropped_or_mixed_while_releases_change(
    folder: Path, champion: Champion
) -> None:
    """Every answer names one of the two releases, with the card hash of that very release."""
    hashes = {name: sha256_of(folder / name / CARD) for name in ("1", "2")}
    files = [("views", (f"{i}.jpg", draw_jpeg("dent"))) for i in range(3)]
    answers: list[httpx.Response] = []

    async def ask(client: httpx.AsyncClient) -> None:
        while True:
            answers.append(await client.post("/inspect", files=files))

    async def change_releases() -> None:
        for version in ("2", "1", "2"):
            shelf.promote(folder, version)
            while champion.current().release != version:
                await anyio.sleep(0.01)
            await anyio.sleep(0.2)

    async def talk() -> None:
        transport = httpx.ASGITransport(create_app(champion))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            with anyio.fail_after(20):
                async with anyio.create_task_group() as clients:
                    for _ in range(3):
                        clients.start_soon(ask, client)
                    await change_releases()
                    clients.cancel_scope.cancel()

    anyio.run(talk)

    assert {answer.status_code for answer in answers} == {200}
    models = [answer.json()["model"] for answer in answers]
    assert all(hashes[model["release"]] == model["card_sha256"] for model in models)
    assert all(model["version"] == f"test-{model['release']}" for model in models)
    assert {model["release"] for model in models} == {"1", "2"}


def test_a_request_keeps_the_release_with_which_it_began(folder: Path, champion: Champion) -> None:
    served = champion.current()
    shelf.promote(folder, "2")
    until(lambda: champion.current().release == "2")

    assert served.inspector.inspect([View("a.jpg", draw_jpeg("dent"))]).label == "dent"
    assert served.release == "1"


def test_with_a_public_key_a_release_that_was_tampered_with_never_serves(
    folder: Path, tmp_path: Path
) -> None:
    """Model, card and pointer agree with each other, yet not with the signature."""
    public = read_public_key(make_keys(tmp_path / "line.key"))
    private = read_private_key(tmp_path / "line.key")
    shelf.promote(folder, "1", private)
    champion = Champion(folder, public)
    champion.start()
    try:
        sign(folder / "2", private)
        spoil_a_model(folder)
        point_at(folder, "2")
        until(lambda: champion.state().problem != "")
        assert "is not the signature of this release" in champion.state().problem
        assert champion.current().release == "1"
    finally:
        champion.stop()


def test_with_a_public_key_it_does_not_start_with_an_unsigned_champion(
    folder: Path, tmp_path: Path
) -> None:
    public = read_public_key(make_keys(tmp_path / "line.key"))

    with pytest.raises(InspectionError, match="only signed releases may serve"):
        Champion(folder, public).start()
