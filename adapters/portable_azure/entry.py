"""What function_app.py names `app`: a FunctionApp with one function for HTTP and one for each other source of events.

    app = portable.entrypoint(app, "azure")

The worker looks at each function's parameters by name and type, so the functions below have real ones.
"""

from __future__ import annotations

import json
from typing import List  # noqa: UP035  # The worker's check of annotations does not know list[...].

import azure.functions as func

from portable_azure._invocation import Invocation
from portable_azure.http import FUNCTION, ROUTE_PARAMETER
from portable_contracts.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portable_contracts.deploy import TriggerSpec
    from portable_contracts.provider import Runner

STORAGE = "AzureWebJobsStorage"
"""The app setting that says where queues are: https://learn.microsoft.com/azure/azure-functions/functions-app-settings"""
SERVICE_BUS = "AzureWebJobsServiceBus"
COSMOS = "CosmosDbConnection"
"""App settings likewise, which the bindings' pages call so."""


def entry(runner: Runner) -> func.FunctionApp:
    """Return the FunctionApp. Raises Unsupported for a trigger that the target's service does not have."""
    application = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    if runner.spec.routes:
        _http(application, runner)
    # Several handlers of one bucket or table share its function: each event of it goes to all of them.
    functions: dict[tuple[str, str], TriggerSpec] = {}
    for trigger in runner.spec.triggers:
        if trigger.kind == "blob":
            _check_bucket(runner, trigger)
        key = {"blob": ("event", ""), "event": ("event", ""), "schedule": ("schedule", trigger.name)}.get(trigger.kind)
        functions.setdefault(key or (trigger.kind, trigger.source), trigger)
    for (kind, name), trigger in functions.items():
        _TRIGGERS[kind](application, runner, trigger, f"{kind}_{name}" if name else kind)
    return application


def _http(application: func.FunctionApp, runner: Runner) -> None:
    @application.function_name(FUNCTION)
    @application.route(route=f"{{*{ROUTE_PARAMETER}}}")
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
        # As text the host would hand over what is no UTF-8 with replacement characters.
        @application.queue_trigger("message", address.name, STORAGE, func.DataType.BINARY)
        def queue(message: func.QueueMessage, context: func.Context) -> None:
            run(message, context)

    elif address.scheme == "servicebus":
        run = _run(runner, "serviceBusTrigger", address.name)
        needs = next(resource.needs for resource in runner.spec.resources if resource.name == trigger.source)
        options: dict[str, Any] = {"data_type": func.DataType.BINARY, "is_sessions_enabled": "groups" in needs}

        if trigger.options.get("batch"):

            @application.function_name(name)
            @application.service_bus_queue_trigger(
                "messages", SERVICE_BUS, address.name, cardinality=func.Cardinality.MANY, **options
            )
            def service_bus_batch(
                messages: List[func.ServiceBusMessage],  # noqa: UP006  # see the import
                context: func.Context,
            ) -> None:
                run(messages, context)

        else:

            @application.function_name(name)
            @application.service_bus_queue_trigger("message", SERVICE_BUS, address.name, **options)
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
    run = _run(runner, "eventGridTrigger", "")

    @application.function_name(name)
    @application.event_grid_trigger("event")
    # As text it is the whole event. The worker's own type loses a CloudEvent's bytes, and times that are not in UTC.
    def event_grid(event: str, context: func.Context) -> None:
        run(json.loads(event), context)


def _change(application: func.FunctionApp, runner: Runner, trigger: TriggerSpec, name: str) -> None:
    address = runner.address("table", trigger.source)
    container = address.path.strip("/")
    if address.scheme != "cosmos" or not container:
        raise _unsupported(
            trigger,
            f"table {trigger.source} is at {address}, which has no change feed: only cosmos://DATABASE/CONTAINER has",
        )
    run = _run(runner, "cosmosDBTrigger", container)

    @application.function_name(name)
    @application.cosmos_db_trigger(
        "documents",
        connection=COSMOS,
        database_name=address.name,
        container_name=container,
        create_lease_container_if_not_exists=True,
        change_feed_mode="AllVersionsAndDeletes",
    )
    # Without a policy what failed is lost: https://learn.microsoft.com/azure/azure-functions/functions-bindings-error-pages
    @application.retry("exponential_backoff", "-1", minimum_interval="00:00:02", maximum_interval="00:05:00")
    def cosmos(documents: func.DocumentList, context: func.Context) -> None:
        run(documents, context)


def _schedule(application: func.FunctionApp, runner: Runner, trigger: TriggerSpec, name: str) -> None:
    run = _run(runner, "timerTrigger", trigger.name)

    @application.function_name(name)
    @application.timer_trigger("timer", _ncrontab(trigger))
    def timer(timer: func.TimerRequest, context: func.Context) -> None:
        run(timer, context)


def _ncrontab(trigger: TriggerSpec) -> str:
    """Return the expression with the second in front; what else Azure's mean otherwise than cron's is Unsupported.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
    https://github.com/atifaziz/NCrontab/wiki/Crontab-Expression
    """
    _, _, day, _, weekday = trigger.source.split()
    if not day.startswith("*") and not weekday.startswith("*"):
        raise _unsupported(trigger, f"{trigger.source!r} is due on either kind of day, on Azure on both: make it two")
    if any("7" in part.partition("/")[0] for part in weekday.split(",")):
        raise _unsupported(trigger, f"{trigger.source!r} has weekday 7, which Azure does not know: Sunday is 0")
    return f"0 {trigger.source}"


def _unsupported(trigger: TriggerSpec, why: str) -> Unsupported:
    return Unsupported(f"{trigger.place}: {trigger.kind} handler {trigger.name}: {why}")


_TRIGGERS = {"message": _message, "change": _change, "schedule": _schedule, "event": _event}
