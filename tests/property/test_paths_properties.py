"""What holds for any text taken as a path."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding.paths import format_key, is_canonical_key, parse_path, parse_write_path
from protocol.errors import PathError

segments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\x00"), min_size=1)


@given(st.lists(segments, min_size=1, max_size=5))
def test_canonical_paths_come_back(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    key = parse_path(path)
    assert format_key(key) == path
    assert key == b"\x00".join(part.encode() for part in parts)


@given(st.lists(segments, min_size=1, max_size=3), st.lists(segments, min_size=1, max_size=3))
def test_different_paths_have_different_keys(a: list[str], b: list[str]) -> None:
    same = parse_path("/" + "/".join(a)) == parse_path("/" + "/".join(b))
    assert same is (a == b)


@settings(max_examples=500)
@given(st.text(st.sampled_from("/.\x00sy\ud800é")) | st.text())
def test_any_text_is_a_canonical_path_or_refused(path: str) -> None:
    try:
        key = parse_write_path(path)
    except PathError:
        return
    assert is_canonical_key(key)
    assert format_key(key) == path
    assert key.split(b"\x00")[0] != b".sys"
