"""The conformance plugin: it is inert unless asked, honest both ways, and runs from anywhere on anyone's adapter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from portable_conformance.plugin import SUITES
from portable_conformance.report import Report, page
from portable_contracts.blob import BlobCapabilities
from portable_contracts.http import HttpCapabilities
from portable_contracts.kv import KVCapabilities
from portable_contracts.limits import Figure
from portable_contracts.queue import QueueCapabilities

RECORDS: dict[str, Any] = {
    "bucket": BlobCapabilities(),
    "table": KVCapabilities(),
    "queue": QueueCapabilities(),
    "http": HttpCapabilities(),
}
CONTRACTS = [*RECORDS, "events"]


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in *folder*, which is no part of this repository, as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def conformance(folder: Path, provider: str, *arguments: str, suite: str = "", **environment: str) -> Any:
    """Run the suite, or a part of it, and return the finished process and its report."""
    module = "portable_conformance" + (f".{suite}" if suite else "")
    finished = run(
        folder, "--pyargs", module, "--provider", provider, "--portable-report", "r.json", *arguments, **environment
    )
    return finished, json.loads((folder / "r.json").read_text())


def collected(folder: Path, *arguments: str, **environment: str) -> list[tuple[str, str]]:
    """Return the module and the name of every test."""
    listed = run(folder, "--pyargs", "portable_conformance", "--collect-only", *arguments, **environment).stdout
    return re.findall(r"(\w+)\.py::(.*)", listed)


def outcomes(report: Any) -> dict[str, set[str]]:
    """Return the outcomes of each behaviour."""
    found: dict[str, set[str]] = {}
    for adapter in report["adapters"]:
        for result in adapter["results"]:
            found.setdefault(result["behaviour"], set()).add(result["outcome"])
    return found


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Return the module and the name of every test that this machine's adapter takes."""
    return collected(tmp_path_factory.mktemp("cases"), "--provider", "local")


@pytest.mark.slow
class TestInertWithoutAProvider:
    def test_a_project_s_own_tests_run_as_without_the_plugin(self, tmp_path: Path) -> None:
        (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
        (tmp_path / "kv.py").write_text("raise SystemExit('collected')\n")
        finished = run(tmp_path, "--strict-markers")

        assert finished.returncode == 0
        assert "1 passed" in finished.stdout
        assert "conformance" not in finished.stdout

    def test_it_adds_no_fixtures_and_no_markers(self, tmp_path: Path) -> None:
        assert "make_table" not in run(tmp_path, "--fixtures").stdout
        assert "portable_needs" not in run(tmp_path, "--markers").stdout

    def test_it_loads_nothing_else_of_the_project(self) -> None:
        program = (
            "import sys, portable_conformance.plugin as _; print([m for m in sys.modules if m.startswith('portable')])"
        )
        loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

        assert loaded.strip() == "['portable_conformance', 'portable_conformance.plugin']"


@pytest.mark.slow
class TestWrongCalls:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--pyargs", "portable_conformance"], "name the adapter to test"),
            (["--portable-report", "r.json"], "name it with --provider"),
            (["--pyargs", "portable_conformance", "--provider", "locla"], "did you mean 'local'"),
            (["--pyargs", "portable_conformance", "--provider", "bare"], "names no harness"),
            (
                ["--pyargs", "portable_conformance", "--provider", "local", "--portable-report", "r.txt"],
                "end the name in .json or .html",
            ),
            (
                ["--pyargs", "portable_conformance", "--provider", "local", "--scheme", "sqlit"],
                "did you mean 'sqlite'",
            ),
        ],
        ids=["no provider", "a report on nothing", "an unknown provider", "no harness", "a report", "a scheme"],
    )
    def test_a_wrong_call_says_how_to_mend_it(self, tmp_path: Path, arguments: list[str], said: str) -> None:
        (tmp_path / "portable_bare.py").write_text(
            "from portable_contracts.provider import Provider\nprovider = Provider(name='bare')\n"
        )
        finished = run(tmp_path, *arguments)

        assert finished.returncode == pytest.ExitCode.USAGE_ERROR
        assert said in finished.stderr + finished.stdout


