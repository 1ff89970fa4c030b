"""What an app declares, and what it refuses to."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest

from portable import App, Bucket, InvalidArgument, Queue, Request, Response, Table, Unsupported
from portable.config import Configuration, Target
from portable_contracts.deploy import FunctionSpec, Place, ResourceSpec, RouteSpec, TriggerSpec
from portable_contracts.provider import Opening

HERE = re.escape(__file__)


def line_of(text: str) -> int:
    """Return the line of this file that ends with the comment *text*."""
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {text}"))


@pytest.fixture
def app() -> App:
    return App("shop")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def handler(event: Any) -> None:
    pass


class TestResources:
    def test_each_kind_has_its_type_and_name(self, app: App) -> None:
        made = [app.table("a"), app.bucket("b"), app.queue("c")]

        assert [type(resource) for resource in made] == [Table, Bucket, Queue]
        assert [resource.name for resource in made] == ["a", "b", "c"]

    def test_they_are_listed_by_kind_and_name(self, app: App) -> None:
        table, queue = app.table("a"), app.queue("b")

        assert dict(app.resources) == {("table", "a"): table, ("queue", "b"): queue}

    def test_one_name_gives_one_object(self, app: App) -> None:
        assert app.table("a") is app.table("a")

    def test_needs_add_up(self, app: App) -> None:
        app.table("a", needs=["transactions"])
        app.table("a", needs=["changes"])

        assert app.spec().resources[0].needs == {"transactions", "changes"}

    def test_an_unknown_need_is_refused_with_the_nearest(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match=r"needs 'group', which is no capability \(did you mean 'groups'\?\)"):
            app.queue("a", needs="group")

    def test_a_limit_is_no_need(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="needs 'max_body_bytes', which is no capability"):
            app.queue("a", needs=["max_body_bytes"])

    def test_a_name_of_two_kinds_is_refused_with_both_places(self, app: App) -> None:
        app.table("a")  # the table
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: 'a' is a bucket here") as caught:
            app.bucket("a")

        assert f"a table at {__file__}:{line_of('the table')}" in str(caught.value)

    @pytest.mark.parametrize("name", ["", "1a", "-a", "a b", "a/b", "é", "a.b", "a" * 64, None, 5])
    def test_a_name_that_no_service_takes_is_refused(self, app: App, name: Any) -> None:
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: table name .* is not allowed"):
            app.table(name)

    @pytest.mark.parametrize("name", ["a", "A", "user_sessions", "thumbs-dead", "a" * 63])
    def test_other_names_are_taken(self, app: App, name: str) -> None:
        assert app.table(name).name == name

    def test_two_names_of_one_environment_variable_are_refused(self, app: App) -> None:
        app.table("a-b")
        with pytest.raises(InvalidArgument, match=r"share the environment variable PORTABLE_A_B"):
            app.queue("a_b")

    def test_a_wrong_name_of_an_app_is_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="app name"):
            App("my app")


class TestQueues:
    def test_a_dead_letter_queue_is_there_without_being_declared(self, app: App) -> None:
        app.queue("jobs", max_attempts=3, dead_letter="jobs-dead")

        assert app.spec().resources == (
            ResourceSpec(
                "queue",
                "jobs",
                {"max_attempts": 3, "dead_letter": "jobs-dead"},
                place=app.spec().resources[0].place,
            ),
            ResourceSpec("queue", "jobs-dead", place=app.spec().resources[1].place),
        )

    def test_a_dead_letter_queue_can_be_declared_afterwards(self, app: App) -> None:
        app.queue("jobs", dead_letter="dead")
        app.queue("dead", max_attempts=9, dead_letter="deader")

        assert app.spec().resources[1].options == {"max_attempts": 9, "dead_letter": "deader"}

    def test_a_dead_letter_queue_can_be_the_queue_itself_as_declared(self, app: App) -> None:
        app.queue("jobs", dead_letter=app.queue("dead"))

        assert app.spec().resources[1].options == {"max_attempts": 5, "dead_letter": "dead"}

    def test_without_a_number_a_message_has_five_attempts(self, app: App) -> None:
        app.queue("jobs", dead_letter="dead")

        assert app.spec().resources[0].options["max_attempts"] == 5

    def test_attempts_without_a_dead_letter_queue_are_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="max_attempts but no dead_letter"):
            app.queue("jobs", max_attempts=3)

    def test_its_own_dead_letter_queue_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="its own dead_letter"):
            app.queue("jobs", dead_letter="jobs")

    @pytest.mark.parametrize("attempts", [0, -1, 1001, 2.5, "3", True])
    def test_a_wrong_number_of_attempts_is_refused(self, app: App, attempts: Any) -> None:
        with pytest.raises(InvalidArgument, match="number from 1 to 1000"):
            app.queue("jobs", max_attempts=attempts, dead_letter="dead")

    def test_a_dead_letter_that_is_no_queue_is_refused(self, app: App) -> None:
        app.table("dead")
        with pytest.raises(InvalidArgument, match=r"dead_letter 'dead' of queue jobs is a table \("):
            app.queue("jobs", dead_letter="dead")

    def test_other_options_for_one_queue_are_refused(self, app: App) -> None:
        app.queue("jobs", max_attempts=3, dead_letter="dead")
        with pytest.raises(InvalidArgument, match="other options here than at"):
            app.queue("jobs", max_attempts=4, dead_letter="dead")

    def test_a_queue_can_be_asked_for_again_without_its_options(self, app: App) -> None:
        jobs = app.queue("jobs", max_attempts=3, dead_letter="dead")

        assert app.queue("jobs") is jobs
        assert app.spec().resources[0].options["max_attempts"] == 3


class TestRoutes:
    @pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"])
    def test_each_method_has_a_decorator(self, app: App, method: str) -> None:
        getattr(app, method.lower())("/a")(lambda request: Response(status=201))

        assert app.handle(Request(method, "/a")).status == 201

    def test_one_handler_answers_several_methods(self, app: App) -> None:
        app.route("/a", methods=["GET", "POST"])(lambda request: request.method)

        assert [app.handle(Request(method, "/a")).body for method in ("GET", "POST")] == [b"GET", b"POST"]

    def test_a_decorator_gives_the_handler_back(self, app: App) -> None:
        assert app.get("/a")(handler) is handler

    def test_one_handler_can_have_two_routes(self, app: App) -> None:
        app.get("/a")(app.get("/b")(lambda request: request.path))

        assert [app.handle(Request("GET", path)).body for path in ("/a", "/b")] == [b"/a", b"/b"]

    @pytest.mark.parametrize("methods", [["get"], ["FETCH"], ["GET", "TRACE"], [], [5]])
    def test_unknown_methods_are_refused(self, app: App, methods: Any) -> None:
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: route /a has .*: the methods are GET, HEAD"):
            app.route("/a", methods)

    @pytest.mark.parametrize("again", ["/a/{x}", "/a/{y}"])
    def test_an_equal_route_is_refused_with_both_places(self, app: App, again: str) -> None:
        @app.get("/a/{x}")  # the first route
        def first(request: Request, x: str) -> None: ...

        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: GET {again} is answered already by first") as caught:
            app.get(again)(lambda request, **values: None)

        assert f"GET /a/{{x}} at {__file__}:{line_of('the first route')}" in str(caught.value)

    def test_a_wrong_path_is_refused_with_its_place(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: path 'a' does not start with a slash"):
            app.get("a")

    def test_a_mount_where_one_is_already_is_refused(self, app: App) -> None:
        app.wsgi(handler, "/old")
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: another application is mounted at /old"):
            app.wsgi(handler, "/old")

    def test_what_cannot_be_called_cannot_be_mounted(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="is callable"):
            app.asgi("main:app")

    def test_a_mount_at_a_wrong_path_is_refused_with_its_place(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: an application cannot be mounted at '/a/'"):
            app.wsgi(handler, "/a/")


class TestParameters:
    @pytest.mark.parametrize(
        "good",
        [
            lambda request, x: None,
            lambda request, *, x: None,
            lambda request, x, spare=1: None,
            lambda request, x, *, spare=1: None,
            lambda request, **values: None,
            lambda *args, **values: None,
            lambda request, /, x: None,
            functools.partial(lambda request, spare, x: None, spare=1),
        ],
    )
    def test_what_can_be_called_with_request_and_placeholders_is_taken(self, app: App, good: Any) -> None:
        app.get("/a/{x}")(good)

        assert app.handle(Request("GET", "/a/1")).status == 204

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (lambda: None, "takes no request"),
            (lambda request: None, "has no parameter for x"),
            (lambda x: None, "the first parameter .* receives the request, but it is called x"),
            (lambda request, y: None, "has no parameter for x"),
            (lambda request, x, y: None, "asks for y, which nothing fills: the path has x"),
            (lambda request, x, *, y: None, "asks for y"),
            (lambda *, x: None, "takes no request"),
            (lambda request, x, y, z=1: None, "asks for y"),
        ],
    )
    def test_what_cannot_is_refused_with_its_place(self, app: App, bad: Any, why: str) -> None:
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: .*{why}"):
            app.get("/a/{x}")(bad)

    def test_a_handler_without_parameters_is_called_without_arguments(self, app: App) -> None:
        app.get("/a")(lambda: "hi")

        assert app.handle(Request("GET", "/a")).body == b"hi"

    def test_a_method_of_an_object_is_a_handler(self, app: App) -> None:
        class Shop:
            def show(self, request: Request, item: str) -> str:
                return item

        app.get("/{item}")(Shop().show)

        assert app.handle(Request("GET", "/hat")).body == b"hat"

    def test_an_object_that_can_be_called_is_a_handler(self, app: App) -> None:
        class Show:
            def __call__(self, request: Request, item: str) -> str:
                return item

        app.get("/{item}")(Show())

        assert app.handle(Request("GET", "/hat")).body == b"hat"

    def test_a_builtin_is_a_handler(self, app: App) -> None:
        app.get("/a")(repr)

        assert app.handle(Request("GET", "/a", id="7")).body == b"Request(GET /a, 0 bytes, id='7')"

    def test_a_decorated_handler_is_judged_by_the_function_inside(self, app: App) -> None:
        def decorated(function: Any) -> Any:
            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return function(*args, **kwargs)

            return wrapper

        app.get("/a")(decorated(lambda: "hi"))

        assert app.handle(Request("GET", "/a")).body == b"hi"
        with pytest.raises(InvalidArgument, match="has no parameter for x"):
            app.get("/b/{x}")(decorated(lambda request: "hi"))

    def test_a_generator_is_refused(self, app: App) -> None:
        def streams(request: Request) -> Any:
            yield "a"

        with pytest.raises(InvalidArgument, match="is a generator: return the whole answer"):
            app.get("/a")(streams)

    def test_what_cannot_be_called_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="a handler is a function"):
            app.get("/a")("handler")  # type: ignore[type-var]  # this is the error

    def test_an_event_handler_that_asks_for_more_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="asks for more, which nothing fills: it gets the event alone"):
            app.schedule("* * * * *", name="a")(lambda tick, more: None)

    def test_an_event_handler_may_take_nothing(self, app: App) -> None:
        called = []
        app.schedule("* * * * *", name="a")(lambda: called.append("yes"))
        app._triggers.schedules["a"].plain(object())

        assert called == ["yes"]


class TestTriggers:
    def test_a_second_handler_of_a_queue_is_refused_with_both_places(self, app: App) -> None:
        jobs = app.queue("jobs")
        app.on_message(jobs)(handler)  # the first handler
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: queue jobs has the handler handler") as caught:
            app.on_message(jobs)(handler)

        assert f"at {__file__}:{line_of('the first handler')}" in str(caught.value)

    def test_a_queue_of_another_app_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match=r"is no queue of this app: pass what app.queue\(...\) returned"):
            app.on_message(App("other").queue("jobs"))

    def test_a_resource_of_another_kind_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="is no bucket of this app"):
            app.on_blob(app.table("a"))  # type: ignore[arg-type]  # this is the error

    def test_a_name_in_the_place_of_a_resource_is_refused(self, app: App) -> None:
        app.table("a")
        with pytest.raises(InvalidArgument, match="is no table of this app"):
            app.on_change("a")  # type: ignore[arg-type]  # this is the error

    @pytest.mark.parametrize("events", [(), ("written",), ("created", "x"), "x"])
    def test_unknown_blob_events_are_refused(self, app: App, events: Any) -> None:
        with pytest.raises(InvalidArgument, match="use 'created', 'deleted' or both"):
            app.on_blob(app.bucket("a"), events=events)

    @pytest.mark.parametrize("prefix", ["/", "/in", "in//", "a\\b", "a\nb", "./a", None])
    def test_a_prefix_that_no_key_has_is_refused(self, app: App, prefix: Any) -> None:
        with pytest.raises(InvalidArgument, match="no key begins so"):
            app.on_blob(app.bucket("a"), prefix=prefix)

    @pytest.mark.parametrize("suffix", ["a/", "a\nb", "//b", "/./b"])
    def test_a_suffix_that_no_key_has_is_refused(self, app: App, suffix: str) -> None:
        with pytest.raises(InvalidArgument, match="no key ends so"):
            app.on_blob(app.bucket("a"), suffix=suffix)

    def test_a_schedule_is_called_as_its_handler_is(self, app: App) -> None:
        app.schedule("* * * * *")(handler)

        assert app.spec().triggers[0].name == "handler"

    def test_a_second_schedule_of_one_name_is_refused_with_both_places(self, app: App) -> None:
        app.schedule("0 * * * *")(handler)  # the first schedule
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: there is a schedule 'handler' at") as caught:
            app.schedule("30 * * * *")(handler)

        assert f"{__file__}:{line_of('the first schedule')}" in str(caught.value)

    def test_a_schedule_of_a_lambda_needs_a_name(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="schedule name '<lambda>'"):
            app.schedule("* * * * *")(lambda: None)

    def test_a_wrong_cron_expression_is_refused_with_its_place(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: schedule 'hourly'"):
            app.schedule("hourly")

    @pytest.mark.parametrize("type", ["", None, handler])
    def test_an_event_type_that_is_no_text_is_refused(self, app: App, type: Any) -> None:
        with pytest.raises(InvalidArgument, match="the type of an event is text"):
            app.on_event(type)

    def test_a_middleware_that_cannot_be_called_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="a middleware is a function"):
            app.middleware("x")  # type: ignore[type-var]  # this is the error


class TestFunctions:
    def test_handlers_share_one_function(self, app: App) -> None:
        app.get("/a")(handler)
        app.on_message(app.queue("jobs"))(handler)

        assert app.spec().functions == (FunctionSpec("main"),)

    def test_a_handler_can_have_its_own_function_and_size(self, app: App) -> None:
        app.get("/a")(handler)
        app.post("/a", function="resize", memory=512, timeout=60)(handler)

        assert app.spec().functions == (FunctionSpec("main"), FunctionSpec("resize", 512, 60))
        assert [route.function for route in app.spec().routes] == ["main", "resize"]

    def test_sizes_of_one_function_come_together(self, app: App) -> None:
        app.get("/a", function="big", memory=512)(handler)
        app.get("/b", function="big", timeout=60)(handler)
        app.get("/c", function="big", memory=512)(handler)

        assert app.spec().functions == (FunctionSpec("big", 512, 60),)

    def test_two_sizes_of_one_function_are_refused_with_both_places(self, app: App) -> None:
        app.get("/a", memory=512)(handler)  # the first size
        with pytest.raises(InvalidArgument, match=rf"{HERE}:\d+: function main has memory=256 here and 512") as caught:
            app.get("/b", memory=256)(handler)

        assert f"at {__file__}:{line_of('the first size')}" in str(caught.value)

    @pytest.mark.parametrize(
        "size", [{"memory": 0}, {"timeout": -1}, {"memory": "512"}, {"timeout": 1.5}, {"memory": True}]
    )
    def test_a_wrong_size_is_refused(self, app: App, size: Any) -> None:
        with pytest.raises(InvalidArgument, match="use a whole number of"):
            app.get("/a", **size)

    def test_an_unknown_option_is_refused_with_the_nearest(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match=r"unknown option 'memmory' \(did you mean 'memory'\?\)"):
            app.get("/a", memmory=512)  # type: ignore[call-arg]  # this is the error

    def test_a_wrong_name_of_a_function_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="function name 'my function'"):
            app.get("/a", function="my function")


def test_the_spec_has_every_declaration_and_where_it_is(app: App) -> None:
    photos = app.bucket("photos")  # photos
    app.post("/a/{x}")(lambda request, x: None)  # post
    app.on_blob(photos, prefix="in/", events=("created",))(handler)  # blob
    app.schedule("*/5 * * * *", name="often")(handler)  # schedule
    app.on_event("com.acme.signed", function="signs")(handler)  # event
    app.wsgi(handler, "/old")  # mount
    spec = app.spec()

    assert spec.name == "shop"
    assert spec.resources == (ResourceSpec("bucket", "photos", place=Place(__file__, line_of("photos"))),)
    assert spec.routes == (
        RouteSpec("POST", "/a/{x}", "main", "<lambda>", Place(__file__, line_of("post"))),
        RouteSpec("*", "/old", "main", "handler", Place(__file__, line_of("mount"))),
    )
    blob = {"prefix": "in/", "suffix": "", "events": ("created",)}
    assert spec.triggers == (
        TriggerSpec("blob", "photos", "handler", "main", blob, Place(__file__, line_of("blob"))),
        TriggerSpec("schedule", "*/5 * * * *", "often", "main", place=Place(__file__, line_of("schedule"))),
        TriggerSpec("event", "com.acme.signed", "handler", "signs", place=Place(__file__, line_of("event"))),
    )
    assert spec.functions == (FunctionSpec("main"), FunctionSpec("signs"))


class TestBinding:
    def test_without_one_a_resource_is_in_the_current_folder(self, app: App, tmp_path: Path) -> None:
        app.table("a").put("p", "s", 1)

        assert app.table("a").get("p", "s").value == 1
        assert (tmp_path / ".portable").is_dir()

    def test_a_bound_app_has_other_data_from_then_on(self, app: App, tmp_path: Path) -> None:
        table = app.table("a")
        table.put("p", "s", 1)
        app.bind(*_local(tmp_path / "elsewhere"))

        assert table.get("p", "s", default=None) is None

    def test_an_app_that_is_bound_no_more_has_its_own_data_again(self, app: App, tmp_path: Path) -> None:
        table = app.table("a")
        table.put("p", "s", 1)
        app.bind(*_local(tmp_path / "elsewhere"))
        table.put("p", "s", 2)
        app.unbind()

        assert table.get("p", "s").value == 1

    def test_the_environment_names_the_target(self, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "portable.toml").write_text(
            f'[targets.desk]\nprovider = "local"\n[targets.desk.resources]\na = "sqlite://{tmp_path}/own.db?name=a"\n'
        )
        monkeypatch.setenv("PORTABLE_TARGET", "desk")
        app.table("a").put("p", "s", 1)

        assert (tmp_path / "own.db").is_file()

    def test_a_dead_letter_queue_reaches_its_queue_as_an_address(self, app: App, tmp_path: Path) -> None:
        jobs = app.queue("jobs", max_attempts=1, dead_letter="dead")
        app.bind(*_local(tmp_path))
        jobs.send("x")
        jobs.receive()[0].retry()

        assert jobs.receive() == []
        assert [message.body for message in app.queue("dead").receive()] == [b"x"]

    def test_a_need_that_the_target_does_not_have_is_refused(self, app: App, tmp_path: Path) -> None:
        queue = app.queue("jobs", needs=["groups"])
        configuration = Configuration(
            str(tmp_path), None, None, {"local": Target("local", "local"), "prod": Target("prod", "azure")}
        )
        app.bind(configuration.targets["local"], configuration, Opening(data=str(tmp_path)))
        with pytest.raises(Unsupported, match="queue jobs needs 'groups', which target prod"):
            queue.send("x")


def _local(folder: Path) -> tuple[Target, Configuration, Opening]:
    target = Target("local", "local")
    return target, Configuration(str(folder), None, None, {"local": target}), Opening(data=str(folder))
