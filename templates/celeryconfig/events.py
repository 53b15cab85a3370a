# --- Events
worker_send_task_events = True  # what Flower and the exporters read; costs a message a state change
task_send_sent_event = True  # lets them measure how long a task waited in its queue
