import threading

from dashboard.ahead import Ahead


def test_what_was_asked_for_last_is_done_and_what_waits_from_before_is_given_up() -> None:
    ahead = Ahead()
    done: list[str] = []
    began, may_end = threading.Event(), threading.Event()

    def long_task() -> None:
        began.set()
        may_end.wait(10)
        done.append("begun before")

    ahead.ask([long_task, lambda: done.append("waits")])
    assert began.wait(10)
    ahead.ask([lambda: done.append("next"), lambda: done.append("one before")])
    may_end.set()
    ahead.wait()
    assert done == ["begun before", "next", "one before"]


def test_a_task_that_fails_stops_no_other() -> None:
    ahead = Ahead()
    done: list[str] = []

    def fail() -> None:
        raise OSError("no such picture")

    ahead.ask([fail, lambda: done.append("next")])
    ahead.wait()
    assert done == ["next"]
