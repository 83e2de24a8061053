import threading

import pytest

from h2o_magic.conversation.queue import FifoLock
from h2o_magic.errors import MisuseError


def waiting(lock: FifoLock[str], name: str, served: list[str]) -> threading.Thread:
    """Return a thread that waits for the lock, and notes that it got it."""
    entered = threading.Event()

    def take() -> None:
        lock.enter(name)
        entered.set()
        lock.wait(name)
        served.append(name)
        lock.leave(name)

    thread = threading.Thread(target=take)
    thread.start()
    assert entered.wait(60)
    return thread


def test_those_who_wait_are_served_in_the_order_of_their_coming() -> None:
    lock: FifoLock[str] = FifoLock()
    served: list[str] = []
    assert lock.enter("first")
    names = [str(number) for number in range(20)]
    threads = [waiting(lock, name, served) for name in names]
    assert lock.holders == ("first", *names)
    assert served == []
    lock.leave("first")
    for thread in threads:
        thread.join()
    assert served == names
    assert lock.holders == ()


def test_who_leaves_from_the_middle_holds_nobody_up() -> None:
    lock: FifoLock[str] = FifoLock()
    served: list[str] = []
    lock.enter("first")
    other = threading.Thread(target=lock.enter, args=("leaver",))
    other.start()
    other.join()
    last = waiting(lock, "last", served)
    lock.leave("leaver")
    lock.leave("leaver")
    lock.leave("first")
    last.join()
    assert served == ["last"]


def test_waking_ends_the_wait_from_another_thread() -> None:
    lock: FifoLock[str] = FifoLock()
    lock.enter("first")
    entered = threading.Event()
    other = threading.Thread(
        target=lambda: [lock.enter("second"), entered.set(), lock.wait("second")]
    )
    other.start()
    assert entered.wait(60)
    lock.wake("second")
    other.join(60)
    assert not other.is_alive()
    assert lock.holders == ("first", "second")


def test_a_thread_cannot_wait_for_itself() -> None:
    lock: FifoLock[str] = FifoLock()
    lock.enter("first")
    with pytest.raises(MisuseError, match="still being read here"):
        lock.enter("second")
    assert lock.holders == ("first",)


def test_who_is_held_back_lets_others_go_first_and_goes_when_let_go() -> None:
    lock: FifoLock[str] = FifoLock()
    served: list[str] = []
    lock.enter("first")
    threads = [waiting(lock, name, served) for name in "abc"]
    for held in "ab":
        lock.hold(held)
    lock.leave("first")
    threads[2].join()
    assert served == ["c"]
    assert lock.owner is None
    assert lock.holders == ("a", "b")
    lock.move("b", 1)
    assert lock.holders == ("b", "a")
    late = waiting(lock, "late", served)
    late.join()
    lock.let_go("a")
    threads[0].join()
    lock.let_go("b")
    threads[1].join()
    assert served == ["c", "late", "a", "b"]