@pytest.mark.slow
class TestRuns:
    def test_it_runs_from_any_folder(self, tmp_path: Path) -> None:
        finished, report = conformance(tmp_path, "local", suite="queue_limits")

        assert finished.returncode == 0, finished.stdout
        assert set().union(*outcomes(report).values()) == {"pass"}
        assert "local queue sqlite (in-process)" in finished.stdout

    def test_it_runs_side_by_side(self, tmp_path: Path) -> None:
        alone = conformance(tmp_path, "local", suite="queue_limits")[1]
        finished, report = conformance(tmp_path, "local", "-n", "2", suite="queue_limits")

        assert finished.returncode == 0, finished.stdout
        assert report["adapters"] == alone["adapters"]

    def test_a_project_s_own_settings_do_not_touch_it(self, tmp_path: Path) -> None:
        (tmp_path / "pytest.ini").write_text(
            "[pytest]\npython_files = *.py\npython_classes = Check*\npython_functions = check_*\n"
            "addopts = --strict-markers --strict-config --import-mode=importlib\nfilterwarnings = error\n"
        )
        finished, report = conformance(tmp_path, "local", "-k", "TestDurations", suite="queue_limits")

        assert finished.returncode == 0, finished.stdout
        assert report["adapters"][0]["counts"]["pass"] > 20

    def test_it_leaves_nothing_behind(self, tmp_path: Path) -> None:
        (tmp_path / "temporary").mkdir()
        run(tmp_path, "--pyargs", "portable_conformance.queue_limits", "--provider", "local", TMPDIR="temporary")

        assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]

    @pytest.mark.parametrize(("contract", "beaten"), [("table", 124 + 57 + 22), ("queue", 80), ("bucket", 78 + 160)])
    def test_it_has_more_cases_than_anyone_s(self, cases: list[tuple[str, str]], contract: str, beaten: int) -> None:
        module = {"table": "kv", "queue": "queue", "bucket": "blob"}[contract]

        assert len([name for name, _ in cases if name.startswith(module)]) > beaten


