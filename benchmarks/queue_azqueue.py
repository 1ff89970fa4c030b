"""What a queue in Azure Queue Storage costs over its SDK: `python benchmarks/queue_azqueue.py [--json FILE]`.

One message of 1 KiB is sent, received and deleted: by the SDK, with the same Base64, and through Queue, in turns on the
same Azurite. The best round of each counts. Allowed are 40 microseconds for each of the three calls.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from binascii import a2b_base64, b2a_base64

from portable.queue import Queue
from portable_azure.harness import AzureHarness

ROUNDS, CALLS = 100, 5
ALLOWED_US = 3 * 40
BODY = os.urandom(1024)


def main() -> None:
    """Measure, print, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    with AzureHarness() as harness:
        address = harness.create("queue", "azqueue", {})
        queue = Queue.at(address)
        sdk = queue.native()

        def by_sdk() -> None:
            sdk.send_message(b2a_base64(BODY, newline=False).decode())
            message = sdk.receive_message(visibility_timeout=30)
            a2b_base64(message.content)
            sdk.delete_message(message)

        def by_queue() -> None:
            queue.send(BODY)
            (message,) = queue.receive(1)
            message.ack()

        best = [float("inf"), float("inf")]
        for _ in range(ROUNDS):
            for place, call in enumerate((by_sdk, by_queue)):
                began = time.perf_counter()
                for _ in range(CALLS):
                    call()
                best[place] = min(best[place], (time.perf_counter() - began) / CALLS * 1e6)
        harness.destroy(address)
    over = best[1] - best[0]
    print(
        f"send, receive, ack 1 KiB: SDK {best[0]:.0f} us, Queue {best[1]:.0f} us, {over:+.0f} us; "
        f"allowed +{ALLOWED_US} us"
    )
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"sdk_us": best[0], "us": best[1], "over_us": over, "allowed_us": ALLOWED_US}, file, indent=2)


if __name__ == "__main__":
    main()
