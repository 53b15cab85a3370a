# --- Events (a worker sends its own with -E)
task_send_sent_event = True  # lets Flower and the exporters measure how long a task waited in its queue