LIAR = '''
"""A third party's adapter: this machine's drivers, with one promise broken."""

import os
import time
from datetime import datetime, timezone

from portable_contracts import errors
from portable_contracts.events import NO_CONTEXT, EventCodec, Message
from portable_contracts.harness import MissingCounterpart
from portable_contracts.kv import KVDriver
from portable_contracts.provider import Page, Provider
from portable_local.harness import LocalHarness
from portable_local.kv import SqliteTable
from portable_local.queue import SqliteQueue

lie = os.environ["LIE"]


class Table(SqliteTable):
    scheme = "liar"
    if lie == "expired items are returned":
        def get(self, partition, sort, *, now):
            return super().get(partition, sort, now=0.0)
    if lie == "guards are ignored":
        def put(self, partition, sort, value, *, if_version, **options):
            return super().put(partition, sort, value, if_version=None, **options)
    if lie == "floats are kept as ints":
        def put(self, partition, sort, value, **options):
            if type(value) is float and value.is_integer():
                value = int(value)
            return super().put(partition, sort, value, **options)
    if lie == "keys are in the order of UTF-16":
        def query_page(self, partition, **options):
            page = super().query_page(partition, **options)
            return Page(sorted(page.items, key=lambda item: item.sort.encode("utf-16-be")), page.cursor)
    if lie == "guards look before they write":
        def put(self, partition, sort, value, *, if_version, now, **options):
            if if_version and getattr(self.get(partition, sort, now=now), "version", "") != if_version:
                raise errors.Conflict("another version")
            time.sleep(0.002)  # the race that a busy machine may take for itself
            return super().put(partition, sort, value, if_version=None, now=now, **options)
    if lie == "increments are lost":
        def increment(self, partition, sort, field, by, *, now):
            item = self.get(partition, sort, now=now)
            total = (item.value if item else {}).get(field, 0) + by
            time.sleep(0.002)
            self.put(partition, sort, {field: total}, expires=None, if_version=None, if_absent=False, now=now)
            return total
    if lie == "transactions are done by halves":
        def transact(self, partition, operations, *, now):
            return [super(Table, self).transact(partition, [operation], now=now)[0] for operation in operations]
    if lie == "the first item after a cursor is skipped":
        def query_page(self, partition, *, after, **options):
            page = super().query_page(partition, after=after, **options)
            return Page(page.items[1:] if after else page.items, page.cursor)
    if lie == "segments overlap":
        def scan_page(self, *, segment, segments, **options):
            return super().scan_page(segment=0, segments=1, **options)
    if lie == "the database is opened when the driver is made":
        @classmethod
        def from_address(cls, address, opening):
            table = super().from_address(address, opening)
            table.native()
            return table
    if lie == "a query never ends":
        def query_page(self, partition, *, after, **options):
            page = super().query_page(partition, after=None, **options)
            return Page(page.items, "a")
    if lie == "more is declared than the driver does":
        capabilities = SqliteTable.capabilities.replace(transactions=False)
    if lie == "little is declared":
        capabilities = SqliteTable.capabilities.replace(
            transactions=False, changes=False, feed=False, sweeps=False, scan_segments=False
        )
        feed = KVDriver.feed


class Queue(SqliteQueue):
    scheme = "liar"
    if lie == "leases are ignored":
        def receive_batch(self, *, limit, wait, lease):
            return super().receive_batch(limit=limit, wait=wait, lease=0.0)
    if lie == "late receipts acknowledge":
        def ack_batch(self, receipts):
            with self._database.write() as connection:
                connection.executemany("DELETE FROM message WHERE id = ?", [(receipt.id,) for receipt in receipts])
            return [None] * len(receipts)
    if lie == "attempts are not counted":
        def receive_batch(self, **options):
            return [message.replace(attempt=1) for message in super().receive_batch(**options)]
    if lie == "extending does nothing":
        def extend(self, receipt, *, lease):
            pass
    if lie == "delays are ignored":
        def send_batch(self, messages):
            return super().send_batch([message.replace(delay=0.0) for message in messages])
    if lie == "little is declared":
        capabilities = SqliteQueue.capabilities.replace(
            delay=False, retry_delay=False, extend=False, groups=False, dedup=False, dead_letters=False
        )


CAPABILITIES = {"table:liar": Table.capabilities, "queue:liar": Queue.capabilities}
if lie == "more is declared than the driver does":
    CAPABILITIES["table:liar"] = SqliteTable.capabilities


class Codec(EventCodec):
    shape, trigger = "liar.message", "message"

    def recognises(self, raw):
        return type(raw) is dict and type(raw.get("liar")) is str

    def decode(self, raw, native_context):
        body = "lies" if lie == "bodies are changed" else raw["liar"]
        sent = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
        return [Message("m-1", "thumbs", body.encode(), sent=sent, context=NO_CONTEXT, native=raw)]


class Harness(LocalHarness):
    provider = "liar"

    def schemes(self, kind):
        return ("liar",) if kind in ("table", "queue") else ()

    def goldens(self):
        return (os.path.join(os.path.dirname(__file__), "golden"),)

    if lie == "there is no server":
        def create(self, kind, scheme, options):
            raise MissingCounterpart("liard is not installed: get it at liar.example")


provider = Provider(
    name="liar",
    tables={"liar": "portable_liar:Table"},
    queues={"liar": "portable_liar:Queue"},
    event_codecs=("portable_liar:Codec",),
    capabilities="portable_liar:CAPABILITIES",
    harness="portable_liar:Harness",
)
'''


