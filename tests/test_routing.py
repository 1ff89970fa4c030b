"""Which route answers a path."""

from __future__ import annotations

from typing import Any

import pytest

from portable._calling import Handler
from portable._routing import EVERY, Route, Router, placeholders
from portable_contracts.deploy import Place
from portable_contracts.errors import InvalidArgument


def route(method: str, path: str) -> Route:
    def handler(request: Any, **values: str) -> None:
        pass

    return Route(method, path, Handler(handler, Place(), placeholders(path)), Place(), "main")


def routed(*routes: str, mounts: tuple[str, ...] = ()) -> Router:
    router = Router()
    for text in routes:
        method, path = text.split(" ")
        assert router.add(route(method, path)) is None
    for path in mounts:
        assert router.mount(route(EVERY, path)) is None
    return router


def found(router: Router, method: str, path: str) -> str | None:
    match, _ = router.find(method, path)
    return match.path if match else None


def test_a_fixed_path_is_found() -> None:
    assert found(routed("GET /a/b", "GET /a/c"), "GET", "/a/c") == "/a/c"


def test_the_root_is_a_path() -> None:
    assert found(routed("GET /"), "GET", "/") == "/"


@pytest.mark.parametrize("path", ["/b", "/a/b", "/a/", "", "a", "*", "//", "/A"])
def test_another_path_is_not_found(path: str) -> None:
    assert found(routed("GET /a"), "GET", path) is None


def test_a_trailing_slash_counts() -> None:
    router = routed("GET /a", "GET /b/")

    assert found(router, "GET", "/a/") is None
    assert found(router, "GET", "/b") is None
    assert found(router, "GET", "/b/") == "/b/"


def test_placeholders_give_what_they_stand_for() -> None:
    _, values = routed("GET /threads/{thread}/entries/{entry}").find("GET", "/threads/7/entries/x y")

    assert values == {"thread": "7", "entry": "x y"}


def test_a_placeholder_does_not_stand_for_nothing() -> None:
    assert found(routed("GET /a/{x}/b"), "GET", "/a//b") is None


def test_a_placeholder_does_not_take_slashes() -> None:
    assert found(routed("GET /a/{x}"), "GET", "/a/b/c") is None


@pytest.mark.parametrize(
    ("path", "rest"), [("/f/a", "a"), ("/f/a/b.txt", "a/b.txt"), ("/f/", ""), ("/f/a//b/", "a//b/")]
)
def test_a_rest_takes_slashes(path: str, rest: str) -> None:
    _, values = routed("GET /f/{rest:path}").find("GET", path)

    assert values == {"rest": rest}


def test_a_rest_does_not_take_the_path_before_its_slash() -> None:
    assert found(routed("GET /f/{rest:path}"), "GET", "/f") is None


def test_a_rest_at_the_root_takes_everything() -> None:
    assert routed("GET /{rest:path}").find("GET", "/")[1] == {"rest": ""}


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/a/fixed", "/a/fixed"), ("/a/other", "/a/{x}"), ("/a/b/c", "/a/{rest:path}"), ("/z", "/{rest:path}")],
)
def test_fixed_segments_go_before_placeholders_and_those_before_rests(path: str, expected: str) -> None:
    router = routed("GET /{rest:path}", "GET /a/{rest:path}", "GET /a/{x}", "GET /a/fixed")

    assert found(router, "GET", path) == expected


def test_a_choice_that_leads_nowhere_is_taken_back() -> None:
    router = routed("GET /a/b/c", "GET /{x}/b/d", "GET /a/{y}/e", "GET /{rest:path}")

    assert found(router, "GET", "/a/b/d") == "/{x}/b/d"
    assert found(router, "GET", "/a/b/e") == "/a/{y}/e"
    assert found(router, "GET", "/a/b/f") == "/{rest:path}"


def test_a_choice_that_was_taken_back_leaves_no_values() -> None:
    router = routed("GET /{a}/{b}/c", "GET /{rest:path}")

    assert router.find("GET", "/1/2/3")[1] == {"rest": "1/2/3"}


