"""Files with declarations: what is read, and every fault at its line and column."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emq_elb.faults import FaultsInFiles
from emq_elb.files import as_yaml, read_files, read_text

GOOD = "name: demo\nsubnets:\n  - subnet-a\nlisteners:\n  - {protocol: SSL, port: 8883}\n"
KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def faults(text: str) -> list[str]:
    """What is said against a text, a line a fault."""
    with pytest.raises(FaultsInFiles) as error:
        read_text("f.yaml", text)
    return [str(fault) for fault in error.value.faults]


def test_a_document_is_a_name_and_a_body_with_the_place_of_each_field() -> None:
    (one,) = read_text("f.yaml", GOOD)
    assert (one.file, one.name) == ("f.yaml", "demo")
    assert one.body == {"subnets": ["subnet-a"], "listeners": [{"protocol": "SSL", "port": 8883}]}
    assert one.places["subnets[0]"] == (3, 5)
    assert one.places["listeners[0].port"] == (5, 21)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("listeners[0].port", "5:21"),
        ("listeners[0].port.more", "5:21"),
        ("listeners[0]", "5:5"),
        ("listeners[7].port", "4:1"),
        ("certificate", "1:1"),
        ("name", "1:1"),
        ("", "1:1"),
    ],
)
def test_a_fault_of_the_api_is_at_its_field_or_at_the_closest_around_it(path: str, place: str) -> None:
    (one,) = read_text("f.yaml", GOOD)
    assert str(one.fault(path, "wrong")) == f"f.yaml:{place}: {path}: wrong".replace(": :", ":")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: demo\nsubnets: [a\nx: 1\n", "f.yaml:3:2: expected ',' or ']', but got ':'"),
        ("name: demo\n\tsubnets: []\n", "f.yaml:2:1: found character '\\t' that cannot start any token"),
        ("name: demo\nname: other\n", "f.yaml:2:1: the field name stands here a second time"),
        ("name: demo\na: \x01\n", "f.yaml:2:4: a character that YAML does not allow"),
        ("name: demo\nkeepalive: .nan\n", "f.yaml:2:1: keepalive: this is no text, number"),
        ("name: demo\ntags: {since: 2026-01-01}\n", "f.yaml:2:8: tags.since: this is no text, number"),
        ("name: demo\nsubnets: !Ref Subnets\n", "f.yaml:2:1: subnets: this is no text, number"),
        ("name: demo\ntags: {1: x}\n", "f.yaml:2:8: tags.1: the name of a field is a text"),
        ("&a\nname: demo\nb: *a\n", "f.yaml:3:1: b: this refers to itself"),
        ("subnets: []\n", "f.yaml:1:1: `name` is missing"),
        ("name: 17\n", "f.yaml:1:1: name: the name is no text"),
        ("- name: demo\n", "f.yaml:1:1: a list; several load balancers are several documents"),
        ("only a text\n", "f.yaml:1:1: this is no declaration"),
        ("", "f.yaml:1:1: there is no declaration in it"),
        ("# nothing\n---\n", "f.yaml:1:1: there is no declaration in it"),
        ("2026-99-99: x", "f.yaml:1:1: this is no YAML"),
    ],
)
def test_a_fault_of_a_file_is_shown_with_its_place(text: str, said: str) -> None:
    assert faults(text)[0].startswith(said)


def test_all_faults_of_all_documents_are_shown_at_once() -> None:
    assert len(faults("a: .nan\nb: .inf\n---\n- x\n---\nname: 1\n")) == 5


@pytest.mark.parametrize(
    "text",
    [
        f"name: demo\nprivate_key: {KEY}\nprivate_key: {KEY}\n",
        f'name: demo\nprivate_key: "{KEY}\n',
        f"name: demo\nprivate_key: [{KEY}\n",
        f"private_key: !key {KEY}\n",
        f"{KEY}\n",
        f"? {KEY}\n? {KEY}\n",
    ],
)
def test_no_fault_quotes_a_value(text: str) -> None:
    assert not [fault for fault in faults(text) if KEY in fault and "field" not in fault]


def test_several_documents_and_files_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\n---\n\n---\nname: b\n")
    (tmp_path / "b.json").write_bytes(b'\xef\xbb\xbf{\n\t"$schema": "x",\n\t"name": "c"\n}')
    documents = read_files(["a.yaml", "b.json"], tmp_path)
    assert [(one.file, one.name, one.body) for one in documents] == [
        ("a.yaml", "a", {}),
        ("a.yaml", "b", {}),
        ("b.json", "c", {}),
    ]


def test_two_documents_of_one_name_are_a_fault_and_so_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\n---\nname: b\n---\nname: a\n")
    (tmp_path / "b.yaml").write_text("x: 1\nname: b\n")
    (tmp_path / "c.yaml").write_bytes(b"name: c\nx: \xff\n")
    with pytest.raises(FaultsInFiles) as error:
        read_files(["a.yaml", "b.yaml", "c.yaml", "d.yaml", "."], tmp_path)
    assert [str(fault) for fault in error.value.faults] == [
        ".:1:1: cannot be read: Is a directory",
        "a.yaml:5:1: name: a is declared already, at a.yaml:1",
        "b.yaml:2:1: name: b is declared already, at a.yaml:3",
        "c.yaml:2:1: this is no text in UTF-8",
        "d.yaml:1:1: cannot be read: No such file or directory",
    ]


def test_yaml_is_of_version_1_2_and_anchors_are_followed() -> None:
    text = "name: demo\non: yes\nmode: 0o17\nbase: &b {x: 1, y: &t true}\nmore: {<<: *b, z: *t}\n"
    (one,) = read_text("f.yaml", text)
    assert one.body == {
        "on": "yes",
        "mode": 15,
        "base": {"x": 1, "y": True},
        "more": {"x": 1, "y": True, "z": True},
    }
    assert json.loads(json.dumps(one.body)) == one.body


@given(st.text(max_size=60) | st.text("{}[]:,-&*!|>'\"%@`#?\n\t ab1.", max_size=40))
def test_any_text_is_read_or_is_a_fault(text: str) -> None:
    with suppress(FaultsInFiles):
        read_text("f.yaml", text)


@given(st.dictionaries(TEXTS.filter(lambda key: key not in {"name", "$schema", "<<"}), VALUES, max_size=4))
def test_json_and_what_we_write_ourselves_are_read_as_they_were_meant(body: dict[str, Any]) -> None:
    for text in (json.dumps({"name": "demo", **body}, ensure_ascii=False), as_yaml({"name": "demo", **body})):
        (one,) = read_text("f", text)
        assert one.body == body