@pytest.fixture
def liar(tmp_path: Path) -> Path:
    """Return a folder with a stranger's adapter in it, which breaks the promise that LIE names."""
    (tmp_path / "portable_liar.py").write_text(LIAR)
    return tmp_path


@pytest.mark.slow
class TestStrangers:
    def test_an_adapter_that_keeps_its_promises_passes(self, liar: Path) -> None:
        finished, report = conformance(liar, "liar", suite="kv_transactions", LIE="none")

        assert finished.returncode == 0, finished.stdout
        assert report["provider"] == "liar"
        assert {adapter["scheme"] for adapter in report["adapters"]} == {"liar"}

    @pytest.mark.parametrize(
        ("lie", "suite", "behaviour"),
        [
            ("expired items are returned", "kv_expiry", "get is not found"),
            ("guards are ignored", "kv_versions", "a version is good for one guarded put"),
            ("guards are ignored", "kv_machine", "any sequence of calls does what a dictionary would"),
            ("floats are kept as ints", "kv_values", "a value comes back equal and of the same types"),
            ("keys are in the order of UTF-16", "kv_keys", "a query gives items in the byte order of utf 8"),
            ("guards look before they write", "kv_races", "eight threads of 50 guarded increments make 400"),
            ("increments are lost", "kv_races", "eight threads of 50 atomic increments make 400"),
            ("transactions are done by halves", "kv_transactions", "one refused operation refuses all"),
            ("the first item after a cursor is skipped", "kv_queries", "pages give every item once in order"),
            ("segments overlap", "kv_scans", "segments are disjoint and together the whole table"),
            ("the database is opened when the driver is made", "kv", "making a driver reaches out for nothing"),
            ("more is declared than the driver does", "kv", "the provider declares what the driver does"),
            ("leases are ignored", "queue_leases", "nobody else gets a message while its lease lasts"),
            ("late receipts acknowledge", "queue_stale", "a late call does not keep the message from coming back"),
            ("attempts are not counted", "queue_leases", "the attempt grows with every delivery"),
            ("extending does nothing", "queue_leases", "an extension may shorten a lease"),
            ("delays are ignored", "queue_delays", "a delayed message holds up no other"),
        ],
    )
    def test_a_broken_promise_is_caught(self, liar: Path, lie: str, suite: str, behaviour: str) -> None:
        finished, report = conformance(liar, "liar", "-k", behaviour.replace(" ", "_"), suite=suite, LIE=lie)

        assert finished.returncode == pytest.ExitCode.TESTS_FAILED
        assert "fail" in outcomes(report)[behaviour]

    def test_a_driver_that_never_ends_fails_its_test(self, liar: Path) -> None:
        finished, report = conformance(
            liar,
            "liar",
            *("-k", "gives_the_items_of_its_partition"),
            suite="kv_queries",
            LIE="a query never ends",
            PORTABLE_CONFORMANCE_SECONDS="0.5",
        )

        assert finished.returncode == pytest.ExitCode.TESTS_FAILED
        assert "took longer than 0.5 s" in finished.stdout
        assert outcomes(report) == {"a query gives the items of its partition alone": {"fail"}}

    def test_an_adapter_that_declares_little_and_refuses_the_rest_passes(self, liar: Path) -> None:
        finished, report = conformance(
            liar, "liar", "-m", "portable_needs or portable_without", LIE="little is declared"
        )
        counts = [adapter["counts"] for adapter in report["adapters"]]

        assert finished.returncode == 0, finished.stdout
        assert [count["unsupported"] > 50 for count in counts] == [True, True]

    def test_what_is_not_declared_is_reported_and_its_refusal_tested(self, liar: Path) -> None:
        finished, report = conformance(liar, "liar", suite="queue_leases", LIE="little is declared")
        found = outcomes(report)

        assert finished.returncode == 0, finished.stdout
        assert found["an extended lease ends"] == {"unsupported"}
        assert found["extending is refused where it cannot be done"] == {"pass"}
        assert found["a message comes back when its lease ends"] == {"pass"}

    def test_the_refusals_are_left_out_where_the_capability_is_declared(self, liar: Path) -> None:
        report = conformance(liar, "liar", suite="queue_delays", LIE="none")[1]

        assert "a delay is refused where there are none" not in outcomes(report)

    def test_a_missing_counterpart_skips_with_its_reason(self, liar: Path) -> None:
        finished, report = conformance(
            liar,
            "liar",
            suite="queue_delays",
            LIE="there is no server",
            PORTABLE_REQUIRE_COUNTERPARTS="",
        )

        assert finished.returncode == 0, finished.stdout
        assert set().union(*outcomes(report).values()) == {"skipped"}
        assert "get it at liar.example" in report["adapters"][0]["results"][0]["reason"]

    def test_a_missing_counterpart_fails_where_it_is_required(self, liar: Path) -> None:
        finished, report = conformance(
            liar,
            "liar",
            suite="queue_delays",
            LIE="there is no server",
            PORTABLE_REQUIRE_COUNTERPARTS="1",
        )

        assert finished.returncode == pytest.ExitCode.TESTS_FAILED
        assert set().union(*outcomes(report).values()) == {"fail"}

    def test_a_contract_that_the_adapter_does_not_serve_has_no_tests(self, liar: Path) -> None:
        suites = {name for name, _ in collected(liar, "--provider", "liar", LIE="none")}

        assert suites >= {"kv", "queue"}
        assert "blob" not in suites

    @pytest.mark.parametrize(("lie", "outcome"), [("none", "pass"), ("bodies are changed", "fail")])
    def test_the_adapters_own_golden_files_are_decoded(self, liar: Path, lie: str, outcome: str) -> None:
        case = liar / "golden/message-text"
        case.mkdir(parents=True)
        (case / "liar.message.json").write_text(json.dumps({"source": "liar.example", "raw": {"liar": "hello"}}))
        behaviour = "it is the portable events in order"
        report = conformance(liar, "liar", "-k", behaviour.replace(" ", "_"), suite="events", LIE=lie)[1]

        assert outcomes(report) == {behaviour: {outcome}}

    def test_one_scheme_can_be_chosen(self, tmp_path: Path) -> None:
        listed = collected(tmp_path, "--provider", "local", "--scheme", "file")

        assert {name.partition("_")[0] for name, _ in listed} == {"blob"}


