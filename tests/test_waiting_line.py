import threading

import pytest

from h2o_magic.errors import MisuseError
from h2o_magic.waiting_line import Ticket, WaitingLine


def waiting(line: WaitingLine[str], name: str, served: list[str]) -> threading.Thread:
    """Return a thread that stands in a line, and notes that it was served."""
    taken = threading.Event()

    def stand() -> None:
        ticket = Ticket(line, name)
        ticket.take()
        taken.set()
        ticket.wait()
        served.append(name)
        ticket.leave()

    thread = threading.Thread(target=stand)
    thread.start()
    assert taken.wait(60)
    return thread


def test_those_who_wait_are_served_in_the_order_of_their_coming() -> None:
    line: WaitingLine[str] = WaitingLine()
    served: list[str] = []
    first = Ticket(line, "first")
    first.take()
    assert first.served
    names = [str(number) for number in range(20)]
    threads = [waiting(line, name, served) for name in names]
    assert line.holders == ("first", *names)
    assert served == []
    first.leave()
    for thread in threads:
        thread.join()
    assert served == names
    assert line.holders == ()


def test_who_leaves_from_the_middle_holds_nobody_up() -> None:
    line: WaitingLine[str] = WaitingLine()
    served: list[str] = []
    first, leaver = Ticket(line, "first"), Ticket(line, "leaver")
    first.take()
    other = threading.Thread(target=leaver.take)
    other.start()
    other.join()
    last = waiting(line, "last", served)
    leaver.leave()
    leaver.leave()
    first.leave()
    last.join()
    assert served == ["last"]


def test_giving_up_ends_the_wait_from_another_thread() -> None:
    line: WaitingLine[str] = WaitingLine()
    first, second = Ticket(line, "first"), Ticket(line, "second")
    first.take()
    taken = threading.Event()
    other = threading.Thread(target=lambda: [second.take(), taken.set(), second.wait()])
    other.start()
    assert taken.wait(60)
    second.give_up()
    other.join(60)
    assert not other.is_alive()
    assert line.holders == ("first", "second")


def test_a_thread_cannot_wait_for_itself() -> None:
    line: WaitingLine[str] = WaitingLine()
    Ticket(line, "first").take()
    with pytest.raises(MisuseError, match="still being read here"):
        Ticket(line, "second").take()
    assert line.holders == ("first",)
