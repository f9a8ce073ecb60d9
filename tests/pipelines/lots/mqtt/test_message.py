import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.lots.mqtt import message as limits
from pipelines.lots.mqtt.message import MessageError, Reader
from serving import forms, uploads

CONTENT = base64.b64encode(b"frame").decode()


def message(**changes: Any) -> bytes:
    """A message that is right but for these changes; None leaves a key out."""
    whole = {"part_id": "A-1", "views": [{"name": "a", "content": CONTENT}]} | changes
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def test_the_limits_are_those_of_the_services_uploads() -> None:
    assert limits.MAX_MESSAGE_BYTES == uploads.MAX_BODY_BYTES
    assert limits.MAX_FILE_BYTES == forms.MAX_FILE_BYTES
    assert limits.MAX_VIEWS == forms.MAX_VIEWS
    assert limits.MAX_NAME_CHARACTERS == forms.MAX_NAME_CHARACTERS


def test_a_message_is_a_part_with_its_views(tmp_path: Path) -> None:
    views = [{"name": "a", "content": CONTENT}, {"path": "한/b.jpg"}]
    time = "2026-11-25T06:30:00+09:00"

    part = Reader(tmp_path).part(message(views=views, camera="Ch00", taken_at=time))

    assert (part.part_id, part.camera, part.taken_at) == ("A-1", "Ch00", time)
    assert [frame.name for frame in part.frames] == ["a", "한/b.jpg"]
    assert part.frames[0].content == b"frame"
    assert part.frames[1].path == (tmp_path / "한/b.jpg").resolve()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"part_id": None}, "part_id: Field required"),
        ({"part_id": ""}, "part_id: String should have at least 1 character"),
        ({"part_id": 17}, "part_id: Input should be a valid string"),
        ({"part_id": "a\nb"}, "part_id: Value error, should hold printable characters only"),
        ({"part_id": "a" * 201}, "part_id: String should have at most 200 characters"),
        ({"taken_at": "2026-11-25T06:30:00"}, "taken_at: Value error, should be ISO 8601 with a"),
        ({"taken_at": "Monday"}, "taken_at: Value error, Invalid isoformat string"),
        ({"oven": 180}, "oven: Extra inputs are not permitted"),
        ({"views": []}, "views: Tuple should have at least 1 item"),
        ({"views": [{"path": "a"}] * 17}, "views: Tuple should have at most 16 items"),
        ({"views": [{}]}, "views.0: Value error, should have either 'path', or 'name' and"),
        ({"views": [{"path": "a", "content": CONTENT}]}, "views.0: Value error, should have eith"),
        ({"views": [{"content": CONTENT}]}, "views.0: Value error, should have 'name' with"),
        ({"views": [{"name": "a", "content": "a b="}]}, "views.0: 'content' is no base64"),
        ({"views": [{"name": "a", "content": "한글"}]}, "views.0: 'content' is no base64"),
        ({"views": [{"name": "a", "content": CONTENT}] * 2}, "views: two of them have one name"),
        ({"views": [{"path": "../a.jpg"}]}, "views.0: the path leads out of --root"),
        ({"views": [{"path": "/etc/passwd"}]}, "views.0: the path leads out of --root"),
        ({"views": [{"path": "한" * 300}]}, "views.0: the path: File name too long"),
        ({"views": [{"path": "out/a.jpg"}]}, "views.0: the path leads out of --root"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)

    with pytest.raises(MessageError) as caught:
        Reader(root).part(message(**changes))

    assert str(caught.value).startswith(said)
    assert all(len(reason) <= 200 for reason in caught.value.reasons)
    assert caught.value.part_id == ("" if "part_id" in changes else "A-1")


def test_without_a_root_no_path_is_read() -> None:
    with pytest.raises(MessageError, match="the connector was started without --root"):
        Reader().part(message(views=[{"path": "a.jpg"}]))


def test_a_file_of_the_largest_size_is_taken_and_a_larger_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    largest = base64.b64encode(bytes(limits.MAX_FILE_BYTES)).decode()
    views = [{"name": "a", "content": largest}]
    (frame,) = Reader().part(message(views=views)).frames
    assert frame.n_bytes() == limits.MAX_FILE_BYTES

    views = [{"name": "a", "content": largest + "AAAA"}]
    with pytest.raises(MessageError, match="String should have at most"):
        Reader().part(message(views=views))


def test_a_message_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MESSAGE_BYTES", len(message()))
    assert Reader().part(message()).part_id == "A-1"
    with pytest.raises(MessageError, match=f"{len(message()) + 1} bytes are more than"):
        Reader().part(message() + b" ")


@given(st.binary() | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["part_id", "views", "camera", "taken_at", "path", "name", "content"])
        | st.text(), inner,
    ),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_bytes_are_a_part_or_refused_in_words_that_json_can_hold(payload: bytes) -> None:
    try:
        said = [frame.name for frame in Reader().part(payload).frames]
    except MessageError as error:
        said = error.reasons
    assert said
    json.dumps(said, ensure_ascii=False).encode("utf-8")
