"""DynamoDB Local, Amazon's own: the service's expressions, limits and errors, over SQLite, in a Java virtual machine.

It keeps one set of tables for all accounts and regions, in memory. It is fetched by Maven, and so needs Java and Maven.
"""

from __future__ import annotations

import shutil

from portable_conformance.counterparts import _servers
from portable_conformance.counterparts._programs import Program, run
from portable_contracts.harness import MissingCounterpart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable_conformance.counterparts._servers import Server

MAIN = "software.amazon.dynamodb.services.local.main.ServerRunner"

_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>counterpart</groupId>
  <artifactId>{name}</artifactId>
  <version>{version}</version>
  <dependencies>
    <dependency>
      <groupId>{group}</groupId>
      <artifactId>{artifact}</artifactId>
      <version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""


class MavenProgram(Program):
    """A program in Java, from where the machine's Maven gets its packages, with all that it depends on."""

    group: str
    artifact: str

    def command(self, main: str, options: Sequence[str] = ()) -> Sequence[str]:
        """Return the command line that runs the class *main*, Java being told *options*. Raises MissingCounterpart."""
        libraries = self.require() / "lib"
        return [_program("java"), *options, f"-Djava.library.path={libraries}", "-cp", f"{libraries}/*", main]

    def fill(self) -> None:
        maven = _program("mvn")
        _program("java")
        fields = {name: getattr(self, name) for name in ("name", "version", "group", "artifact")}
        (self.folder / "pom.xml").write_text(_POM.format(**fields))
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={self.folder}/lib", "-DincludeScope=runtime"]
        run([maven, "--batch-mode", "--quiet", *copy], self.folder)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingCounterpart(f"{PROGRAM.name} {PROGRAM.version} needs {name}, which is not on this machine")
    return found


PROGRAM = MavenProgram("dynamodb-local", "3.0.0", "software.amazon.dynamodb", "DynamoDBLocal")


def start() -> Server:
    """Return the running DynamoDB Local. Raises MissingCounterpart."""
    java = PROGRAM.command(MAIN, ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
    return _servers.serve(
        "dynamodb-local",
        lambda ports, folder: [*java, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(ports[0])],
    )