def test_the_next_match_answers_where_the_best_has_not_the_method() -> None:
    assert found(routed("GET /a/fixed", "POST /a/{x}"), "POST", "/a/fixed") == "/a/{x}"


def test_a_get_route_answers_head() -> None:
    assert found(routed("GET /a"), "HEAD", "/a") == "/a"


@pytest.mark.parametrize("order", [("GET /a", "HEAD /a"), ("HEAD /a", "GET /a")])
def test_a_head_route_answers_head_before_a_get_route(order: tuple[str, str]) -> None:
    match, _ = routed(*order).find("HEAD", "/a")

    assert match
    assert match.method == "HEAD"


def test_the_methods_of_a_path_are_those_of_all_its_routes() -> None:
    router = routed("GET /a/fixed", "POST /a/{x}", "DELETE /{rest:path}")

    assert router.methods("/a/fixed") == ["DELETE", "GET", "HEAD", "POST"]


def test_an_unknown_path_has_no_methods() -> None:
    assert routed("GET /a").methods("/b") == []


def test_names_may_differ_among_methods() -> None:
    router = routed("GET /a/{x}", "POST /a/{y}")

    assert router.find("GET", "/a/1")[1] == {"x": "1"}
    assert router.find("POST", "/a/1")[1] == {"y": "1"}


@pytest.mark.parametrize("again", ["/a/{x}", "/a/{y}"])
def test_an_equal_route_gives_the_one_that_is_there(again: str) -> None:
    router = routed("GET /a/{x}")
    present = router.add(route("GET", again))

    assert present
    assert present.path == "/a/{x}"


def test_a_mount_has_everything_under_its_path() -> None:
    router = routed(mounts=("/api",))

    assert [found(router, "PUT", path) for path in ("/api", "/api/", "/api/a/b", "/apix", "/")] == [
        *["/api"] * 3,
        None,
        None,
    ]


def test_a_mount_at_the_root_has_every_path() -> None:
    assert found(routed(mounts=("/",)), "GET", "/any/where") == "/"


def test_a_route_under_a_mount_goes_before_it() -> None:
    router = routed("GET /api/mine", mounts=("/api",))

    assert found(router, "GET", "/api/mine") == "/api/mine"
    assert found(router, "POST", "/api/mine") == "/api"


def test_the_longer_mount_goes_before_the_shorter() -> None:
    router = routed(mounts=("/", "/api", "/api/v1"))

    assert [found(router, "GET", path) for path in ("/x", "/api/x", "/api/v1/x")] == ["/", "/api", "/api/v1"]


@pytest.mark.parametrize("path", ["/a/", "/a/{x}", "/{rest:path}", "/a//b"])
def test_a_mount_is_at_fixed_segments(path: str) -> None:
    with pytest.raises(InvalidArgument, match="cannot be mounted"):
        Router().mount(route(EVERY, path))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("a", "does not start with a slash"),
        ("", "does not start with a slash"),
        (None, "does not start with a slash"),
        ("/a?b=c", "query"),
        ("/a#b", "fragment"),
        ("/a/{}", "no placeholder"),
        ("/a/{x", "no placeholder"),
        ("/a/x}", "no placeholder"),
        ("/a/v{x}", "no placeholder"),
        ("/a/{x}.json", "no placeholder"),
        ("/a/{x-y}", "no placeholder"),
        ("/a/{x:int}", "no placeholder"),
        ("/a/{x:path}/b", "comes last"),
        ("/a/{x}/{x}", "two placeholders"),
        ("/a/{x}/{x:path}", "two placeholders"),
    ],
)
def test_what_is_no_path_is_refused(path: Any, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        placeholders(path)


def test_the_cost_of_a_match_does_not_grow_with_the_routes() -> None:
    def steps(count: int) -> int:
        import sys

        router = routed(*(f"GET /group{number}/{{item}}/entries" for number in range(count)))
        calls = 0

        def count_call(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count_call)
        try:
            router.find("GET", f"/group{count - 1}/1/entries")
        finally:
            sys.setprofile(None)
        return calls

    assert steps(1000) == steps(30)
