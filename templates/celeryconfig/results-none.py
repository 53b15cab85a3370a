# --- Results
task_ignore_result = True  # without a result backend, no result is stored
