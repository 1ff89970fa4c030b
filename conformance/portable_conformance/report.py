"""The matrix of results: adapter x behaviour x {pass, fail, unsupported, skipped}, as JSON and as a page.

python -m portable_conformance.report aws.json local.json matrix.html     # several runs on one page
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from html import escape
from importlib.metadata import version
from pathlib import Path

from portable_contracts._value import Value
from portable_contracts.limits import Figure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from portable_contracts.limits import Capabilities

OUTCOMES = ("pass", "fail", "unsupported", "skipped")


class Result(Value):
    """Which behaviour was tested, on what."""

    contract: str
    scheme: str
    evidence: str
    area: str
    behaviour: str
    case: str

    def as_dict(self) -> dict[str, str]:
        return {field: getattr(self, field) for field in self._fields}


class Report:
    """The results of one run against one provider."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self._results: dict[tuple[str, ...], dict[str, str]] = {}
        self._capabilities: dict[tuple[str, str], Capabilities | None] = {}

    def add(self, result: Mapping[str, str], outcome: str, reason: str) -> None:
        """Note what one phase of a test said; a failure outweighs what other phases say."""
        if not outcome:
            return
        key = tuple(result.values())
        known = self._results.get(key)
        if known is None or known["outcome"] != "fail":
            self._results[key] = {**result, "outcome": outcome, "reason": reason}

    def adapters(self) -> list[tuple[str, str]]:
        """Return the contracts and schemes that were tested."""
        return list(dict.fromkeys((result["contract"], result["scheme"]) for result in self._results.values()))

    def declare(self, contract: str, scheme: str, capabilities: Capabilities | None) -> None:
        """Note what the adapter declares for a contract."""
        self._capabilities[contract, scheme] = capabilities

    def summary(self) -> Iterator[str]:
        """Give one line per contract and scheme."""
        for contract, scheme in self.adapters():
            mine = self._of(contract, scheme)
            counts = ", ".join(f"{count} {outcome}" for outcome, count in _counts(mine).items())
            yield f"{self.provider} {contract} {scheme}".rstrip() + f" ({mine[0]['evidence']}): {counts}"

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report as it is written to JSON."""
        return {
            "suite": "portable_conformance",
            "suite_version": version("portable-serverless"),
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "python": sys.version.partition(" ")[0],
            "provider": self.provider,
            "adapters": [
                {
                    "contract": contract,
                    "scheme": scheme,
                    "evidence": mine[0]["evidence"],
                    **_declared(self._capabilities.get((contract, scheme))),
                    "counts": _counts(mine),
                    "results": [
                        {word: result[word] for word in ("area", "behaviour", "case", "outcome", "reason")}
                        for result in mine
                    ],
                }
                for contract, scheme in self.adapters()
                for mine in [self._of(contract, scheme)]
            ],
        }

    def write(self, file: str) -> None:
        """Write the report beside each other as JSON and as a page; *file* names either."""
        document = self.as_dict()
        path = Path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        path.with_suffix(".html").write_text(page([document]), "utf-8")

    def _of(self, contract: str, scheme: str) -> list[dict[str, str]]:
        mine = [each for each in self._results.values() if (each["contract"], each["scheme"]) == (contract, scheme)]
        return sorted(mine, key=lambda each: (each["area"], each["behaviour"], each["case"]))


def _declared(capabilities: Capabilities | None) -> dict[str, Any]:
    fields = {} if capabilities is None else {field: getattr(capabilities, field) for field in capabilities._fields}
    return {
        "capabilities": {
            field: sorted(value) if isinstance(value, frozenset) else value if isinstance(value, bool) else int(value)
            for field, value in fields.items()
        },
        "sources": {
            field: {"source": value.source, "read": value.read}
            for field, value in fields.items()
            if isinstance(value, Figure)
        },
    }


def _counts(results: Sequence[Mapping[str, str]]) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
    for result in results:
        counts[result["outcome"]] += 1
    return counts


def page(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return an HTML page with one table per contract: a row per behaviour, a column per adapter of *reports*."""
    columns: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for report in reports:
        for adapter in report["adapters"]:
            name = f"{report['provider']} {adapter['scheme']}".rstrip()
            columns.setdefault(adapter["contract"], []).append((name, {**report, **adapter}))
    body = "\n".join(_section(contract, adapters) for contract, adapters in columns.items())
    return _PAGE.replace("BODY", body)


