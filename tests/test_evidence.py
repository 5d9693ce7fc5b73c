"""The page on reliability is written from test reports and names missing proofs."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "evidence.py"
PASSED = '<testcase name="a"><properties>{}</properties></testcase>'
FAILED = '<testcase name="b"><properties>{}</properties><failure/></testcase>'
SKIPPED = '<testcase name="c"><properties>{}</properties><skipped/></testcase>'


@pytest.fixture
def evidence():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def report(tmp_path):
    """Write a report of tests, each with the cases it proves and its figures."""

    def report(*tests):
        parts = []
        for template, properties in tests:
            lines = [f'<property name="{k}" value="{v}"/>' for k, v in properties]
            parts.append(template.format("".join(lines)))
        path = tmp_path / "report.xml"
        path.write_text(
            f"<testsuites><testsuite>{''.join(parts)}</testsuite></testsuites>"
        )
        return path

    return report


def proven_by(evidence):
    cases = [str(n) for numbers in evidence["BAD_INPUT"].values() for n in numbers]
    return cases + [case for cases in evidence["CASES"].values() for case in cases]


def test_every_case_needs_a_test_that_passes(evidence, report):
    cases = proven_by(evidence)
    tests = [(PASSED, [("case", case)]) for case in cases]
    text, missing = evidence["write"](*evidence["read"]([report(*tests)]))
    assert missing == []
    assert "112 kinds" in text
    text, missing = evidence["write"](*evidence["read"]([report(*tests[1:])]))
    assert missing == ["1"]
    assert "unused categories | 15 passed |" in text


@pytest.mark.parametrize("template", [FAILED, SKIPPED])
def test_a_test_that_does_not_pass_proves_nothing(evidence, report, template):
    found = report((template, [("case", "F1"), ("kills survived", 300)]))
    text, missing = evidence["write"](*evidence["read"]([found]))
    assert "F1" in missing
    assert "kills survived" not in text
    both = report((PASSED, [("case", "F1")]), (template, [("case", "F1")]))
    _, missing = evidence["write"](*evidence["read"]([both]))
    assert ("F1" in missing) == (template is FAILED)


def test_figures_are_printed(evidence, report, tmp_path, monkeypatch, capsys):
    path = report((PASSED, [("case", "F1"), ("kills survived", 300)]))
    monkeypatch.setattr("sys.argv", ["evidence.py", "--print", str(path)])
    assert evidence["main"]() == 0
    assert capsys.readouterr().out == "kills survived  300\n"
    page = tmp_path / "docs" / "page.md"
    monkeypatch.setattr("sys.argv", ["evidence.py", str(page), str(path)])
    assert evidence["main"]() == 1
    assert "not proven: 1 2 3" in capsys.readouterr().err
    assert "| kills survived | 300 |" in page.read_text()
