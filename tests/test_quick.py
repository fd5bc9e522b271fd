"""What is made quick for the tests is what it is without that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from moto.core.botocore_stubber import BotocoreStubber

from lab.fidelity.authorization import SIGNED
from tests.provision.test_crash import nothing_there
from tests.world import short_way
from tests.world.provisioning import Account
from tests.world.quick import POOL, Pool

BITS = 1024
KEYS = rsa.generate_private_key
assert isinstance(KEYS, Pool)
MAKE = KEYS.generate


@pytest.mark.parametrize("damage", [b"", b"no key"])
def test_the_next_run_finds_the_keys_of_this_one_and_makes_anew_what_is_damaged(
    tmp_path: Path, damage: bytes
) -> None:
    def numbers(key: RSAPrivateKey) -> int:
        return key.private_numbers().p

    first, second = Pool(MAKE, tmp_path / "keys"), Pool(MAKE, tmp_path / "keys")
    one, other = numbers(first(65537, BITS)), numbers(first(65537, BITS))
    assert one != other
    assert [numbers(second(65537, BITS)), numbers(second(65537, BITS))] == [one, other]
    for path in (tmp_path / "keys").iterdir():
        path.write_bytes(damage)
    anew = Pool(MAKE, tmp_path / "keys")
    assert numbers(anew(65537, BITS)) not in {one, other}


def test_a_key_comes_again_after_all_others(tmp_path: Path) -> None:
    pool = Pool(MAKE, tmp_path)
    keys = [pool(65537, BITS) for _ in range(POOL + 1)]
    assert len({id(key) for key in keys}) == POOL
    assert keys[0] is keys[-1]


def test_a_key_that_outlives_a_test_comes_to_nobody_else(tmp_path: Path) -> None:
    pool = Pool(MAKE, tmp_path)
    lasting = [pool.lasting(BITS), pool.lasting(BITS)]
    keys = [*lasting, *(pool(65537, BITS) for _ in range(POOL))]
    assert len({key.private_numbers() for key in keys}) == POOL + len(lasting)


@pytest.mark.usefixtures("aws")
def test_a_call_says_who_makes_it_in_which_region() -> None:
    sent: list[AWSPreparedRequest] = []
    elb = boto3.client("elb", "eu-west-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret")
    elb.meta.events.register_first(
        "before-send.elastic-load-balancing.*", lambda request, **_: sent.append(request)
    )
    elb.describe_load_balancers()
    header = sent[0].headers["Authorization"]
    found = SIGNED.search(header.decode() if isinstance(header, bytes) else header)
    assert found
    assert (found["access_key"], found["region"]) == ("AKIDEXAMPLE", "eu-west-1")


def test_what_comes_again_is_read_anew_for_whoever_asks(here: Account) -> None:
    here.world.create()
    first, second = here.world.describe(), here.world.describe()
    assert first == second
    first["Subnets"].clear()
    assert here.world.describe() == second
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    assert here.world.elb.describe_load_balancers()["LoadBalancerDescriptions"] == []


def test_the_short_way_leads_to_the_answers_of_moto(here: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: set[str] = set()

    def both(stubber: BotocoreStubber, call: AWSPreparedRequest) -> Any:
        answer = short_way.answer(stubber, call)
        if action := re.match(rb"Action=((?:Describe|List|Get)\w+)", short_way.sent(call)):
            assert undated(answer) == undated(short_way._PROCESS(stubber, call))
            compared.add(action[1].decode())
        return answer

    monkeypatch.setattr(BotocoreStubber, "process_request", both)
    body = nothing_there(here)
    here.put(body)
    here.put(body)
    with pytest.raises(ClientError, match="LoadBalancerNotFound"):
        here.world.describe("nobody")
    assert len(compared) > 10


def undated(answer: Any) -> Any:
    """What may not differ between two answers: all but the second of each."""
    status, headers, body = answer
    return status, {key: value for key, value in headers.items() if key != "date"}, body