def _section(contract: str, adapters: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    cells: dict[tuple[str, str], dict[str, list[Mapping[str, str]]]] = {}
    for name, adapter in adapters:
        for result in adapter["results"]:
            row = cells.setdefault((result["area"], result["behaviour"]), {})
            row.setdefault(name, []).append(result)
    names = [name for name, _ in adapters]
    rows = [f"<tr><th></th>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"]
    for word in ("evidence", "date", "suite_version"):
        shown = "".join(f"<td>{escape(str(adapter[word]))}</td>" for _, adapter in adapters)
        rows.append(f"<tr><th>{word.replace('_', ' ')}</th>{shown}</tr>")
    for field in dict.fromkeys(field for _, adapter in adapters for field in adapter["capabilities"]):
        shown = "".join(_limit(adapter, field) for _, adapter in adapters)
        rows.append(f"<tr><th><code>{escape(field)}</code></th>{shown}</tr>")
    area = None
    for key in sorted(cells):
        if key[0] != area:
            area = key[0]
            rows.append(f'<tr><th class="area" colspan="{len(names) + 1}">{escape(_spaced(area))}</th></tr>')
        shown = "".join(_cell(cells[key].get(name, [])) for name in names)
        rows.append(f"<tr><th>{escape(key[1])}</th>{shown}</tr>")
    return f"<h2>{escape(contract)}</h2>\n<table>\n" + "\n".join(rows) + "\n</table>"


def _cell(results: Sequence[Mapping[str, str]]) -> str:
    """Return the cell of one behaviour: the outcomes of its cases, coloured by the worst."""
    if not results:
        return "<td></td>"
    counts = {outcome: count for outcome, count in _counts(results).items() if count}
    worst = next(outcome for outcome in ("fail", "skipped", "pass", "unsupported") if outcome in counts)
    shown = worst if len(results) == 1 else ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    reasons = "; ".join(dict.fromkeys(each["reason"] for each in results if each["reason"]))
    return f'<td class="{worst}" title="{escape(reasons)}">{shown}</td>'


def _limit(adapter: Mapping[str, Any], field: str) -> str:
    value = adapter["capabilities"].get(field)
    if isinstance(value, bool) or value is None:
        return f"<td>{({True: 'yes', False: 'no', None: ''})[value]}</td>"
    shown = escape(", ".join(value)) if isinstance(value, list) else f"{value:,}"
    source = adapter["sources"].get(field)
    if source is not None:
        shown = f'<a href="{escape(source["source"])}" title="read on {escape(source["read"])}">{shown}</a>'
    return f"<td>{shown}</td>"


def _spaced(area: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in area).strip()


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>portable conformance</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1f24 }
table { border-collapse: collapse; width: 100% }
th { font-weight: 400; text-align: left } td, th { padding: .2rem .6rem; border-bottom: 1px solid #e3e6ea }
tr:first-child th, th.area { font-weight: 600 } th.area { padding-top: 1rem }
.pass { background: #e4f5e8 } .fail { background: #fbdcdc; font-weight: 600 }
.unsupported { color: #6b7280 } .skipped { background: #fdf3d3 }
</style>
<h1>portable conformance</h1>
<p>A cell counts its cases. Unsupported: not declared by the adapter; other tests show that it is refused.</p>
BODY
</html>
"""


def _main(arguments: Sequence[str]) -> None:
    reports = [json.loads(Path(name).read_text("utf-8")) for name in arguments[:-1]]
    Path(arguments[-1]).write_text(page(reports), "utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
