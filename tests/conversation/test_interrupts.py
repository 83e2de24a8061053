import signal
import threading

import pytest

from h2o_magic.conversation.interrupts import uninterrupted


def test_an_interrupt_acts_when_the_work_is_done() -> None:
    done: list[int] = []

    def work() -> None:
        with uninterrupted():
            for step in range(3):
                signal.raise_signal(signal.SIGINT)
                done.append(step)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0, 1, 2]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # it acts at once again


def test_work_that_fails_lets_interrupts_act_again() -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), uninterrupted():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is handler


def test_other_threads_change_nothing() -> None:
    handler = signal.getsignal(signal.SIGINT)
    inside = []

    def work() -> None:
        with uninterrupted():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [handler]


def test_where_interrupts_are_ignored_they_stay_so() -> None:
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, handler)
