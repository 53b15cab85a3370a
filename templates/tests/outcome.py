@pytest.fixture
def outcome(worker: None) -> Iterator[Ran]:
    """Waits for a task of this id to end in the worker, and returns its state."""
    ended: Queue[tuple[str, str]] = Queue()

    def note(task_id: str, state: str, **_: Any) -> None:
        ended.put((task_id, state))

    def wait(task_id: str) -> str:
        seen, state = "", ""
        while seen != task_id:
            seen, state = ended.get(timeout=30)
        return state

    signals.task_postrun.connect(note)
    yield wait
    signals.task_postrun.disconnect(note)
