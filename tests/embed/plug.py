"""What a host runs in a thread of its own; the tests edit the module `part` beside it."""

import os
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ended = threading.Event()


def say(*words):
    # One write, so that lines of several threads do not mix; the host may have no sys.stdout.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def run():
    """Watch, and say every new answer of `part`, until told to end."""
    import part

    import hotswap

    session = hotswap.watch(HERE, on_update=lambda report: say("plug:", report.status))
    say("plug: watching", session.status()["pid"] == os.getpid())
    last = None
    while not ended.wait(0.002):
        answer = part.answer(), part.calls > 0
        if answer != last:
            say("plug: answer", answer[0])
            last = answer
    session.stop()
    say("plug: ended after", part.calls > 0)


def monitor():
    """The same by `monitor_dir`, which blocks; the answers are said by another thread."""
    import part

    import hotswap
    from module_hot_loading import monitor_dir

    def answers():
        while not watching():
            ended.wait(0.002)
        last = None
        while not ended.wait(0.002):
            answer = part.answer()
            if answer != last:
                say("plug: answer", answer)
                last = answer
        running.clear()

    def watching():
        try:
            return hotswap.sync()
        except hotswap.NotWatchingError:
            return None

    running = threading.Event()
    running.set()
    threading.Thread(target=answers, daemon=True).start()
    monitor_dir(HERE, running, __file__, interval=1)
    say("plug: ended")
