"""The transactional outbox: tasks that are stored in the caller's transaction, and published after the commit.

{% if plan().features.outbox_django %}
`BaseTask.delay_in_transaction` stores a task as a row, and the command `relay_outbox` publishes it.
{% elif plan().features.outbox_sqlalchemy %}
`BaseTask.delay_in_transaction` stores a task as a row, and the relay, `python -m {{ cookiecutter.project_slug }}.outbox`, publishes it.
{% endif %}
"""
