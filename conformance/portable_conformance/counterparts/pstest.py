"""Pub/Sub: Google's own fake of it, which its Go client is tested with, around it a main of ours; built by `go`.

https://pkg.go.dev/cloud.google.com/go/pubsub/v2/pstest. Ours gives it the service's limit on requests and a clock that
can be moved. One thing is mended: it forgets messages after ten minutes, the service after seven days.
"""

from __future__ import annotations

import os
from urllib.request import ProxyHandler, Request, build_opener

from portable_conformance.counterparts import _servers
from portable_conformance.counterparts._programs import Program, go, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server

MODULE = "cloud.google.com/go/pubsub/v2"
MAIN = """\
package main

import (
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc"
)

func main() {
	var ahead atomic.Int64
	fake := pstest.NewServer()
	fake.SetTimeNowFunc(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	server := grpc.NewServer(grpc.MaxRecvMsgSize(16 << 20))
	pb.RegisterPublisherServer(server, &fake.GServer)
	pb.RegisterSubscriberServer(server, &fake.GServer)
	http.HandleFunc("/pass", func(answer http.ResponseWriter, request *http.Request) {
		passed, err := time.ParseDuration(request.URL.Query().Get("time"))
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		ahead.Add(int64(passed))
	})
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], nil)) }()
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener))
}
"""


class PstestProgram(Program):
    def binary(self) -> str:
        """Return the path of the program. Raises MissingCounterpart."""
        return str(self.require() / "pstest")

    def fill(self) -> None:
        (self.folder / "main.go").write_text(MAIN)
        environment = {"GOFLAGS": "-modcacherw"}
        for arguments in (
            ["mod", "init", "portable/pstest"],
            ["mod", "edit", f"-require={MODULE}@v{self.version}"],
            ["mod", "tidy"],
            ["mod", "vendor"],
        ):
            run([go(), *arguments], self.folder, environment)
        fake = self.folder / "vendor" / MODULE / "pstest/fake.go"
        source = fake.read_text()
        fake.chmod(0o644)
        fake.write_text(source.replace("retentionDuration = 10 * time.Minute", "retentionDuration = 168 * time.Hour"))
        run([go(), "build", "-mod=vendor", "-buildvcs=false", "-o", "pstest", "."], self.folder)


PROGRAM = PstestProgram("pstest", "2.4.0")


def start() -> Server:
    """Return this process's running server: its clock is moved by whoever tests. Raises MissingCounterpart."""
    binary = PROGRAM.binary()
    return _servers.serve(
        f"pstest-{os.getpid()}", lambda ports, folder: [binary, str(ports[0]), str(ports[1])], ports=2
    )


def pass_time(server: Server, seconds: float) -> None:
    """Move the server's clock."""
    request = Request(f"http://127.0.0.1:{server.ports[1]}/pass?time={seconds}s", method="POST")
    build_opener(ProxyHandler({})).open(request, timeout=10).close()
