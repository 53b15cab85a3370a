"""Print the CPU microseconds per run of recording, and of inserts with several batch sizes: `record.py PACKAGE`."""

import sys
import time
from importlib import import_module
from time import process_time

RUNS = 5000
BATCH_SIZES = (500, 50, 1)

package = sys.argv[1]
app = import_module(f"{package}.celery_app").app
app.loader.import_default_modules()
recorder, store = import_module(f"{package}.history.recorder"), import_module(f"{package}.history.store")
task = app.tasks[f"{package}.tasks.default.tiny"]
headers = {
    "id": "6f1c2f4e-4d0b-4b0e-9f57-0f5f5c3d7a11",
    "args": ["hello", 1],
    "kwargs": {"options": {"ids": [1, 2, 3]}, "password": "x"},
    "delivery_info": {"routing_key": "default"},
    "hostname": "default@host",
    "sent_at": time.time(),
    "started_at": time.time(),
}
run = recorder.describe_run(task, headers, "succeeded")
store.insert_runs([run])  # connects, and creates the table
started = process_time()
for _ in range(RUNS):
    recorder.record(task, headers, "succeeded")
print((process_time() - started) / RUNS * 1e6)
for size in BATCH_SIZES:
    number = RUNS // 5 // size
    started = process_time()
    for _ in range(number):
        store.insert_runs([run] * size)
    print((process_time() - started) / (number * size) * 1e6)
