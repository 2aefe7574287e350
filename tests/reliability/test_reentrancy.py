"""Updates from where nobody expects them: module bodies, signal handlers, callbacks, trace functions."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

Drive = Callable[..., str]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def test_sync_from_the_body_of_a_module_that_is_being_imported(drive: Drive) -> None:
    drive(
        """
        import mod
        hotswap.watch(".").pause()
        save("mod.py", MOD.format(2))
        save("body.py", "import hotswap, mod\\nreport = hotswap.sync()\\nseen = mod.f()\\n")
        import body
        assert body.report.status == "applied" and body.seen == 2
        """
    )


def test_a_module_that_edits_itself_while_it_is_imported(drive: Drive) -> None:
    drive(
        """
        session = hotswap.watch(".")
        session.pause()
        body = "import hotswap, __main__\\nvalue = {0}\\n{1}\\ndef f():\\n    return {0}\\n"
        edits = body.format(2, "")
        save("body.py", body.format(1, "__main__.save('body.py', __main__.edits); report = hotswap.sync()"))
        import body
        assert body.f() == 1
        hotswap.sync()
        assert (body.value, body.f()) == (2, 2), (body.value, body.f())
        """
    )


def test_an_edit_of_a_module_whose_import_waits_for_it(drive: Drive) -> None:
    # The import holds the module's lock and waits for the update; the update's new statement
    # imports that module and would wait for the lock.
    drive(
        """
        import mod
        session = hotswap.watch(".")
        save("slow.py", '''
        import hotswap, os, time
        open("inside", "w").close()
        while not os.path.exists("edited"):
            time.sleep(0.002)
        time.sleep(0.2)
        report = hotswap.sync()
        value = 1
        '''.replace("\\n        ", "\\n"))
        thread = threading.Thread(target=lambda: __import__("slow"))
        thread.start()
        until(lambda: os.path.exists("inside"))
        save("mod.py", MOD.format(2) + "import slow\\n")
        open("edited", "w").close()
        thread.join(20)
        assert not thread.is_alive(), "the import and the update wait for each other"
        until(lambda: mod.f() == 2)
        until(lambda: mod.slow.value == 1)
        """
    )


@POSIX
def test_signal_handlers_that_sync_while_main_syncs(drive: Drive) -> None:
    drive(
        """
        import mod, signal
        session = hotswap.watch(".")
        session.pause()
        nested = []
        def handler(number, frame):
            nested.append(hotswap.sync())
            # Only now the next, or handlers would pile up on a slow machine.
            signal.setitimer(signal.ITIMER_REAL, 0.002)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        loop = "for _ in range(20_000):\\n    _ + 1\\n"
        for number in range(2, 60):
            save("mod.py", MOD.format(number) + loop.replace("20_000", str(20_000 + number)))
            report = hotswap.sync()
            until(lambda: mod.f() == number)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        assert nested
        refused = [one for one in (*nested, *session.history) if one.status == "rejected"]
        assert not refused, refused
        assert any("in progress" in note for one in nested for note in one.notes)
        """
    )


@POSIX
def test_signals_while_threads_update_in_the_background(drive: Drive) -> None:
    drive(
        """
        import mod, signal
        hotswap.watch(".")
        calls = []
        signal.signal(signal.SIGALRM, lambda number, frame: calls.append(mod.f()))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for number in range(2, 60):
            save("mod.py", MOD.format(number))
            until(lambda: mod.f() == number)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert calls == sorted(calls) and len(set(calls)) > 3
        """
    )


def test_callbacks_new_statements_and_finalisers_that_sync(drive: Drive) -> None:
    drive(
        """
        import mod
        reports = []
        def again(*report):
            reports.append(hotswap.sync())
        session = hotswap.watch(".", on_update=again)
        session.pause()
        hotswap.before_update(again)
        hotswap.after_update(again)
        finaliser = "import hotswap\\ninner = hotswap.sync()\\nclass Late:\\n    def __del__(self):\\n        hotswap.sync()\\nlate = Late()\\n"
        save("mod.py", MOD.format(2) + finaliser)
        hotswap.sync()
        assert mod.f() == 2
        assert any("in progress" in note for note in mod.inner.notes)
        save("mod.py", MOD.format(3))
        hotswap.sync()
        assert mod.f() == 3 and not hasattr(mod, "late")
        assert 4 <= len(reports) < 12, reports
        """
    )


def test_many_threads_sync_pause_resume_and_ask_at_once(drive: Drive) -> None:
    drive(
        """
        import mod, random
        session = hotswap.watch(".")
        stopping = threading.Event()
        failed = []
        def work(act):
            try:
                while not stopping.is_set():
                    act()
            except BaseException as error:
                failed.append(error)
        def pause():
            session.pause()
            session.resume()
        acts = [hotswap.sync, session.status, pause, session.diff, hotswap.checkpoint, hotswap.sync]
        threads = [threading.Thread(target=work, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for number in range(2, 30):
            save("mod.py", MOD.format(number))
            until(lambda: mod.f() == number or failed)
        stopping.set()
        for thread in threads:
            thread.join(20)
        assert not failed, failed
        assert not any(thread.is_alive() for thread in threads)
        """
    )


@pytest.mark.parametrize(
    "collector", ["gc.freeze()", "gc.disable()", "gc.set_threshold(1)", "gc.freeze(); gc.disable()"]
)
def test_every_state_of_the_collector(collector: str, drive: Drive) -> None:
    drive(
        f"""
        import gc, mod
        held = mod.f
        closures = [(lambda n: lambda: n + mod.f())(n) for n in range(50)]
        {collector}
        before = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count() > 0
        hotswap.watch(".").pause()
        for number in range(2, 20):
            save("mod.py", MOD.format(number) + f"class A:\\n    x = {{number}}\\n")
            assert hotswap.sync().status == "applied"
            assert held() == number == mod.A.x
        assert closures[3]() == 22
        assert (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count() > 0) == before
        """
    )


def test_a_python_audit_hook_looks_on(drive: Drive) -> None:
    drive(
        """
        import mod
        events = []
        def hook(event, arguments):
            if event in ("object.__setattr__", "exec", "compile", "import", "code.__new__"):
                events.append(event)
                mod.f()
                threading.current_thread()
        sys.addaudithook(hook)
        hotswap.watch(".").pause()
        for number in range(2, 12):
            save("mod.py", MOD.format(number))
            assert hotswap.sync().status == "applied" and mod.f() == number
        assert "object.__setattr__" in events
        """
    )


def test_an_audit_hook_that_forbids_the_write_refuses_the_update(drive: Drive) -> None:
    drive(
        """
        import mod
        forbid = []
        def hook(event, arguments):
            if forbid and event == "object.__setattr__" and arguments[1] == "__code__":
                raise RuntimeError("not in this house")
        hotswap.watch(".").pause()
        sys.addaudithook(hook)
        forbid.append(1)
        save("mod.py", MOD.format(2))
        report = hotswap.sync()
        assert report.status == "rejected" and "not in this house" in str(report), report
        assert (mod.f(), mod.value) == (1, 1)
        forbid.clear()
        save("mod.py", MOD.format(3))
        assert hotswap.sync().status == "applied" and mod.f() == 3
        """
    )