@pytest.mark.slow
class TestReport:
    def test_it_says_what_was_tested_where_and_how(self, tmp_path: Path) -> None:
        _, report = conformance(tmp_path, "local", "-k", "TestDurations", suite="queue_limits")
        (adapter,) = report["adapters"]

        assert report["suite"] == "portable_conformance"
        assert re.fullmatch(r"\d+\.\d+.*", report["suite_version"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", report["date"])
        assert (adapter["contract"], adapter["scheme"], adapter["evidence"]) == ("queue", "sqlite", "in-process")
        assert adapter["capabilities"]["delay"] is True
        assert adapter["capabilities"]["max_body_bytes"] == 1024**2
        assert {result["area"] for result in adapter["results"]} == {"Durations"}
        assert adapter["counts"]["pass"] == len(adapter["results"])

    @pytest.mark.parametrize("name", ["r.json", "r.html", "new/folder/r.html"])
    def test_it_is_written_as_json_and_as_a_page(self, tmp_path: Path, name: str) -> None:
        run(
            tmp_path,
            *("--pyargs", "portable_conformance.queue_limits", "-k", "longest_delay"),
            *("--provider", "local", "--portable-report", name),
        )
        path = tmp_path / name

        assert json.loads(path.with_suffix(".json").read_text())["provider"] == "local"
        assert "the longest delay is taken" in path.with_suffix(".html").read_text()

    def result(self, **changes: str) -> dict[str, str]:
        fields = ("contract", "scheme", "evidence", "area", "behaviour", "case")
        return {**dict(zip(fields, ("queue", "x", "live", "Leases", "a <b> ends", ""), strict=True)), **changes}

    def test_a_failure_outweighs_the_other_phases_of_its_test(self) -> None:
        report = Report("p")
        report.add(self.result(), "pass", "")
        report.add(self.result(), "fail", "at the end")
        report.add(self.result(), "pass", "")

        assert report.as_dict()["adapters"][0]["counts"] == {"pass": 0, "fail": 1, "unsupported": 0, "skipped": 0}

    def test_the_page_has_a_column_for_each_adapter_and_the_worst_colour_of_each_cell(self) -> None:
        reports = []
        for provider, outcome in (("one", "pass"), ("other", "fail")):
            report = Report(provider)
            report.add(self.result(case="a"), "pass", "")
            report.add(self.result(case="b"), outcome, "because & so")
            reports.append(report.as_dict())
        shown = page(reports)

        assert "<th>one x</th><th>other x</th>" in shown
        assert '<td class="pass" title="because &amp; so">2 pass</td>' in shown
        assert '<td class="fail" title="because &amp; so">1 pass, 1 fail</td>' in shown
        assert "a &lt;b&gt; ends" in shown

    def test_a_limit_shows_where_it_was_read(self) -> None:
        report = Report("p")
        report.add(self.result(), "pass", "")
        limit = Figure(1_048_576, "https://example.com/limits", "2026-01-02")
        report.declare("queue", "x", QueueCapabilities(max_body_bytes=limit))
        document = report.as_dict()

        assert document["adapters"][0]["sources"] == {
            "max_body_bytes": {"source": "https://example.com/limits", "read": "2026-01-02"}
        }
        assert '<a href="https://example.com/limits" title="read on 2026-01-02">1,048,576</a>' in page([document])


MARKS = ["portable_needs", "portable_without"]


def marked() -> list[tuple[str, str, str]]:
    """Return the marks of all tests: contract, capability and mark."""
    found = []
    for suite in SUITES:
        module = import_module(f"portable_conformance.{suite}")
        for area in [value for name, value in vars(module).items() if name.startswith("Test")]:
            for test in vars(area).values():
                for mark in [*getattr(area, "pytestmark", []), *getattr(test, "pytestmark", [])]:
                    found += [(module.pytestmark.args[0], word, mark.name) for word in mark.args if mark.name in MARKS]
    return found


BOOLEANS = [
    (contract, field)
    for contract, record in RECORDS.items()
    for field in record._fields
    if isinstance(getattr(record, field), bool)
]
WORDS = [
    (contract, f"{field}:{word}")
    for contract, record in RECORDS.items()
    for field in record._fields
    if isinstance(getattr(record, field), frozenset)
    for word in sorted(getattr(record, field))
]


class TestSuites:
    @pytest.mark.parametrize("mark", MARKS)
    @pytest.mark.parametrize(("contract", "capability"), [*BOOLEANS, *WORDS], ids=str)
    def test_every_capability_is_tested_where_it_is_declared_and_where_it_is_not(
        self, contract: str, capability: str, mark: str
    ) -> None:
        assert (contract, capability, mark) in marked()

    @pytest.mark.parametrize("suite", SUITES)
    def test_every_suite_says_which_contract_it_tests(self, suite: str) -> None:
        assert import_module(f"portable_conformance.{suite}").pytestmark.args[0] in CONTRACTS

    def test_every_mark_names_a_capability_of_its_contract(self) -> None:
        known = {(contract, field) for contract, record in RECORDS.items() for field in record._fields}

        assert {(contract, word.partition(":")[0]) for contract, word, _ in marked()} <= known

    def test_every_case_of_a_contract_has_a_name_of_its_own_that_does_not_change(
        self, cases: list[tuple[str, str]]
    ) -> None:
        named = [(name.partition("_")[0], test) for name, test in cases]

        assert len(named) == len(set(named)) > 1000
        assert not [test for _, test in named if "0x" in test]
