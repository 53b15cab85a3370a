# --- Messages
accept_content = ["json"]  # never pickle: whoever can write to the broker could run code in the workers
timezone = "{{ plan().project.timezone }}"  # what local time means, in crontabs and in logs; messages carry UTC
# A worker that lacks a task's module would discard its messages.
imports = {{ plan().imports }}
