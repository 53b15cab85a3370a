@pytest.fixture(scope="session")
def worker() -> Iterator[None]:
    """A worker of this application that consumes every queue, as long as the tests run."""
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "polling_interval": 0.01}  # seconds
    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False, shutdown_timeout=30):
        yield
        app.control.shutdown()  # it would notice the end of this block only after seconds of waiting for messages


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
