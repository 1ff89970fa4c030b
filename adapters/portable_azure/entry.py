"""What function_app.py names `app`: a FunctionApp with one function for HTTP and one for each other trigger.

The worker looks at each function's parameters by name and type, so the functions below have real ones.
"""

from __future__ import annotations

import azure.functions as func

from portable_azure._invocation import Invocation
from portable_azure.http import ROUTE_PARAMETER
from portable_contracts.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portable_contracts.deploy import TriggerSpec
    from portable_contracts.provider import Runner

CONNECTION = "AzureWebJobsStorage"
"""The app setting that says where queues and blobs are: https://learn.microsoft.com/azure/azure-functions/functions-app-settings"""


def entry(runner: Runner) -> func.FunctionApp:
    """Return the FunctionApp. Raises Unsupported for a trigger that the target's service does not have."""
    application = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    if runner.spec.routes:
        _http(application, runner)
    # Several handlers of one bucket or table share its function: each event of it goes to all of them.
    listened: dict[tuple[str, str], TriggerSpec] = {}
    for trigger in runner.spec.triggers:
        source = "" if trigger.kind in ("blob", "event") else trigger.source
        listened.setdefault(("event" if source == "" else trigger.kind, source), trigger)
        if trigger.kind == "blob":
            _check_bucket(runner, trigger)
    for (kind, _), trigger in listened.items():
        _TRIGGERS[kind](application, runner, trigger, f"{kind}_{trigger.name}")
    return application


def _http(application: func.FunctionApp, runner: Runner) -> None:
    methods = list(func.HttpMethod)

    @application.function_name("http")
    @application.route(route=f"{{*{ROUTE_PARAMETER}}}", methods=methods)
    def http(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        answer: func.HttpResponse = runner(req, context)
        return answer


def _run(runner: Runner, trigger: str, source: str) -> Callable[[Any, Any], None]:
    def run(payload: Any, context: Any) -> None:
        runner(Invocation(trigger, source, payload), context)

    return run


def _message(application: func.FunctionApp, runner: Runner, trigger: TriggerSpec, name: str) -> None:
    address = runner.address("queue", trigger.source)
    if address.scheme == "azqueue":
        run = _run(runner, "queueTrigger", address.name)

        @application.function_name(name)
        @application.queue_trigger("message", address.name, CONNECTION)
        def queue(message: func.QueueMessage, context: func.Context) -> None:
            run(message, context)

    elif address.scheme == "servicebus":
        run = _run(runner, "serviceBusTrigger", address.name)

        @application.function_name(name)
        @application.service_bus_queue_trigger("message", "AzureWebJobsServiceBus", address.name)
        def service_bus(message: func.ServiceBusMessage, context: func.Context) -> None:
            run(message, context)

    else:
        raise _unsupported(trigger, f"queue {trigger.source} is at {address}, which Azure Functions cannot listen to")


def _check_bucket(runner: Runner, trigger: TriggerSpec) -> None:
    address = runner.address("bucket", trigger.source)
    if address.scheme != "azblob":
        raise _unsupported(trigger, f"bucket {trigger.source} is at {address}, which Azure Functions cannot listen to")


def _event(application: func.FunctionApp, runner: Runner, trigger: TriggerSpec, name: str) -> None:
    # Blob events come by Event Grid too: the blob trigger polls, loads each blob whole, and tells of no deletions.
    run = _run(runner, "eventGridTrigger", trigger.name)

    @application.function_name(name)
    @application.event_grid_trigger("event")
    def event_grid(event: func.EventGridEvent, context: func.Context) -> None:
        run(event, context)


def _change(application: func.FunctionApp, runner: Runner, trigger: TriggerSpec, name: str) -> None:
    address = runner.address("table", trigger.source)
    if address.scheme != "cosmos":
        raise _unsupported(trigger, f"table {trigger.source} is at {address}, which has no change feed")
    run = _run(runner, "cosmosDBTrigger", address.path.strip("/"))

    @application.function_name(name)
    @application.cosmos_db_trigger(
        "documents",
        connection="CosmosDbConnection",
        database_name=address.name,
        container_name=address.path.strip("/"),
        create_lease_container_if_not_exists=True,
    )
    def cosmos(documents: func.DocumentList, context: func.Context) -> None:
        run(documents, context)


def _schedule(application: func.FunctionApp, runner: Runner, trigger: TriggerSpec, name: str) -> None:
    run = _run(runner, "timerTrigger", trigger.name)

    @application.function_name(name)
    # Azure's expressions have the second in front: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer
    @application.timer_trigger("timer", f"0 {trigger.source}")
    def timer(timer: func.TimerRequest, context: func.Context) -> None:
        run(timer, context)


def _unsupported(trigger: TriggerSpec, why: str) -> Unsupported:
    return Unsupported(f"{trigger.place}: {trigger.kind} handler {trigger.name}: {why}")


_TRIGGERS = {"message": _message, "change": _change, "schedule": _schedule, "event": _event}
