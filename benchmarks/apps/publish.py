"""Publish tasks. Print the throughput per second and per CPU second: `publish.py APP TASKS NUMBER FOLDER`."""

import sys
from importlib import import_module
from time import perf_counter, process_time

app, tasks, number, folder = sys.argv[1:]
import_module(app)
module = import_module(tasks)
module.mark.delay(f"{folder}/first")
started, used = perf_counter(), process_time()
for _ in range(int(number)):
    module.tiny.delay()
print(int(number) / (perf_counter() - started), int(number) / (process_time() - used))
module.mark.delay(f"{folder}/last")
