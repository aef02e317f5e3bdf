"""The page of OTLP's rules is what the tests say. MILLRACE_RECORD=1 (`make conformance`) writes it."""

import os

from kit import conformance


def test_every_rule_is_held_by_tests_that_are_there():
    for rule in conformance.RULES:
        assert conformance.tests(rule), f"nothing holds {rule.name}"
        for test in rule.by:
            file, name = test.split("::")
            assert name.removeprefix("test_") in conformance.tests_of(file), f"{test} is gone"
    named = [rule.name for rule in conformance.RULES]
    assert len(named) == len(set(named))
    held = {test.split("::test_")[1] for rule in conformance.RULES for test in conformance.tests(rule)}
    assert not set(conformance.OWN) - held, "tests that hold no rule"


def test_the_page_is_not_stale():
    page = conformance.page()
    if os.environ.get("MILLRACE_RECORD") == "1":
        conformance.PAGE.write_text(page)
    assert conformance.PAGE.exists() and conformance.PAGE.read_text() == page, "stale: run `make conformance`"
