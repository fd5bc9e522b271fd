"""Lambda: runtimes, limits of time and size, concurrency."""

from __future__ import annotations

import json

from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import FUNCTION, function_request
from conformance.rule import question, rule

MEGABYTE = 1024 * 1024
NO_FUNCTIONS = "moto runs no function; the lab answers Invoke itself"


@rule(FUNCTION, code=".chalice/config.json", corrects="awslambda")
def a_function_takes_900_seconds(aws: Account) -> str:
    """A function may take up to 900 s.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    call, name = aws.client("lambda").update_function_configuration, aws.need(FUNCTION)
    same(call(FunctionName=name, Timeout=900)["Timeout"], 900, "its timeout")
    codes = ("InvalidParameterValueException", "ValidationException")
    return refused(call, codes, FunctionName=name, Timeout=901)


@question(FUNCTION, code=".chalice/config.json", corrects="awslambda", minutes=0.5)
def versions_of_python(aws: Account) -> str:
    """Lambda takes Python 3.11 to 3.14; 3.11 is deprecated on 2027-06-30.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
    """
    lambda_, said = aws.client("lambda"), []
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        request = function_request(aws, Runtime=f"python{version}")
        aws.defer(lambda_.delete_function, FunctionName=request["FunctionName"])
        answer = outcome(lambda_.create_function, **request)
        said.append(f"{version} {answer.partition(':')[0]}")
    return ", ".join(said)


@question(code="tools/findings_account.py", left_out="moto has no GetAccountSettings of Lambda")
def concurrency_of_an_account(aws: Account) -> str:
    """An account has a concurrency of 1,000, a new one of 10.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    limits = aws.client("lambda").get_account_settings()["AccountLimit"]
    return f"{limits['ConcurrentExecutions']}, {limits['UnreservedConcurrentExecutions']} unreserved"


@rule(FUNCTION, code="register/settle", corrects="awslambda", left_out="moto reserves whatever is asked for")
def a_hundred_stay_unreserved(aws: Account) -> str:
    """A reserved concurrency leaves 100 unreserved in the account, else InvalidParameterValueException.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """
    lambda_, name = aws.client("lambda"), aws.need(FUNCTION)
    limit = lambda_.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    aws.defer(lambda_.delete_function_concurrency, FunctionName=name)
    return refused(
        lambda_.put_function_concurrency,
        "InvalidParameterValueException",
        FunctionName=name,
        ReservedConcurrentExecutions=max(limit - 99, 1),
    )


@rule(FUNCTION, code="background", corrects="awslambda", minutes=0.5, left_out=NO_FUNCTIONS)
def payloads_have_a_size(aws: Account) -> str:
    """An invocation that waits takes 6 MB; a larger payload is RequestTooLargeException or
    RequestEntityTooLargeException, HTTP 413.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    call, name = aws.client("lambda").invoke, aws.need(FUNCTION)
    answer = call(FunctionName=name, Payload=json.dumps("x" * 5 * MEGABYTE).encode())
    hold("FunctionError" not in answer, f"it fails with {answer.get('FunctionError')}")
    codes = ("RequestTooLargeException", "RequestEntityTooLargeException", "413")
    return refused(call, codes, FunctionName=name, Payload=json.dumps("x" * 7 * MEGABYTE).encode())


@question(FUNCTION, code="background", corrects="awslambda", minutes=0.5, left_out=NO_FUNCTIONS)
def payloads_that_nobody_waits_for(aws: Account) -> str:
    """An asynchronous invocation takes 1 MB.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    call, name, said = aws.client("lambda").invoke, aws.need(FUNCTION), []
    for kilobytes in (255, 257, 1023, 1100):
        payload = json.dumps("x" * kilobytes * 1024).encode()
        answer = outcome(call, FunctionName=name, InvocationType="Event", Payload=payload)
        said.append(f"{kilobytes} KB {answer.partition(':')[0]}")
    return ", ".join(said)


@rule(code="aws/lambda_", corrects="awslambda")
def a_function_that_is_not_there(aws: Account) -> str:
    """A function that does not exist is ResourceNotFoundException.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
    """
    return refused(
        aws.client("lambda").get_function, "ResourceNotFoundException", FunctionName=aws.name("none")
    )
