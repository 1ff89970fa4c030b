"""`portable copy`: a bucket or a table, to another one."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from portable.copying import Copy, Note, Report


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be written, and what cannot be carried.")
@click.option("--verify/--no-verify", default=True, show_default=True, help="Read back and compare what was written.")
@click.option("--parallel", default=8, show_default=True, help="Objects, or batches of items, on their way at once.")
@click.option("--journal", help="The file that remembers which objects are done; by default one beside local data.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: counts, failures and losses.")
@click.pass_context
def copy(
    context: click.Context,
    source: str,
    target: str,
    dry_run: bool,
    verify: bool,
    parallel: int,
    journal: str | None,
    as_json: bool,
) -> None:
    """Copy a bucket, or what is below a path in it, or a table: s3://old/photos gs://new/photos.

    What is there and equal is not written again: run it again to go on after it was stopped. What is there and differs
    is written over; nothing is deleted. Ends with 1 where anything was not carried, or not all of it.
    """
    from portable import config
    from portable.copying import Copy
    from portable_contracts.provider import Opening

    prepared = Copy(
        source,
        target,
        opening=Opening(data=config.load().data),
        parallel=parallel,
        verify=verify,
        dry_run=dry_run,
        journal=journal,
    )
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not as_json:
        prepared.report.told = lambda word, note: _tell(console, word, note)
    with _progress(prepared, console):
        report = prepared.run()
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False))
    else:
        click.echo(_summary(report))
    context.exit(0 if report.ok else 1)


def _tell(console: Console, word: str, note: Note) -> None:
    console.print(f"{'not copied' if word == 'failed' else 'not carried'}: {note.key}: {note.why}", markup=False)


@contextmanager
def _progress(prepared: Copy, console: Console) -> Iterator[None]:
    """Show how far the copy is, where somebody is looking."""
    if not sys.stderr.isatty():
        yield
        return
    from threading import Thread

    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from portable_contracts.errors import PortableError

    report = prepared.report

    class Bar(Progress):
        """Asks the report whenever it is drawn."""

        def get_renderables(self):  # type: ignore[no-untyped-def]  # rich's own type says more than is needed here
            count = None if report.expected is None else report.expected[0]
            done = report.copied + report.unchanged + report.failed
            words = f"{done:,}" + (f" of {count:,}" if count is not None else "")
            for task in self.tasks:
                self.update(task.id, completed=done, total=count, words=words, moved=_size(report.moved))
            yield from super().get_renderables()

    def measure() -> None:
        try:
            prepared.measure()
        except PortableError:
            pass  # The copy itself says what is wrong; without the count the bar has no end.

    columns = (
        TextColumn("{task.fields[words]}"),
        BarColumn(),
        TextColumn("{task.fields[moved]}"),
        TimeRemainingColumn(),
    )
    bar = Bar(*columns, console=console, transient=True)
    bar.add_task("", total=None, words="", moved="")
    Thread(target=measure, daemon=True).start()
    with bar:
        yield


def _summary(report: Report) -> str:
    thing = {"bucket": "object", "table": "item"}[report.kind]
    if not report.found:
        return f"there is nothing at {report.source}"
    verb = "would copy" if report.dry_run else "copied"
    size = f" ({_size(report.bytes)})" if report.kind == "bucket" else ""
    parts = [f"{verb} {_count(report.copied, thing)}{size}", f"{report.unchanged:,} were there already"]
    if report.failed:
        parts.append(f"{report.failed:,} failed")
    if report.lost:
        parts.append(f"{_count(report.lost, 'part')} of them could not be carried")
    line = ", ".join(parts)
    if report.verify and not report.dry_run:
        line += "; read back and compared"
    if report.checksums is not None:
        source, target = report.checksums
        line += f"\nchecksum of the source {source:064x}\nchecksum of the target {target:064x}"
    return line


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.0f} bytes" if unit == "bytes" else f"{size:,.1f} {unit}"
