# --- Results
task_ignore_result = True  # there is no result backend: a task tells of its work by its effects
