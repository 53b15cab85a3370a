"""The transactional outbox: tasks that are stored in the caller's transaction, and published after the commit.

`BaseTask.delay_in_transaction` stores a task as a row, and the command `relay_outbox` publishes it.
"""
