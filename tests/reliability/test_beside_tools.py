"""Beside tracers, profilers, debuggers and coverage: they go on, and so do updates."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable

import pytest

Drive = Callable[..., str]
MONITORING = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["settrace", "setprofile"])
@pytest.mark.parametrize("background", [False, True])
def test_a_tracer_in_every_thread(hook: str, background: bool, drive: Drive) -> None:
    drive(
        f"""
        import mod
        lines = set()
        def tracer(frame, event, argument):
            if frame.f_code.co_filename.endswith("mod.py"):
                lines.add((event, frame.f_code.co_name, frame.f_lineno))
                mod.f
            return tracer
        threading.{hook}(tracer)
        sys.{hook}(tracer)
        session = hotswap.watch(".")
        if not {background}:
            session.pause()
        for number in range(2, 30):
            lines.clear()
            save("mod.py", "\\n" * (number % 4) + MOD.format(number) + f"made = [one for one in range({{number}})]\\n")
            if not {background}:
                assert hotswap.sync().status == "applied"
            until(lambda: mod.f() == number and len(getattr(mod, "made", ())) == number)
            assert ("return", "f", 3 + number % 4) in lines, (number, lines)
        assert sys.get{hook[3:]}() is tracer
        """
    )


@MONITORING
def test_monitoring_of_every_event(drive: Drive) -> None:
    drive(
        """
        import mod
        events, tool = sys.monitoring.events, sys.monitoring.DEBUGGER_ID
        sys.monitoring.use_tool_id(tool, "test")
        seen = []
        kinds = [events.PY_START, events.PY_RETURN, events.LINE, events.CALL, events.JUMP, events.RAISE]
        for kind in kinds:
            sys.monitoring.register_callback(tool, kind, lambda code, *rest: seen.append(code.co_name))
        sys.monitoring.set_events(tool, sum(kinds))
        hotswap.watch(".").pause()
        for number in range(2, 20):
            save("mod.py", "\\n" * (number % 3) + MOD.format(number) + "class A:\\n    def m(self):\\n        return f()\\n")
            assert hotswap.sync().status == "applied"
            seen.clear()
            assert mod.A().m() == number
            assert "m" in seen and "f" in seen
        sys.monitoring.set_events(tool, 0)
        """
    )


def test_a_debugger_with_a_breakpoint(drive: Drive) -> None:
    drive(
        """
        import bdb, mod
        stops = []
        class Debugger(bdb.Bdb):
            def user_line(self, frame):
                if frame.f_code.co_filename.endswith("mod.py") and self.break_here(frame):
                    stops.append((frame.f_lineno, mod.value))
                self.set_continue()
        def program():
            hotswap.watch(".").pause()
            for number in range(2, 12):
                save("mod.py", MOD.format(number))
                assert hotswap.sync().status == "applied"
                assert mod.f() == number
        debugger = Debugger()
        debugger.set_break(os.path.abspath("mod.py"), 3)
        debugger.runcall(program)
        assert stops == [(3, number) for number in range(2, 12)], stops
        """
    )


def test_an_update_from_inside_a_trace_function(drive: Drive) -> None:
    # What a debugger's prompt does when somebody types `hotswap.sync()` there.
    drive(
        """
        import mod
        session = hotswap.watch(".")
        session.pause()
        pending = [2]
        def tracer(frame, event, argument):
            if frame.f_code.co_name == "f" and pending:
                number = pending.pop()
                save("mod.py", MOD.format(number))
                report = hotswap.sync()
                assert report.status == "applied" and report.pending, report.to_dict()
            return tracer
        sys.settrace(tracer)
        first = mod.f()
        sys.settrace(None)
        assert (first, mod.f()) == (1, 2)
        """
    )


CORES = ["ctrace", "pytrace", *(["sysmon"] if sys.version_info >= (3, 12) else [])]


@pytest.mark.parametrize("core", CORES)
def test_coverage_measures_old_and_new_code(core: str, drive: Drive) -> None:
    if importlib.util.find_spec("coverage") is None:
        pytest.skip("coverage is not installed")
    drive(
        """
        import coverage
        measure = coverage.Coverage(data_file=None, include=[os.path.abspath("mod.py")], config_file=False)
        measure.start()
        import mod
        hotswap.watch(".").pause()
        for number in range(2, 12):
            save("mod.py", "\\n" * number + MOD.format(number))
            assert hotswap.sync().status == "applied"
            assert mod.f() == number
        measure.stop()
        (measured,) = [name for name in measure.get_data().measured_files() if name.endswith("mod.py")]
        lines = set(measure.get_data().lines(measured))
        assert lines & {number + 3 for number in range(2, 12)}, lines
        """,
        env={"COVERAGE_CORE": core},
    )
