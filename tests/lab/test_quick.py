"""What is made quick answers as moto does without it."""

from __future__ import annotations

from typing import Any

import pytest
import xmltodict  # type: ignore[import-untyped] # moto's; its types are a package of their own
from hypothesis import given
from hypothesis import strategies as st
from moto.core.serialize import BaseXMLSerializer, ResponseSerializer

from lab import quick
from tests.provision.test_crash import nothing_there
from tests.world.provisioning import Account

NAMES = st.from_regex(r"@?[A-Za-z][A-Za-z0-9:]{0,6}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["", "<&>\"'\n\t", "]]>"])
SCALARS = TEXTS | st.integers() | st.booleans() | st.none() | st.binary(max_size=4) | st.floats()
DOCUMENTS = st.dictionaries(
    NAMES.filter(lambda name: not name.startswith("@")),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4)
    ),
    min_size=1,
    max_size=2,
)
HOW = {"short_empty_elements": True}


def outcome(write: Any, document: Any, **how: bool) -> object:
    try:
        return write(document, **how)
    except ValueError:
        return ValueError


@given(document=DOCUMENTS, full=st.booleans(), pretty=st.booleans())
def test_xml_is_that_of_xmltodict(document: dict[str, Any], full: bool, pretty: bool) -> None:
    how = {**HOW, "full_document": full, "pretty": pretty}
    assert outcome(quick.unparse, document, **how) == outcome(xmltodict.unparse, document, **how)


@pytest.mark.parametrize("name", ["a b", "a>b", "?a", "a/b", "@a=b", 'a"'])
def test_a_name_that_xml_has_not_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        quick.unparse({"a": {name: "text"}}, full_document=False)


def test_answers_are_those_of_moto(here: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    serialize, compared = ResponseSerializer.serialize, set()

    def both(serializer: ResponseSerializer, result: Any) -> Any:
        answers = []
        for get_value, structure in ((quick.pick, quick.structure), (quick._get_value, quick._structure)):
            monkeypatch.setattr(ResponseSerializer, "get_value", get_value)
            monkeypatch.setattr(BaseXMLSerializer, "_serialize_type_structure", structure)
            answers.append(serialize(serializer, result))
        assert answers[0] == answers[1]
        compared.add(serializer.operation_name)
        return answers[0]

    monkeypatch.setattr(ResponseSerializer, "serialize", both)
    body = nothing_there(here)
    network = {"subnets": here.subnets[:2], "type": "network", "certificate": body["certificate"]}
    for name, asked in (("demo", body), ("demo-network", network)):
        here.put(asked, name)
        here.put(asked, name)
        here.get(name)
        here.delete(name, force=True)
    assert len(compared) > 40
