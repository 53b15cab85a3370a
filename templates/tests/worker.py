@pytest.fixture(scope="session")
def worker() -> Iterator[None]:
    """Run a worker that consumes from all queues during the tests."""
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "polling_interval": 0.01}  # seconds
    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False, shutdown_timeout=30):
        yield
        app.control.shutdown()  # immediately: start_worker() would wait for the poll of the next message


@pytest.fixture
def wait_for_task(worker: None) -> Iterator[WaitForTask]:
    """Yield a function that waits until a task ends in the worker and returns its state."""
    ended: Queue[tuple[str, str]] = Queue()

    def record(task_id: str, state: str, **_: Any) -> None:
        ended.put((task_id, state))

    def wait(task_id: str) -> str:
        seen, state = "", ""
        while seen != task_id:
            seen, state = ended.get(timeout=30)
        return state

    signals.task_postrun.connect(record)
    yield wait
    signals.task_postrun.disconnect(record)
